//! The life of orders, told and read back.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Shop, eventually, log, order_of, parsed};
use crate::support::{Instance, Run};

#[test]
fn an_order_lives_its_whole_life_over_http() {
    let run = Run::new("command-life");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let (created, tag, token) = shop.done(201, "/api/orders", &[("X-Actor", "kim")], &order_of("kim"));
    let id = created["orderId"].as_str().unwrap().to_owned();
    assert_eq!((&created["success"], &created["version"], &*tag), (&json!(true), &json!(1), "\"1-0-0\""));
    assert!(created["commandId"].is_string() && created["message"].is_string() && created.get("etag").is_none(), "{created}");
    let order = shop.read(&format!("/api/orders/{id}"), &token);
    assert_eq!((&order["status"], &order["totalAmount"], &order["userId"]), (&json!("CREATED"), &json!(25.0), &json!("kim")));

    let address =
        json!({"shippingAddress": {"recipient": "Q", "street": "T", "city": "D", "postalCode": "2", "country": "AT", "express": true}});
    let steps = [
        ("payments", json!({"paymentId": "pay-0", "code": "declined"}), "CREATED", "\"1-1-0\""),
        ("payments", json!({"paymentId": "pay-1", "method": "CARD", "amount": 25}), "CREATED", "\"1-2-0\""),
        ("approve", Value::Null, "APPROVED", "\"2-2-0\""),
        ("address", address, "APPROVED", "\"3-2-0\""),
        ("ship", json!({"carrier": "DHL", "trackingNumber": "t-1"}), "SHIPPED", "\"4-2-0\""),
        ("deliver", json!({}), "DELIVERED", "\"5-2-0\""),
        ("payments/pay-1/refunds", json!({"refundId": "r-1", "amount": "5.50", "reason": "late"}), "DELIVERED", "\"5-3-0\""),
    ];
    let mut seen = tag;
    for (step, body, status, expected) in steps {
        let path = format!("/api/orders/{id}/{step}");
        let (answer, tag, token) = shop.done(200, &path, &[("X-Actor", "kim"), ("If-Match", &seen)], &body);
        assert_eq!((&answer["success"], &answer["orderId"], &answer["status"]), (&json!(true), &json!(id), &json!(status)), "{step}");
        assert_eq!((&*tag, answer["version"].as_u64()), (expected, tag[1..2].parse().ok()), "{step}");
        let order = shop.read(&format!("/api/orders/{id}"), &token);
        assert_eq!(order["status"], status, "{step}");
        seen = tag;
    }
    let order = parsed(&shop.0.get(&format!("/api/orders/{id}")).unwrap());
    let expected = [("paymentStatus", json!("PARTIALLY_REFUNDED")), ("refundedAmount", json!(5.5)), ("trackingNumber", json!("t-1"))];
    expected.iter().for_each(|(name, value)| assert_eq!(order[name], *value, "{order}"));
    let types: Vec<String> =
        log(&run).into_iter().map(|[topic, key, kind, version, _]| format!("{topic} {} {kind} {version}", key == id)).collect();
    assert_eq!(
        types,
        [
            "order-events true ORDER_CREATED 1",
            "order-events true ORDER_APPROVED 2",
            "order-events true ORDER_ADDRESS_CHANGED 3",
            "order-events true ORDER_SHIPPED 4",
            "order-events true ORDER_DELIVERED 5",
            "payment-events true PAYMENT_FAILED 1",
            "payment-events true PAYMENT_COMPLETED 2",
            "payment-events true PAYMENT_REFUNDED 3",
        ]
    );
}

#[test]
fn who_does_not_wait_asks_later() {
    let run = Run::new("command-async");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let response = shop.post("/api/orders", &[("Prefer", "respond-async")], &order_of("kim"));
    assert_eq!((response.status, response.header("preference-applied")), (202, Some("respond-async")), "{}", response.body);
    let (location, told) = (response.header("location").unwrap().to_owned(), parsed(&response));
    assert_eq!((&*location, &told["state"]), (&*format!("/api/commands/{}", told["commandId"].as_str().unwrap()), &json!("pending")));
    let (known, token) = eventually("the command succeeds", || {
        let response = shop.0.get(&location).unwrap();
        assert!(matches!(response.status, 200 | 404), "{}", response.body);
        let known = (response.status == 200).then(|| parsed(&response)).filter(|known| known["state"] == "succeeded")?;
        Some((known, response.header("consistency-token").unwrap().to_owned()))
    });
    assert_eq!((&known["orderId"], &known["data"]["status"]), (&told["orderId"], &json!("CREATED")));
    assert_eq!(shop.read(&format!("/api/orders/{}", told["orderId"].as_str().unwrap()), &token)["status"], "CREATED");

    let missing = shop.post("/api/orders/none/cancel", &[("Prefer", "respond-async")], &json!({"reason": "r"}));
    let location = missing.header("location").unwrap().to_owned();
    let rejected = eventually("the command is rejected", || {
        let response = shop.0.get(&location).unwrap();
        (response.status == 200).then(|| parsed(&response)).filter(|known| known["state"] == "rejected")
    });
    assert_eq!((&rejected["code"], &rejected["orderId"]), (&json!("order-not-found"), &json!("none")));
    let unknown = shop.0.get("/api/commands/none").unwrap();
    assert_eq!((unknown.status, &parsed(&unknown)["code"]), (404, &json!("command-not-found")));
}

const ORDERS: usize = 200;

#[test]
fn who_has_written_reads_it_in_every_view() {
    let run = Run::new("command-reads");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let began = Instant::now();
    let mut approved = 0;
    for number in 1..=ORDERS {
        let (created, _, token) = shop.done(201, "/api/orders", &[], &order_of("kim"));
        let id = created["orderId"].as_str().unwrap().to_owned();
        let mut check = |status: &str, token: &str, approved: usize| {
            assert_eq!(shop.read(&format!("/api/orders/{id}"), token)["status"], status);
            let list = shop.read(&format!("/api/orders?status={status}&limit=3"), token);
            assert!(list["orders"].as_array().unwrap().iter().any(|order| order["orderId"] == id), "{id} is not among the newest: {list}");
            let dashboard = shop.read("/api/dashboard", token);
            assert_eq!((&dashboard["total"], &dashboard["byStatus"]["APPROVED"]), (&json!(number), &json!(approved)));
        };
        check("CREATED", &token, approved);
        if number % 2 == 0 {
            let (_, _, token) = shop.done(200, &format!("/api/orders/{id}/approve"), &[], &Value::Null);
            approved += 1;
            let mut check = |path: &str| shop.read(path, &token);
            assert_eq!(check(&format!("/api/orders/{id}"))["status"], "APPROVED");
            assert_eq!(check("/api/dashboard")["byStatus"]["APPROVED"], json!(approved));
            assert_eq!(check("/api/orders?status=APPROVED&limit=1")["total"], json!(approved));
        }
    }
    println!("0 stale of {} reads in {:?}", ORDERS * 3 + ORDERS / 2 * 3, began.elapsed());
}
