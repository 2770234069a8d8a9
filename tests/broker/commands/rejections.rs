//! What is refused, and how that is told.

use std::time::Duration;

use serde_json::{Value, json};
use viewmill::clock::{Clock as _, SystemClock};
use viewmill::kafka::{KafkaProducer, KafkaSettings};
use viewmill::ports::TransactionalProducer as _;
use viewmill::record::{OutputRecord, Timestamp};

use super::{Shop, eventually, lines, log, order_of, parsed};
use crate::support::{Instance, PATIENCE, Run};

#[test]
fn each_rejection_has_its_status_and_code() {
    let run = Run::new("command-rejections");
    let mut instance = Instance::start(&run, "a", &[("VIEWMILL__HTTP__MAX_BODY_BYTES", "20000")]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let kim = ("X-Actor", "kim");
    let (created, ..) = shop.done(201, "/api/orders", &[kim], &order_of("kim"));
    let order = format!("/api/orders/{}", created["orderId"].as_str().unwrap());
    let (approve, cancel) = (format!("{order}/approve"), format!("{order}/cancel"));
    let reason = json!({"reason": "r"});

    // All faults at once, and nothing is written.
    let mut faulty = order_of("kim");
    faulty["items"] = json!([{"productId": "p", "name": "P", "price": -1, "quantity": 0}]);
    faulty["totalAmount"] = json!(1);
    let problem = shop.refused(400, "validation-failed", "/api/orders", &[], &faulty);
    let pointers: Vec<&Value> = problem["errors"].as_array().unwrap().iter().map(|fault| &fault["pointer"]).collect();
    assert_eq!(pointers, ["/items/0/price", "/items/0/quantity", "/totalAmount"]);
    // What only the order knows.
    let too_much = json!({"paymentId": "p", "method": "CARD", "amount": 1});
    let problem = shop.refused(400, "validation-failed", &format!("{order}/payments"), &[], &too_much);
    assert_eq!((&problem["errors"][0]["pointer"], &problem["due"]), (&json!("/amount"), &json!(25.0)));
    for odd in [("If-Match", "7"), ("Idempotency-Key", ""), ("Request-Timeout", "0"), ("X-Actor", "a b")] {
        let problem = shop.refused(400, "validation-failed", &approve, &[odd], &Value::Null);
        assert_eq!(problem["errors"][0]["pointer"], odd.0);
    }
    let response = shop.0.post(&format!("{approve}?now=1"), "", "").unwrap();
    assert_eq!((response.status, &parsed(&response)["errors"][0]["pointer"]), (400, &json!("?now")));
    let response = shop.0.post(&cancel, "Content-Type: application/json\r\n", "{").unwrap();
    assert_eq!((response.status, &parsed(&response)["code"]), (400, &json!("validation-failed")));
    let response = shop.0.post(&cancel, "Content-Type: text/plain\r\n", "{}").unwrap();
    assert_eq!((response.status, &parsed(&response)["code"]), (415, &json!("unsupported-media-type")));
    shop.refused(413, "body-too-large", &cancel, &[], &json!({"reason": "r".repeat(20_000)}));

    shop.refused(403, "forbidden", "/api/orders", &[kim], &order_of("lee"));
    shop.refused(404, "order-not-found", "/api/orders/none/cancel", &[], &reason);
    shop.refused(404, "order-not-found", &cancel, &[("X-Actor", "lee")], &reason);
    let problem = shop.refused(412, "version-mismatch", &cancel, &[kim, ("If-Match", "\"7-0-0\"")], &reason);
    assert_eq!(problem["currentVersion"], 1);
    let operator = [("X-Actor", "lee"), ("X-Actor-Role", "operator"), ("If-Match", "\"1\"")];
    shop.done(200, &cancel, &operator, &reason);
    let problem = shop.refused(409, "invalid-transition", &approve, &[], &Value::Null);
    assert_eq!((&problem["currentStatus"], &problem["allowed"]), (&json!("CANCELLED"), &json!(["payments"])));
    // No rejection is an event.
    assert_eq!(log(&run).len(), 2);
}

#[test]
fn a_command_that_comes_too_late_is_not_carried_out() {
    let run = Run::new("command-late");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let (created, ..) = shop.done(201, "/api/orders", &[], &order_of("kim"));
    let id = created["orderId"].as_str().unwrap();
    // A record from half an hour ahead: for this partition it is that late now.
    let ahead = Some(Timestamp(SystemClock::default().now().as_millis() + 1_800_000));
    let event = json!({"type": "ORDER_APPROVED", "aggregateId": id, "version": 2, "data": {}});
    let mut producer = KafkaProducer::without_transactions(&KafkaSettings::new(&run.bootstrap, &run.id, "other"));
    producer.replace(Duration::from_secs(10)).unwrap();
    let (topic, value) = (format!("{}order-events", run.topic_prefix), event.to_string());
    let (key, value) = (Some(id.as_bytes()), Some(value.as_bytes()));
    producer.begin().unwrap();
    producer.send(&OutputRecord { topic: &topic, partition: None, key, value, timestamp: ahead, headers: Default::default() }).unwrap();
    producer.flush(PATIENCE).unwrap();
    producer.commit(PATIENCE).unwrap();
    eventually("the event is seen", || {
        let order = parsed(&shop.0.get(&format!("/api/orders/{id}")).unwrap());
        (order["status"] == "APPROVED").then_some(())
    });
    let cancel = format!("/api/orders/{id}/cancel");
    shop.refused(504, "deadline-exceeded", &cancel, &[("Request-Timeout", "60")], &json!({"reason": "r"}));
    assert_eq!(log(&run).len(), 2);
}

#[test]
fn nothing_is_accepted_before_kafka_is_reached_nor_from_nobody() {
    let run = Run::new("command-nobody");
    // Nobody listens there.
    let away = ("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1");
    let settings = [away, ("VIEWMILL__HTTP__ACTOR_REQUIRED", "true"), ("VIEWMILL__HTTP__ACTOR_HEADER", "X-User")];
    let mut instance = Instance::start(&run, "a", &settings);
    eventually("it listens", || instance.try_get("/livez").ok());
    let mut shop = Shop::of(&instance);
    shop.refused(401, "actor-required", "/api/orders", &[("X-Actor", "kim")], &order_of("kim"));
    shop.refused(503, "not-ready", "/api/orders", &[("X-User", "kim")], &order_of("kim"));
    shop.refused(400, "validation-failed", "/api/orders", &[("X-User", "kim")], &json!({}));
}

#[test]
fn where_actors_are_required_an_order_is_seen_by_its_owner_and_by_operators() {
    let run = Run::new("command-owners");
    let mut instance = Instance::start(&run, "a", &[("VIEWMILL__HTTP__ACTOR_REQUIRED", "true")]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let (created, _, token) = shop.done(201, "/api/orders", &[("X-Actor", "kim")], &order_of("kim"));
    let path = format!("/api/orders/{}", created["orderId"].as_str().unwrap());
    let mut seen = |headers: &[(&str, &str)]| {
        let response = shop.0.get_with(&path, &(lines(headers, false) + &format!("Consistency-Token: {token}\r\n"))).unwrap();
        (response.status, parsed(&response)["code"].as_str().map(str::to_owned))
    };
    assert_eq!(seen(&[("X-Actor", "kim")]), (200, None));
    assert_eq!(seen(&[("X-Actor", "lee"), ("X-Actor-Role", "operator")]), (200, None));
    assert_eq!(seen(&[("X-Actor", "lee")]), (404, Some("order-not-found".to_owned())));
    assert_eq!(seen(&[]), (401, Some("actor-required".to_owned())));
}
