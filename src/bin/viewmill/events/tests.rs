//! What is promised about reading events: exact, in any order of fields, and never a panic.

use proptest::prelude::*;

use super::*;
use crate::money::Currency;

const CREATED: &str = r#"{"eventId":"e1","type":"ORDER_CREATED","schemaVersion":2,"aggregateType":"Order","aggregateId":"o1","version":1,
    "timestamp":"2026-03-01T09:30:00.250+09:00","correlationId":"c1","causationId":null,"commandId":"","actor":{"id":"u1"},"extra":[[{}]],
    "data":{"orderId":"o1","userId":"u1","items":[{"productId":"p1","name":"기계식 \"K\"","price":129.50,"quantity":2},
    {"productId":"p2","price":"0.10","quantity":1}],"totalAmount":259.1,"currency":"USD",
    "shippingAddress":{"recipient":"김민준","city":"서울","express":true},"estimatedDelivery":"2026-03-03"}}"#;

fn read(json: &str) -> Event {
    Event::from_json(json.as_bytes()).unwrap()
}

fn fault(json: &str) -> String {
    Event::from_json(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn every_field_is_read() {
    let event = read(CREATED);
    let envelope = &event.envelope;
    assert_eq!((event.type_name(), event.axis(), event.aggregate_id()), ("ORDER_CREATED", Axis::Order, "o1"));
    assert_eq!((envelope.event_id(), envelope.aggregate_type(), envelope.correlation_id()), (Some("e1"), Some("Order"), Some("c1")));
    assert_eq!((envelope.causation_id(), envelope.command_id(), envelope.actor()), (None, Some(""), Some(r#"{"id":"u1"}"#)));
    assert_eq!((envelope.version(), envelope.schema_version(), envelope.time_ms()), (Some(1), Some(2), Some(1_772_325_000_250)));
    let Body::Order(OrderEvent::Created(created)) = event.body else { panic!("another body") };
    assert_eq!((&*created.user_id, created.total_amount.to_string(), created.currency), ("u1", "259.1".to_owned(), Some(Currency::USD)));
    assert_eq!((created.items[0].name(), created.items[0].price.to_string()), (Some("기계식 \"K\""), "129.50".to_owned()));
    assert_eq!((created.items[1].name(), created.items[1].price.to_string()), (None, "0.10".to_owned()));
    let address = created.shipping_address.unwrap();
    assert_eq!((address.lines().city, address.lines().street, address.express), (Some("서울"), None, true));
    assert_eq!(created.estimated_delivery, Some(1_772_496_000_000));
}

#[test]
fn an_event_that_says_only_the_least_is_read() {
    let event = read(r#"{"type":"ORDER_APPROVED","aggregateId":"o1"}"#);
    assert_eq!((event.envelope.version(), event.envelope.time_ms(), event.envelope.event_id()), (None, None, None));
    for kind in [
        "ORDER_REJECTED",
        "ORDER_SHIPPED",
        "ORDER_DELIVERED",
        "ORDER_CANCELLED",
        "SHIPMENT_CREATED",
        "SHIPMENT_IN_TRANSIT",
        "SHIPMENT_OUT_FOR_DELIVERY",
        "SHIPMENT_DELIVERED",
        "SHIPMENT_DELIVERY_FAILED",
    ] {
        for data in ["null", "{}", r#"{"orderId":"o1","unknown":[1]}"#] {
            let json = format!(r#"{{"data":{data},"version":3,"timestamp":"2026-03-01T00:00:00Z","aggregateId":"o1","type":"{kind}"}}"#);
            assert_eq!(read(&json).type_name(), kind);
        }
    }
}

#[test]
fn data_may_stand_before_its_type() {
    let data_first =
        r#"{"data":{"orderId":"o1","paymentId":"p1","amount":159.2,"method":"CARD"},"type":"PAYMENT_COMPLETED","aggregateId":"o1"}"#;
    let type_first =
        r#"{"type":"PAYMENT_COMPLETED","aggregateId":"o1","data":{"orderId":"o1","paymentId":"p1","amount":159.2,"method":"CARD"}}"#;
    assert_eq!(read(data_first), read(type_first));
}

#[test]
fn escapes_are_understood_in_names_and_values() {
    let event = read(r#"{"\u0074ype":"ORDER_\u0041PPROVED","aggregateId":"\u006f1","data":{"orderId":"o\u0031","note":"\uD55C\n"}}"#);
    let Body::Order(OrderEvent::Approved { note }) = event.body else { panic!("another body") };
    assert_eq!(note.as_deref(), Some("한\n"));
}

#[test]
fn a_fault_names_its_field() {
    let payment = |data: &str| format!(r#"{{"type":"PAYMENT_COMPLETED","aggregateId":"o1","data":{data}}}"#);
    let created =
        |items: &str| format!(r#"{{"type":"ORDER_CREATED","aggregateId":"o1","data":{{"userId":"u","totalAmount":1,"items":{items}}}}}"#);
    for (json, expected) in [
        ("{}".to_owned(), "missing field `type`"),
        (r#"{"type":"ORDER_APPROVED"}"#.to_owned(), "missing field `aggregateId`"),
        (r#"{"type":"ORDER_APPROVED","aggregateId":""}"#.to_owned(), "aggregateId: is empty"),
        (r#"{"type":7,"aggregateId":"o1"}"#.to_owned(), "type: invalid type: integer `7`, expected a string"),
        (r#"{"type":"ORDER_APPROVED","aggregateId":"o1","version":0}"#.to_owned(), "version: is 0, but versions count from 1"),
        (r#"{"type":"ORDER_APPROVED","aggregateId":"o1","version":-1}"#.to_owned(), "version: invalid value: integer `-1`"),
        (r#"{"type":"ORDER_APPROVED","aggregateId":"o1","version":1.5}"#.to_owned(), "version: invalid type: floating point"),
        (
            r#"{"type":"ORDER_APPROVED","aggregateId":"o1","version":18446744073709551616}"#.to_owned(),
            "version: invalid type: floating point",
        ),
        (r#"{"type":"ORDER_APPROVED","aggregateId":"o1","version":1e400}"#.to_owned(), "version: number out of range"),
        (
            r#"{"type":"ORDER_APPROVED","aggregateId":"o1","timestamp":"2026-02-30T00:00:00Z"}"#.to_owned(),
            "timestamp: invalid value: string \"2026-02-30T00:00:00Z\", expected an RFC 3339 time",
        ),
        (r#"{"type":"ORDER_APPROVED","aggregateId":"o1","timestamp":1772325000}"#.to_owned(), "timestamp: invalid type: integer"),
        (r#"{"type":"ORDER_APPROVED","aggregateId":"o1","aggregateId":"o1"}"#.to_owned(), "field `aggregateId` stands there twice"),
        (r#"{"type":"ORDER_APPROVED","data":{},"aggregateId":"o1","data":null}"#.to_owned(), "field `data` stands there twice"),
        (r#"{"data":{},"type":"ORDER_APPROVED","aggregateId":"o1","data":null}"#.to_owned(), "field `data` stands there twice"),
        (payment("{}"), "data: missing field `paymentId`"),
        (payment("7"), "data: invalid type: integer `7`, expected the data of a payment event"),
        (payment(r#"{"paymentId":"p"}"#), "data: missing field `amount`"),
        (payment(r#"{"paymentId":"p","amount":null}"#), "data: missing field `amount`"),
        (payment(r#"{"paymentId":"p","amount":"much"}"#), "data: amount: not an amount of money"),
        (payment(r#"{"paymentId":"p","amount":1e99}"#), "data: amount: amount of money out of range"),
        (payment(r#"{"paymentId":"p","amount":-1}"#), "data: amount: is negative (-1)"),
        (payment(r#"{"paymentId":"p","amount":1,"amount":1}"#), "data: field `amount` stands there twice"),
        (payment(r#"{"paymentId":"p","amount":1,"orderId":"o2"}"#), "data.orderId is `o2`, but aggregateId is `o1`"),
        (created("7"), "data: items: invalid type: integer `7`, expected an array of items"),
        (
            created(r#"[{"productId":"p","price":1,"quantity":1},{"productId":"p","price":true,"quantity":1}]"#),
            "data: items: [1]: price: not an amount",
        ),
        (created(r#"[{"productId":"p","price":1,"quantity":4294967296}]"#), "data: items: [0]: quantity: invalid value"),
        (created(r#"[{"productId":"p","price":1}]"#), "data: items: [0]: missing field `quantity`"),
        (created(r#"[],"currency":"won""#), "data: currency: not a currency"),
        (created(r#"[],"shippingAddress":{"express":"yes"}"#), "data: shippingAddress: express: invalid type: string"),
        (r#"{"type":"ORDER_ADDRESS_CHANGED","aggregateId":"o1"}"#.to_owned(), "data: missing field `shippingAddress`"),
        (
            r#"{"data":{"paymentId":"p","amount":"x"},"type":"PAYMENT_COMPLETED","aggregateId":"o1"}"#.to_owned(),
            "data: amount: not an amount",
        ),
    ] {
        let fault = fault(&json);
        assert!(fault.contains(expected), "{json}\n{fault}");
    }
}

#[test]
fn an_unknown_type_is_a_fault_of_its_own() {
    for name in ["ORDER_TELEPORTED", "USER_REGISTERED", "order_created", ""] {
        for json in [format!(r#"{{"type":"{name}","aggregateId":"o1","data":{{}}}}"#), format!(r#"{{"data":[1],"type":"{name}"}}"#)] {
            assert_eq!(Event::from_json(json.as_bytes()), Err(EventError::UnknownType { name: name.to_owned() }));
        }
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for bytes in [
        "",
        " ",
        "null",
        "7",
        "\"x\"",
        "[]",
        "{",
        "{\"type\"",
        "{\"type\":}",
        "\u{feff}{}",
        "not json",
        "{\"type\":\"ORDER_APPROVED\",\"aggregateId\":\"o1\"} x",
    ] {
        assert!(matches!(Event::from_json(bytes.as_bytes()), Err(EventError::Malformed { .. })), "{bytes}");
    }
    let mut latin = br#"{"type":"ORDER_APPROVED","aggregateId":"o1","unknown":"x"}"#.to_vec();
    let x = latin.len() - 3;
    latin[x] = 0xe9;
    assert_eq!(Event::from_json(&latin), Err(EventError::NotUtf8 { valid_up_to: x }));
    assert!(fault(r#"{"type":"ORDER_APPROVED","aggregateId":"\ud800"}"#).contains("aggregateId: "));
}

#[test]
fn deep_nesting_costs_no_stack() {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    for json in [
        open.clone(),
        format!(r#"{{"type":"ORDER_APPROVED","aggregateId":"o1","data":{open}"#),
        format!(r#"{{"type":"ORDER_APPROVED","aggregateId":{open}"#),
        format!(r#"{{"data":{open}{close},"type":"ORDER_APPROVED","aggregateId":"o1"}}"#),
        "{\"data\":".repeat(100_000),
    ] {
        assert!(matches!(Event::from_json(json.as_bytes()), Err(EventError::Malformed { .. })));
    }
    for name in ["unknown", "actor"] {
        assert!(Event::from_json(format!(r#"{{"type":"ORDER_APPROVED","aggregateId":"o1","{name}":{open}{close}}}"#).as_bytes()).is_ok());
    }
}

#[test]
fn a_fault_never_repeats_the_whole_input() {
    let long = "한".repeat(100_000);
    for json in [
        format!(r#"{{"type":"{long}"}}"#),
        format!(r#"{{"type":"ORDER_APPROVED","aggregateId":"o1","timestamp":"{long}"}}"#),
        format!(r#"{{"type":"ORDER_APPROVED","aggregateId":"o1","data":{{"orderId":"{long}"}}}}"#),
        format!(r#"{{"type":"ORDER_APPROVED","aggregateId":"o1","version":"{long}"}}"#),
    ] {
        assert!(fault(&json).len() < 1_000);
    }
}

#[test]
fn an_event_is_written_as_it_is_read() {
    let event = read(CREATED);
    let json = serde_json::to_string(&event).unwrap();
    assert_eq!(
        json,
        r#"{"eventId":"e1","type":"ORDER_CREATED","schemaVersion":2,"aggregateType":"Order","aggregateId":"o1","version":1,"timestamp":"2026-03-01T00:30:00.250Z","correlationId":"c1","commandId":"","actor":{"id":"u1"},"data":{"orderId":"o1","userId":"u1","items":[{"productId":"p1","name":"기계식 \"K\"","price":129.50,"quantity":2},{"productId":"p2","name":null,"price":0.10,"quantity":1}],"totalAmount":259.1,"currency":"USD","shippingAddress":{"recipient":"김민준","street":null,"city":"서울","postalCode":null,"country":null,"express":true},"estimatedDelivery":"2026-03-03T00:00:00.000Z"}}"#
    );
    assert_eq!(read(&json), event);
    assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
}

#[test]
fn every_type_survives_writing() {
    for (kind, data) in [
        ("ORDER_APPROVED", r#"{"orderId":"o1","note":"n"}"#),
        ("ORDER_REJECTED", r#"{"orderId":"o1","reason":"r"}"#),
        ("ORDER_SHIPPED", r#"{"orderId":"o1","shippedAt":"2026-03-01T00:30:00.250Z","carrier":"CJ","trackingNumber":"1"}"#),
        ("ORDER_DELIVERED", r#"{"orderId":"o1","deliveredAt":"2026-03-01T00:30:00.250Z"}"#),
        ("ORDER_CANCELLED", r#"{"orderId":"o1"}"#),
        (
            "ORDER_ADDRESS_CHANGED",
            r#"{"orderId":"o1","shippingAddress":{"recipient":null,"street":null,"city":"c","postalCode":null,"country":null,"express":false}}"#,
        ),
        ("PAYMENT_COMPLETED", r#"{"orderId":"o1","paymentId":"p","method":"CARD","amount":1.50}"#),
        ("PAYMENT_FAILED", r#"{"orderId":"o1","paymentId":"p","code":"DECLINED"}"#),
        ("PAYMENT_REFUNDED", r#"{"orderId":"o1","paymentId":"p","refundId":"r","amount":0.5,"reason":"late"}"#),
        ("SHIPMENT_IN_TRANSIT", r#"{"orderId":"o1","carrier":"CJ","trackingNumber":"1","location":"Daejeon"}"#),
    ] {
        let json = format!(r#"{{"type":"{kind}","aggregateId":"o1","version":2,"data":{data}}}"#);
        assert_eq!(serde_json::to_string(&read(&json)).unwrap(), json);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::from_json(&bytes);
    }

    #[test]
    fn no_damage_makes_reading_panic(at in 0..CREATED.len(), byte in any::<u8>(), cut in 0..CREATED.len()) {
        let mut bytes = CREATED.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = Event::from_json(&bytes);
        prop_assert!(Event::from_json(&CREATED.as_bytes()[..cut]).is_err());
    }
}
