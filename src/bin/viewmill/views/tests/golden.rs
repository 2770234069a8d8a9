//! Layouts that others depend on, byte for byte.

use viewmill::Offset;

use crate::events::Event;
use crate::money::Language;
use crate::views::orders::fold;
use crate::views::{Order, OrderJson, Places};

/// A life with everything in it: an early payment, a Korean address, a gap that stays, a partial refund.
fn order() -> Order {
    let mut row = None;
    for (offset, json) in [41, 117, 300, 9, 2_000, 95].into_iter().zip([
        r#"{"eventId":"p1","type":"PAYMENT_COMPLETED","aggregateId":"o1","version":1,"timestamp":"2026-03-01T00:29:59Z","data":{"orderId":"o1","paymentId":"pay-1","method":"CARD","amount":269.10}}"#,
        r#"{"eventId":"o1","type":"ORDER_CREATED","aggregateId":"o1","version":1,"timestamp":"2026-03-01T09:30:00.250+09:00","data":{"orderId":"o1","userId":"u1","items":[{"productId":"p1","name":"기계식 키보드","price":129.50,"quantity":2},{"productId":"p2","price":"10.1","quantity":1}],"totalAmount":269.10,"currency":"USD","shippingAddress":{"recipient":"김민준","street":"테헤란로 12","city":"서울","postalCode":"06234","country":"KR","express":true},"estimatedDelivery":"2026-03-03T00:30:00.250Z"}}"#,
        r#"{"eventId":"o2","type":"ORDER_APPROVED","aggregateId":"o1","version":2,"timestamp":"2026-03-01T01:00:00Z","data":{}}"#,
        r#"{"eventId":"s1","type":"SHIPMENT_CREATED","aggregateId":"o1","version":1,"timestamp":"2026-03-01T02:00:00Z","data":{"carrier":"CJ","trackingNumber":"6001"}}"#,
        r#"{"eventId":"o4","type":"ORDER_SHIPPED","aggregateId":"o1","version":4,"timestamp":"2026-03-01T03:00:00Z","data":{"shippedAt":"2026-03-01T02:55:00Z","carrier":"CJ","trackingNumber":"6001"}}"#,
        r#"{"eventId":"p2","type":"PAYMENT_REFUNDED","aggregateId":"o1","version":2,"timestamp":"2026-03-02T00:00:00Z","data":{"paymentId":"pay-1","refundId":"ref-1","amount":10.1,"reason":"missing"}}"#,
    ]) {
        let event = Event::from_json(json.as_bytes()).unwrap();
        assert!(fold(&mut row, &event, 0).changed_row());
        row.as_mut().unwrap().places.note(event.axis(), Offset(offset));
    }
    row.unwrap()
}

#[test]
fn an_order_is_answered_in_this_shape() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&OrderJson::new("o1", &order(), Language::English)).unwrap(), @r#"
    {
      "orderId": "o1",
      "userId": "u1",
      "status": "SHIPPED",
      "paymentStatus": "PARTIALLY_REFUNDED",
      "shippingStatus": "PREPARING",
      "items": [
        {
          "productId": "p1",
          "name": "기계식 키보드",
          "price": 129.50,
          "quantity": 2
        },
        {
          "productId": "p2",
          "name": null,
          "price": 10.1,
          "quantity": 1
        }
      ],
      "itemCount": 2,
      "totalAmount": 269.10,
      "paidAmount": 269.10,
      "refundedAmount": 10.1,
      "currency": "USD",
      "formattedTotal": "$269.10",
      "shippingAddress": {
        "recipient": "김민준",
        "street": "테헤란로 12",
        "city": "서울",
        "postalCode": "06234",
        "country": "KR",
        "express": true
      },
      "estimatedDelivery": "2026-03-03T00:30:00.250Z",
      "createdAt": "2026-03-01T00:30:00.250Z",
      "updatedAt": "2026-03-02T00:00:00.000Z",
      "approvedAt": "2026-03-01T01:00:00.000Z",
      "shippedAt": "2026-03-01T02:55:00.000Z",
      "deliveredAt": null,
      "paidAt": "2026-03-01T00:29:59.000Z",
      "paymentMethod": "CARD",
      "carrier": "CJ",
      "trackingNumber": "6001",
      "statusHistory": [
        {
          "status": "CREATED",
          "at": "2026-03-01T00:30:00.250Z",
          "version": 1
        },
        {
          "status": "APPROVED",
          "at": "2026-03-01T01:00:00.000Z",
          "version": 2
        },
        {
          "status": "SHIPPED",
          "at": "2026-03-01T03:00:00.000Z",
          "version": 4
        }
      ],
      "version": 4
    }
    "#);
}

/// Rows of this layout lie on disks and in changelogs: a change here needs a new schema version and an upgrade from the old.
#[test]
fn a_row_is_stored_in_these_bytes() {
    let mut bytes = Vec::new();
    viewmill::codec::encode_body(&order(), &mut bytes).unwrap();
    let hex: Vec<String> = bytes.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    insta::assert_snapshot!(hex.join("\n"), @"
    01fd74a89a4d39030000fd0070b0573903000002753103030102fb2c65020215
    7031eab8b0eab384ec8b9d20ed82a4ebb3b4eb939c021503ca01010270320202
    01fb3cd202fb3cd202ca010355534401fd741834623903000001010125eab980
    ebafbceca480ed858ced97a4eb9e80eba19c203132ec849cec9ab83036323334
    4b5209181e23251f0102fd0095d14d390300000104fd4027a44e390300000001
    01fdb09e9a4d3903000001010443415244010402434a01040436303031010102
    434a010104363030310300fd74a89a4d39030000010101fd0095d14d39030000
    020103fd004fad4e3903000004010404fccb485a38fc4a02d46f00fc4975c7de
    0100000103030202fc84c291d6fc047c0b0e000101fcb12f38b1000001057061
    792d3101057265662d31000b0675b701a40d0429360209
    ");
    // Version 1 ended before the payments that failed and the places of the events, one byte and twelve here.
    let upgraded = <Order as viewmill::StoreValue>::upgrade(1, &bytes[..bytes.len() - 13]).unwrap();
    let mut expected = order();
    expected.places = Places::unknown();
    assert_eq!(upgraded, expected);
}
