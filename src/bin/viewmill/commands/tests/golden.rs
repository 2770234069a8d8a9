//! Layouts that others depend on, byte for byte.

use super::*;

/// A life with everything in it: an early payment, a failure, a gap that stays, a partial refund.
fn story() -> Story {
    let mut story = Story::default();
    story.read(r#"{"eventId":"p1","type":"PAYMENT_FAILED","aggregateId":"o1","version":1,"data":{"paymentId":"pay-0","code":"DECLINED"}}"#);
    story.read(r#"{"eventId":"p2","type":"PAYMENT_COMPLETED","aggregateId":"o1","version":2,"data":{"paymentId":"pay-1","method":"CARD","amount":25.10}}"#);
    story.read(r#"{"eventId":"s1","type":"SHIPMENT_CREATED","aggregateId":"o1","version":1,"data":{}}"#);
    story.when("CREATE_ORDER", CREATE).unwrap();
    story.read(r#"{"eventId":"o3","type":"ORDER_APPROVED","aggregateId":"o1","version":3,"data":{}}"#);
    story.when("SHIP_ORDER", SHIP).unwrap();
    story.when("REFUND_PAYMENT", r#"{"paymentId":"pay-1","refundId":"ref-1","amount":0.1,"reason":"chipped"}"#).unwrap();
    story
}

#[test]
fn an_event_of_ours_is_written_in_this_shape() {
    let mut story = Story::default().by("u1", false);
    story.when("CREATE_ORDER", CREATE).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&story.log[0]).unwrap(), @r#"
    {
      "eventId": "00000000-0000-0000-0000-000000000001",
      "type": "ORDER_CREATED",
      "schemaVersion": 1,
      "aggregateType": "order",
      "aggregateId": "o1",
      "version": 1,
      "timestamp": "2026-03-01T00:30:00.000Z",
      "correlationId": "talk-1",
      "causationId": "command-0",
      "commandId": "command-0",
      "actor": {"id":"u1"},
      "data": {
        "orderId": "o1",
        "userId": "u1",
        "items": [
          {
            "productId": "p1",
            "name": "Tea",
            "price": 12.50,
            "quantity": 2
          },
          {
            "productId": "p2",
            "name": "Pot",
            "price": 0.1,
            "quantity": 1
          }
        ],
        "totalAmount": 25.10,
        "currency": "EUR",
        "shippingAddress": {
          "recipient": "R",
          "street": "S",
          "city": "C",
          "postalCode": "1",
          "country": "DE",
          "express": true
        },
        "estimatedDelivery": "2026-03-03T00:30:00.000Z"
      }
    }
    "#);
    let headers = story.aggregate.headers(&story.log[0]);
    let headers: Vec<String> =
        headers.iter().map(|header| format!("{}: {}", header.name, String::from_utf8_lossy(header.value.as_deref().unwrap()))).collect();
    insta::assert_snapshot!(headers.join("\n"), @"
    eventId: 00000000-0000-0000-0000-000000000001
    type: ORDER_CREATED
    schemaVersion: 1
    aggregateId: o1
    version: 1
    correlationId: talk-1
    causationId: command-0
    ");
    story.actor = None;
    story.when("APPROVE_ORDER", "{}").unwrap();
    story.when("SHIP_ORDER", SHIP).unwrap();
    let data = story.log[2..].iter().map(|event| serde_json::to_value(event).unwrap());
    let data: Vec<_> = data.map(|event| (event["version"].clone(), event["actor"].clone(), event["data"].to_string())).collect();
    let shipped = r#"{"carrier":"CJ","orderId":"o1","shippedAt":"2026-03-01T00:30:02.000Z","trackingNumber":"6001"}"#;
    assert_eq!(data, [(3.into(), serde_json::Value::Null, shipped.to_owned())], "what is not given is now, and nobody is nobody");
}

#[test]
fn an_outcome_tells_this() {
    let story = story();
    let describe = |state| serde_json::to_string(&story.aggregate.describe(&OrderId::from("o1"), state)).unwrap();
    insta::assert_snapshot!(describe(story.state.as_ref()), @r#"{"orderId":"o1","status":"SHIPPED","paymentStatus":"PARTIALLY_REFUNDED","shippingStatus":"PREPARING","totalAmount":25.10,"currency":"EUR","version":4,"etag":"\"4-3-1\""}"#);
    assert_eq!(describe(None), r#"{"orderId":"o1"}"#);
}

#[test]
fn a_rejection_tells_this() {
    let rejection = command("CANCEL_ORDER", r#"{"reason":7,"why":"x"}"#).unwrap_err();
    insta::assert_snapshot!(serde_json::to_string(&rejection.data).unwrap(), @r#"{"errors":[{"pointer":"/reason","code":"wrong-type","detail":"must be a string"},{"pointer":"/why","code":"unknown","detail":"is not known here"}]}"#);
}
