//! The state machine, every cell of it: what each command does to an order in each status, and how many events that leaves.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Shop, log, order_of};
use crate::support::{Instance, Run};

/// Of an order of 25.00: the end of the route, and the body.
fn told(step: &str) -> (&'static str, Value) {
    let reason = json!({"reason": "r"});
    let ship = |number| json!({"carrier": "DHL", "trackingNumber": number});
    let pay = |id, amount| json!({"paymentId": id, "method": "CARD", "amount": amount});
    let fail = |id| json!({"paymentId": id, "code": "declined"});
    let refund = |id, amount| json!({"refundId": id, "amount": amount, "reason": "late"});
    let address = json!({"recipient": "Q", "street": "T", "city": "D", "postalCode": "2", "country": "AT", "express": true});
    match step {
        "approve" => ("approve", Value::Null),
        "reject" => ("reject", reason),
        "cancel" => ("cancel", reason),
        "ship" => ("ship", ship("t-1")),
        "ship as another" => ("ship", ship("t-2")),
        "deliver" => ("deliver", json!({})),
        "address" => ("address", json!({ "shippingAddress": address })),
        "pay" => ("payments", pay("pay-1", 25)),
        "pay again" => ("payments", pay("pay-2", 25)),
        "pay too little" => ("payments", pay("pay-3", 24)),
        "fail" => ("payments", fail("pay-4")),
        "fail again" => ("payments", fail("pay-5")),
        "refund" => ("payments/pay-1/refunds", refund("r-1", 5)),
        "refund more" => ("payments/pay-1/refunds", refund("r-2", 5)),
        "refund all" => ("payments/pay-1/refunds", refund("r-3", 25)),
        "refund too much" => ("payments/pay-1/refunds", refund("r-4", 26)),
        "refund what was not paid" => ("payments/pay-6/refunds", refund("r-5", 5)),
        other => unreachable!("{other}"),
    }
}

/// A status with the steps that lead to it, and for each command of a table: the status after it, `=` where nothing changes, or how it is
/// refused.
type Row<'a, const COMMANDS: usize> = (&'a str, &'a [&'a str], [&'a str; COMMANDS]);

/// Tries a table; `member` says of what its statuses are. Answers how many events each order must have.
fn hold_to<const COMMANDS: usize>(
    shop: &mut Shop,
    member: &str,
    commands: [&str; COMMANDS],
    table: &[Row<'_, COMMANDS>],
) -> BTreeMap<String, usize> {
    let mut events = BTreeMap::new();
    for (status, given, expected) in table {
        for (command, expected) in commands.into_iter().zip(expected) {
            let what = format!("{status}, {command}");
            let (id, before) = match *status {
                "-" => ("none".to_owned(), String::new()),
                _ => {
                    let (created, mut tag, _) = shop.done(201, "/api/orders", &[], &order_of("kim"));
                    let id = created["orderId"].as_str().unwrap().to_owned();
                    for step in *given {
                        let (route, body) = told(step);
                        tag = shop.done(200, &format!("/api/orders/{id}/{route}"), &[], &body).1;
                    }
                    events.insert(id.clone(), 1 + given.len());
                    (id, tag)
                }
            };
            let (route, body) = told(command);
            let path = format!("/api/orders/{id}/{route}");
            match *expected {
                "400" => _ = shop.refused(400, "validation-failed", &path, &[], &body),
                "404" => _ = shop.refused(404, "order-not-found", &path, &[], &body),
                "409" => {
                    let problem = shop.refused(409, "invalid-transition", &path, &[], &body);
                    let named = if member == "status" { "currentStatus" } else { member };
                    assert_eq!(problem[named], *status, "{what}");
                    let possible = problem["allowed"].as_array().unwrap();
                    assert!(!possible.iter().any(|step| route.ends_with(step.as_str().unwrap())), "{what}: {problem}");
                }
                "=" => {
                    let (answer, tag, _) = shop.done(200, &path, &[], &body);
                    assert_eq!((&answer[member], &tag), (&json!(status), &before), "{what}");
                }
                after => {
                    let (answer, tag, _) = shop.done(200, &path, &[], &body);
                    assert_eq!(answer[member], *after, "{what}");
                    assert_ne!(tag, before, "{what}");
                    *events.get_mut(&id).unwrap() += 1;
                }
            }
        }
    }
    events
}

#[test]
fn every_cell_of_the_state_machine_is_answered_as_the_table_says() {
    let run = Run::new("command-machine");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let (no, none) = ("409", "404");
    let mut events = hold_to(
        &mut shop,
        "status",
        ["approve", "reject", "cancel", "ship", "ship as another", "deliver", "address"],
        &[
            ("-", &[], [none; 7]),
            ("CREATED", &[], ["APPROVED", "REJECTED", "CANCELLED", no, no, no, "CREATED"]),
            ("APPROVED", &["approve"], ["=", no, "CANCELLED", "SHIPPED", "SHIPPED", no, "APPROVED"]),
            ("SHIPPED", &["approve", "ship"], [no, no, no, "=", no, "DELIVERED", no]),
            ("DELIVERED", &["approve", "ship", "deliver"], [no, no, no, no, no, "=", no]),
            ("CANCELLED", &["cancel"], [no, no, "=", no, no, no, no]),
            ("REJECTED", &["reject"], [no; 7]),
        ],
    );
    let (bad, part, all) = ("400", "PARTIALLY_REFUNDED", "REFUNDED");
    let commands = [
        "pay",
        "pay again",
        "pay too little",
        "fail",
        "fail again",
        "refund",
        "refund more",
        "refund all",
        "refund too much",
        "refund what was not paid",
    ];
    events.extend(hold_to(
        &mut shop,
        "paymentStatus",
        commands,
        &[
            ("-", &[], [none; 10]),
            ("PENDING", &[], ["PAID", "PAID", bad, "FAILED", "FAILED", no, no, no, no, no]),
            ("FAILED", &["fail"], ["PAID", "PAID", bad, "=", "FAILED", no, no, no, no, no]),
            ("PAID", &["pay"], ["=", no, no, no, no, part, part, all, bad, bad]),
            (part, &["pay", "refund"], ["=", no, no, no, no, "=", part, bad, bad, bad]),
            (all, &["pay", "refund all"], ["=", no, no, no, no, no, no, "=", no, no]),
        ],
    ));
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut versions: BTreeMap<(String, String), usize> = BTreeMap::new();
    for [topic, key, kind, version, _] in log(&run) {
        *found.entry(key.clone()).or_default() += 1;
        let last = versions.entry((topic, key)).or_default();
        *last += 1;
        assert_eq!(version, last.to_string(), "{kind}");
    }
    assert_eq!(found, events, "what is refused, or is so already, leaves no event");
    println!("{} cells with an order, {} events", events.len(), events.values().sum::<usize>());
}
