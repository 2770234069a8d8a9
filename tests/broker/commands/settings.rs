//! What `[orders]` of the configuration changes.

use serde_json::{Value, json};

use super::{Shop, order_of, parsed};
use crate::support::{Instance, Run};

#[test]
fn orders_are_decided_as_it_is_configured() {
    let run = Run::new("command-settings");
    let settings = [("VIEWMILL__ORDERS__APPROVE_ONLY_WHEN_PAID", "true"), ("VIEWMILL__ORDERS__DEFAULT_CURRENCY", "JPY")];
    let mut instance = Instance::start(&run, "a", &settings);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let mut order = order_of("kim");
    order.as_object_mut().unwrap().remove("currency");
    let (created, _, token) = shop.done(201, "/api/orders", &[], &order);
    let at = format!("/api/orders/{}", created["orderId"].as_str().unwrap());
    assert_eq!(shop.read(&at, &token)["currency"], "JPY");
    let approve = format!("{at}/approve");
    let refused = shop.refused(409, "invalid-transition", &approve, &[], &Value::Null);
    assert_eq!(refused["allowed"], json!(["reject", "cancel", "address", "payments"]));
    shop.done(200, &format!("{at}/payments"), &[], &json!({"paymentId": "pay-1", "method": "CARD", "amount": 25}));
    assert_eq!(shop.done(200, &approve, &[], &Value::Null).0["status"], "APPROVED");
    let described = parsed(&shop.0.get("/openapi.json").unwrap());
    let currency = &described["components"]["schemas"]["CreateOrder"]["properties"]["currency"]["description"];
    assert_eq!(currency, "Of all prices; JPY where none is given.");
}
