//! What is described is what is served, and what is read.

use std::sync::Arc;

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use viewmill::TopologyBuilder;
use viewmill::clock::SystemClock;
use viewmill::command::{CommandData as _, Commands, GatewayLimits};
use viewmill::http::{ActorRule, Routes};
use viewmill::metrics::{Metrics, Versions};
use viewmill::query::{InstanceId, Owners, TaskOwner, ViewRegistry, Views};
use viewmill::topology::Names;
use warp::http::{HeaderMap, HeaderValue};

use super::{CANCELLED_ORDER, COMMAND, ORDER, REJECTED_ORDER};
use crate::commands::OrderCommand;
use crate::routes::command_request::CommandRequest;
use crate::settings::OrderSettings;
use crate::{routes, topology};

fn all_routes() -> Routes {
    let mut builder = TopologyBuilder::new();
    let handles = topology::topology(&mut builder, OrderSettings::default());
    let topology = builder.build().unwrap();
    let clock = Arc::new(SystemClock::default());
    let metrics = Metrics::new(Versions { librdkafka: "0", rocksdb: "0" }, clock.clone());
    let (names, registry) = (Names::new("app", ""), ViewRegistry::default());
    let owners = Owners::new(|_| TaskOwner::Unknown);
    let views = Views::new(topology, names, registry, Arc::new(|_: &_| None), owners, InstanceId("i-1".into()), &metrics);
    let commands = Commands::new("results", str::to_owned, GatewayLimits { waiting: 1 }, metrics.commands.clone(), clock);
    routes::routes(&handles, views, commands, ActorRule::new("X-Actor", "X-Actor-Role", true))
}

fn document() -> Value {
    all_routes().document()
}

#[test]
fn every_route_is_described() {
    assert_eq!(all_routes().undescribed(), Vec::<String>::new());
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value, seen: &mut usize) {
        if let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
            *seen += 1;
        }
        match value {
            Value::Array(values) => values.iter().for_each(|value| walk(value, document, seen)),
            Value::Object(members) => members.values().for_each(|value| walk(value, document, seen)),
            _ => {}
        }
    }
    let (document, mut seen) = (document(), 0);
    walk(&document, &document, &mut seen);
    assert!(seen > 50);
}

#[test]
fn the_ids_of_the_examples_follow_from_their_keys() {
    let of = |key: &'static str| {
        let headers = HeaderMap::from_iter([(warp::http::HeaderName::from_static("idempotency-key"), HeaderValue::from_static(key))]);
        CommandRequest::read(&headers, &ActorRule::new("X-Actor", "X-Actor-Role", false)).unwrap()
    };
    for (key, order) in [("order-1", ORDER), ("order-2", REJECTED_ORDER), ("order-3", CANCELLED_ORDER)] {
        assert_eq!(of(key).new_order_id().as_deref(), Some(order));
    }
    assert_eq!(of("order-1").command_id(ORDER).as_deref(), Some(COMMAND));
}

#[test]
fn a_command_is_read_exactly_as_its_shape_says() {
    let document = document();
    let create = "/paths/~1api~1orders";
    let step = |name: &str| format!("/paths/~1api~1orders~1{{id}}~1{name}");
    let all = [
        ("CREATE_ORDER", create.to_owned(), "CreateOrder", "tea"),
        ("APPROVE_ORDER", step("approve"), "ApproveOrder", "approved"),
        ("REJECT_ORDER", step("reject"), "RejectOrder", "sold-out"),
        ("SHIP_ORDER", step("ship"), "ShipOrder", "sent"),
        ("DELIVER_ORDER", step("deliver"), "DeliverOrder", "arrived"),
        ("CANCEL_ORDER", step("cancel"), "CancelOrder", "mistake"),
        ("CHANGE_SHIPPING_ADDRESS", step("address"), "ChangeAddress", "moved"),
        ("RECORD_PAYMENT", step("payments"), "PaymentArrived", "paid"),
        ("FAIL_PAYMENT", step("payments"), "PaymentFailed", "declined"),
        ("REFUND_PAYMENT", step("payments~1{pid}~1refunds"), "Refund", "late"),
    ];
    for (type_name, path, shape, example) in all {
        let pointer = format!("{path}/post/requestBody/content/application~1json/examples/{example}/value");
        let body = document.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}")).clone();
        let check = Check { document: &document, type_name, body };
        check.expect(true, check.body.clone());
        check.walk(&document["components"]["schemas"][shape], "");
    }
}

