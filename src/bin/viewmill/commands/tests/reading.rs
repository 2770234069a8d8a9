//! Reading commands: all faults at once, each at its place, and nothing passed over.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn faults_of(kind: &str, data: &str) -> Vec<String> {
    faults(&command(kind, data).unwrap_err())
}

#[test]
fn all_faults_are_told_at_once_with_their_places() {
    let data = r#"{"userId":"","totalAmount":10,"currency":"XXX","userId":"u1","shippingAddress":{"recipient":7,"street":null,"city":"C","postalCode":"1","express":"yes","a/b~":0},
        "items":[{"productId":"p1","name":"n","price":0,"quantity":0},
                 {"productId":"p2","name":"n","price":"12,50","quantity":1.5},
                 {"productId":"p3","name":"n","price":1e40,"quantity":"2"},
                 7,
                 {"productId":"\ud800","name":"n","price":-1,"quantity":4294967296,"price":true,"discount":1},
                 {"price":[]}]}"#;
    let mut told = faults_of("CREATE_ORDER", data);
    told.sort();
    assert_eq!(
        told,
        [
            "/currency invalid",
            "/items/0/price out-of-range",
            "/items/0/quantity out-of-range",
            "/items/1/price invalid",
            "/items/1/quantity out-of-range",
            "/items/2/price out-of-range",
            "/items/2/quantity wrong-type",
            "/items/3 wrong-type",
            "/items/4/discount unknown",
            "/items/4/price duplicate",
            "/items/4/price out-of-range",
            "/items/4/productId invalid",
            "/items/4/quantity out-of-range",
            "/items/5/name required",
            "/items/5/price wrong-type",
            "/items/5/productId required",
            "/items/5/quantity required",
            "/shippingAddress/a~1b~0 unknown",
            "/shippingAddress/country required",
            "/shippingAddress/express wrong-type",
            "/shippingAddress/recipient wrong-type",
            "/shippingAddress/street required",
            "/totalAmount unknown",
            "/userId duplicate",
            "/userId empty",
        ]
    );
}