/// Changes one thing of a good body at a time.
struct Check<'a> {
    document: &'a Value,
    type_name: &'static str,
    body: Value,
}

impl Check<'_> {
    fn expect(&self, accepted: bool, mut body: Value) {
        // It stands in the path.
        if self.type_name == "REFUND_PAYMENT" && body.is_object() {
            body["paymentId"] = "pay-1".into();
        }
        let read = OrderCommand::from_json(self.type_name, &to_raw_value(&body).unwrap());
        assert_eq!(read.is_ok(), accepted, "{} {body} {read:?}", self.type_name);
    }

    fn expect_at(&self, accepted: bool, pointer: &str, value: Value) {
        let mut body = self.body.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        self.expect(accepted, body);
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let schema = schema["anyOf"].get(0).unwrap_or(schema);
        let reference = schema["$ref"].as_str();
        reference.map_or(schema, |reference| self.document.pointer(&reference[1..]).unwrap())
    }

    fn walk(&self, schema: &Value, pointer: &str) {
        let schema = self.resolved(schema);
        let is = |kind: &str| schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!(kind)));
        self.expect_at(false, pointer, json!([[]]));
        if is("object") {
            return self.members(schema, pointer);
        }
        let (good, bad): (Vec<Value>, Vec<Value>) = if is("array") {
            self.walk(&schema["items"], &format!("{pointer}/0"));
            let entry = &self.body.pointer(pointer).unwrap()[0];
            let entries = |count: usize| Value::from(vec![entry.clone(); count]);
            let most = schema["maxItems"].as_u64().unwrap() as usize;
            (vec![entries(most)], vec![entries(0), entries(most + 1)])
        } else if is("integer") {
            let [least, most] = ["minimum", "maximum"].map(|bound| schema[bound].as_i64().unwrap());
            (vec![json!(least), json!(most)], vec![json!(least - 1), json!(most + 1), json!("1")])
        } else if is("number") {
            (vec![json!(0.01), json!("1e3"), json!("12.50")], vec![json!(0), json!("0.00"), json!("-1"), json!("x")])
        } else if is("boolean") {
            (vec![json!(true), json!(false)], vec![json!("true")])
        } else if let Some(values) = schema["enum"].as_array() {
            (values.clone(), vec![json!("AAA")])
        } else if schema["format"] == "date-time" {
            (vec![json!("2026-03-01T09:30:00.250+09:00")], vec![json!("2026-03-01"), json!(1)])
        } else {
            let most = schema["maxLength"].as_u64().unwrap() as usize;
            (vec![json!("é".repeat(most))], vec![json!(""), json!("é".repeat(most + 1)), json!(1)])
        };
        good.into_iter().for_each(|value| self.expect_at(true, pointer, value));
        bad.into_iter().for_each(|value| self.expect_at(false, pointer, value));
    }

    fn members(&self, schema: &Value, pointer: &str) {
        let object = self.body.pointer(pointer).unwrap();
        let with = |name: &str, value: Value| {
            let mut object = object.clone();
            object[name] = value;
            object
        };
        self.expect_at(false, pointer, with("other", json!(1)));
        for (name, member) in schema["properties"].as_object().unwrap() {
            let required = schema["required"].as_array().unwrap().contains(&json!(name));
            let mut without = object.clone();
            without.as_object_mut().unwrap().remove(name);
            self.expect_at(!required, pointer, without);
            self.expect_at(!required, pointer, with(name, Value::Null));
            let value = object.get(name).cloned().unwrap_or_else(|| match self.resolved(member) {
                member if member["format"] == "date-time" => json!("2026-03-01T09:30:00Z"),
                _ => json!("KRW"),
            });
            let mut full = Check { document: self.document, type_name: self.type_name, body: self.body.clone() };
            *full.body.pointer_mut(pointer).unwrap() = with(name, value);
            full.expect(true, full.body.clone());
            full.walk(member, &format!("{pointer}/{name}"));
        }
    }
}