#[test]
fn each_command_needs_its_members() {
    for (kind, missing) in [
        ("CREATE_ORDER", &["/userId", "/items", "/shippingAddress"][..]),
        ("APPROVE_ORDER", &[]),
        ("REJECT_ORDER", &["/reason"]),
        ("SHIP_ORDER", &["/carrier", "/trackingNumber"]),
        ("DELIVER_ORDER", &[]),
        ("CANCEL_ORDER", &["/reason"]),
        ("CHANGE_SHIPPING_ADDRESS", &["/shippingAddress"]),
        ("RECORD_PAYMENT", &["/paymentId", "/method", "/amount"]),
        ("FAIL_PAYMENT", &["/paymentId", "/code"]),
        ("REFUND_PAYMENT", &["/paymentId", "/amount", "/reason"]),
    ] {
        let expected: Vec<String> = missing.iter().map(|pointer| format!("{pointer} required")).collect();
        match command(kind, "{}") {
            Ok(command) => assert_eq!((command.type_name(), expected), (kind, vec![])),
            Err(rejection) => assert_eq!(faults(&rejection), expected, "{kind}"),
        }
        assert!(faults_of(kind, r#"{"orderId":"o1","note2":0}"#).ends_with(&["/note2 unknown".to_owned(), "/orderId unknown".to_owned()]));
        for data in ["null", "[]", "7", r#""text""#] {
            assert_eq!(faults_of(kind, data), [" wrong-type"]);
        }
    }
    assert_eq!(faults_of("EAT_ORDER", "{}"), [" unknown"]);
}

#[test]
fn bounds_hold_to_the_letter() {
    let lines = |count: usize| vec![r#"{"productId":"p","name":"n","price":1,"quantity":1}"#; count].join(",");
    let order = |items: &str| {
        let address = r#"{"recipient":"R","street":"S","city":"C","postalCode":"1","country":"DE"}"#;
        format!(r#"{{"userId":"u1","items":[{items}],"shippingAddress":{address}}}"#)
    };
    assert!(command("CREATE_ORDER", &order(&lines(200))).is_ok());
    assert_eq!(faults_of("CREATE_ORDER", &order(&lines(201))), ["/items too-many"]);
    assert_eq!(faults_of("CREATE_ORDER", &order("")), ["/items empty"]);
    let dear = r#"{"productId":"p","name":"n","price":79228162514264337593543950335,"quantity":2}"#;
    assert_eq!(faults_of("CREATE_ORDER", &order(dear)), ["/items out-of-range"]);
    let reason = |count| format!(r#"{{"reason":"{}"}}"#, "한".repeat(count));
    assert!(command("CANCEL_ORDER", &reason(2_000)).is_ok());
    assert_eq!(faults_of("CANCEL_ORDER", &reason(2_001)), ["/reason too-long"]);
    for at in ["2026-03-01", "2026-02-30T00:00:00Z", "now", ""] {
        assert_eq!(faults_of("DELIVER_ORDER", &format!(r#"{{"deliveredAt":"{at}"}}"#)), ["/deliveredAt invalid"]);
    }
}

#[test]
fn a_flood_of_faults_is_counted_and_stays_small() {
    let many: Vec<String> = (0..5_000).map(|i| format!(r#""{i}{}":0"#, "x".repeat(300))).collect();
    let rejection = command("APPROVE_ORDER", &format!("{{{}}}", many.join(","))).unwrap_err();
    assert_eq!((faults(&rejection).len(), told(&rejection, "moreErrors")), (1_000, "4000".to_owned()));
    assert!(told(&rejection, "errors").len() < 300_000);
    assert!(rejection.detail.contains("5000 places"), "{}", rejection.detail);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9-]{1,30}", ".{1,40}", Just("\"\\\u{0}\n한글🙂".to_owned())]
}

fn amount() -> impl Strategy<Value = String> {
    (1..9_000_000_000_i64, 0..9_usize).prop_map(|(digits, scale)| match scale {
        0 => digits.to_string(),
        scale => format!("{}.{:0scale$}", digits, digits % 10_i64.pow(scale as u32)),
    })
}

fn time() -> impl Strategy<Value = Option<String>> {
    prop::option::of((0..4_000_000_000_000_i64).prop_map(crate::events::format_time))
}

fn address() -> impl Strategy<Value = Value> {
    (text(), text(), text(), text(), text(), prop::option::of(any::<bool>())).prop_map(|(recipient, street, city, postal, country, express)| {
        json!({"recipient": recipient, "street": street, "city": city, "postalCode": postal, "country": country, "express": express})
    })
}

/// Any valid command: its type, and its data.
fn valid() -> impl Strategy<Value = (&'static str, Value)> {
    let item = (text(), text(), amount(), 1..u32::MAX)
        .prop_map(|(id, name, price, quantity)| json!({"productId": id, "name": name, "price": price, "quantity": quantity}));
    let currency = prop::option::of(prop::sample::select(vec!["KRW", "USD", "EUR"]));
    prop_oneof![
        4 => (text(), prop::collection::vec(item, 1..5), address(), currency).prop_map(|(user, items, address, currency)|
            ("CREATE_ORDER", json!({"userId": user, "items": items, "shippingAddress": address, "currency": currency}))),
        1 => prop::option::of(text()).prop_map(|note| ("APPROVE_ORDER", json!({"note": note}))),
        1 => text().prop_map(|reason| ("REJECT_ORDER", json!({"reason": reason}))),
        1 => (text(), text(), time()).prop_map(|(carrier, number, at)|
            ("SHIP_ORDER", json!({"carrier": carrier, "trackingNumber": number, "shippedAt": at}))),
        1 => time().prop_map(|at| ("DELIVER_ORDER", json!({"deliveredAt": at}))),
        1 => text().prop_map(|reason| ("CANCEL_ORDER", json!({"reason": reason}))),
        1 => address().prop_map(|address| ("CHANGE_SHIPPING_ADDRESS", json!({"shippingAddress": address}))),
        1 => (text(), text(), amount()).prop_map(|(id, method, amount)|
            ("RECORD_PAYMENT", json!({"paymentId": id, "method": method, "amount": amount}))),
        1 => (text(), text()).prop_map(|(id, code)| ("FAIL_PAYMENT", json!({"paymentId": id, "code": code}))),
        1 => (text(), prop::option::of(text()), amount(), text()).prop_map(|(id, refund, amount, reason)|
            ("REFUND_PAYMENT", json!({"paymentId": id, "refundId": refund, "amount": amount, "reason": reason}))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_command_survives_its_json((kind, data) in valid()) {
        let read = command(kind, &data.to_string()).unwrap();
        let json = read.to_json();
        let again = OrderCommand::from_json(read.type_name(), &json).unwrap();
        let rewritten = again.to_json();
        prop_assert_eq!(rewritten.get(), json.get(), "amounts keep their digits");
        prop_assert_eq!(again, read);
    }

    #[test]
    fn junk_in_the_place_of_any_member_is_a_fault_there((kind, data) in valid(), pick: prop::sample::Index, junk in prop::sample::select(vec![json!({}), json!([[]]), json!("")])) {
        let names: Vec<String> = data.as_object().unwrap().keys().cloned().collect();
        let name = pick.get(&names);
        let mut data = data;
        data[name] = junk;
        let faults = faults_of(kind, &data.to_string());
        prop_assert!(!faults.is_empty() && faults.iter().all(|fault| fault.starts_with(&format!("/{name}"))), "{:?}", faults);
    }
}
