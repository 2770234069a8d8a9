//! The fold, checked over random lives of an order: against the naive one, and against itself over other interleavings.

use proptest::prelude::*;
use serde_json::{Value, json};
use viewmill::StoreValue as _;

use super::naive::{self, Logged};
use crate::events::Event;
use crate::money::Language;
use crate::topology::{created_key, status_key};
use crate::views::orders::{Applied, fold};
use crate::views::{Order, OrderJson, etag};

const START_MS: i64 = 1_772_325_000_000;

fn folded(log: &[Logged]) -> Option<Order> {
    let mut row = None;
    for logged in log {
        let event = Event::from_json(logged.json.as_bytes()).unwrap();
        let before = row.clone();
        let applied = fold(&mut row, &event, logged.record_time_ms);
        assert!(!matches!(applied, Applied::Conflict | Applied::Rejected(_)), "{applied:?}");
        assert_eq!(applied.changed_row(), row != before, "{applied:?}");
        assert_eq!(applied.changed_row(), row.as_ref().map(etag) != before.as_ref().map(etag), "an entity tag for each state");
    }
    row
}

pub fn answer(order: Option<&Order>) -> Option<Value> {
    let order = order.filter(|order| !order.is_shell())?;
    let mut answer = serde_json::to_value(OrderJson::new("o1", order, Language::English)).unwrap();
    answer.as_object_mut().unwrap().remove("formattedTotal").unwrap();
    for sum in ["paidAmount", "refundedAmount"] {
        // Nothing is written as 0, which a JSON reader tells from the naive one's 0.00.
        answer[sum] = answer[sum].as_f64().into();
    }
    Some(answer)
}

fn amount() -> impl Strategy<Value = String> {
    (0..5_000_i64).prop_map(|cents| format!("{}.{:02}", cents / 100, cents % 100))
}

fn time() -> impl Strategy<Value = String> {
    (0..1_000_000_i64).prop_map(|ms| crate::events::format_time(START_MS + ms))
}

fn address() -> impl Strategy<Value = Value> {
    ("[a-z]{3}", any::<bool>()).prop_map(
        |(city, express)| json!({"recipient": null, "street": null, "city": city, "postalCode": null, "country": "KR", "express": express}),
    )
}

fn order_event() -> impl Strategy<Value = (String, Value)> {
    let item = (0..9_u32, amount(), 1..5_u32)
        .prop_map(|(id, price, quantity)| json!({"productId": format!("p{id}"), "name": null, "price": price, "quantity": quantity}));
    let created = (prop::collection::vec(item, 0..3), amount(), prop::option::of(address()), prop::option::of(time()), 0..3_usize)
        .prop_map(|(items, total, address, estimate, currency)| {
            let currency = [None, Some("USD"), Some("EUR")][currency];
            (
                "ORDER_CREATED".to_owned(),
                json!({"userId": "u1", "items": items, "totalAmount": total, "currency": currency,
                "shippingAddress": address, "estimatedDelivery": estimate}),
            )
        });
    let parcel = ("[A-C]{1}", prop::option::of("[0-9]{2}"), prop::option::of(time()));
    prop_oneof![
        2 => created,
        1 => Just(("ORDER_APPROVED".to_owned(), json!({}))),
        1 => prop::sample::select(vec!["ORDER_REJECTED", "ORDER_CANCELLED"]).prop_map(|kind| (kind.to_owned(), json!({"reason": "r"}))),
        1 => parcel.prop_map(|(carrier, number, at)|
            ("ORDER_SHIPPED".to_owned(), json!({"carrier": carrier, "trackingNumber": number, "shippedAt": at}))),
        1 => prop::option::of(time()).prop_map(|at| ("ORDER_DELIVERED".to_owned(), json!({"deliveredAt": at}))),
        1 => address().prop_map(|address| ("ORDER_ADDRESS_CHANGED".to_owned(), json!({"shippingAddress": address}))),
    ]
}

fn payment_event() -> impl Strategy<Value = (String, Value)> {
    let id = 0..6_u32;
    prop_oneof![
        3 => (id.clone(), amount(), prop::option::of("[A-Z]{4}")).prop_map(|(id, amount, method)|
            ("PAYMENT_COMPLETED".to_owned(), json!({"paymentId": format!("pay{id}"), "amount": amount, "method": method}))),
        1 => Just(("PAYMENT_FAILED".to_owned(), json!({"paymentId": "pay", "code": "DECLINED"}))),
        2 => (id, amount()).prop_map(|(id, amount)|
            ("PAYMENT_REFUNDED".to_owned(), json!({"paymentId": "pay0", "refundId": format!("ref{id}"), "amount": amount, "reason": "r"}))),
    ]
}

fn shipment_event() -> impl Strategy<Value = (String, Value)> {
    let steps = vec!["CREATED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "DELIVERED", "DELIVERY_FAILED"];
    (prop::sample::select(steps), prop::option::of("[D-F]{1}"), prop::option::of("[0-9]{2}")).prop_map(|(step, carrier, number)| {
        (format!("SHIPMENT_{step}"), json!({"carrier": carrier, "trackingNumber": number, "location": "Daejeon"}))
    })
}

/// What a topic brings of one order: versions counted up, then delayed, lost, doubled; some without a version or a time.
fn topic(event: impl Strategy<Value = (String, Value)>) -> impl Strategy<Value = Vec<Logged>> {
    let event = (event, prop::option::of(time()), 0..1_000_000_i64, 0..10_u8, 0..10_u8, 0..4_usize);
    (prop::collection::vec(event, 0..10), any::<bool>()).prop_map(|(events, versioned)| {
        let mut version = 0;
        let mut delivered: Vec<(usize, Logged)> = Vec::new();
        for (i, ((kind, mut data), at, record, fate, unversioned, delay)) in events.into_iter().enumerate() {
            data["orderId"] = "o1".into();
            let mut event = json!({"type": kind, "aggregateId": "o1", "timestamp": at, "data": data});
            if versioned && unversioned > 0 {
                version += 1;
                event["version"] = version.into();
                event["eventId"] = format!("{kind}-{version}").into();
            }
            let logged = Logged { json: event.to_string(), record_time_ms: START_MS + record };
            let delay = if versioned && fate < 4 { delay } else { 0 };
            match fate {
                0 => {}
                1 => delivered.extend([(i + delay, logged.clone()), (i + 3, logged)]),
                _ => delivered.push((i + delay, logged)),
            }
        }
        delivered.sort_by_key(|(place, _)| *place);
        delivered.into_iter().map(|(_, logged)| logged).collect()
    })
}

/// Merges topics, each in its own order, as the numbers say.
pub fn interleaved(topics: &[Vec<Logged>; 3], choices: &[usize]) -> Vec<Logged> {
    let mut rest = topics.each_ref().map(|topic| topic.iter());
    let mut log = Vec::new();
    for choice in choices {
        log.extend(rest[*choice].next().cloned());
    }
    rest.into_iter().for_each(|topic| log.extend(topic.cloned()));
    log
}

/// What the three topics bring of one order, `o1`.
pub fn topics() -> impl Strategy<Value = [Vec<Logged>; 3]> {
    (topic(order_event()), topic(payment_event()), topic(shipment_event()))
        .prop_map(|(order, payment, shipment)| [order, payment, shipment])
}

pub fn choices() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..3_usize, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_row_is_what_the_log_says(topics in topics(), choices in choices()) {
        let log = interleaved(&topics, &choices);
        let row = folded(&log);
        prop_assert_eq!(answer(row.as_ref()), naive::answer("o1", &log));
    }

    #[test]
    fn the_interleaving_of_the_topics_does_not_matter(topics in topics(), some in choices(), others in choices()) {
        let row = folded(&interleaved(&topics, &some));
        prop_assert_eq!(&row, &folded(&interleaved(&topics, &others)));
        prop_assert_eq!(row, folded(&topics.concat()));
    }

    #[test]
    fn a_second_delivery_of_everything_changes_nothing(topics in topics(), choices in choices()) {
        let log: Vec<Logged> = interleaved(&topics, &choices).into_iter().filter(|logged| logged.json.contains("\"version\"")).collect();
        prop_assert_eq!(folded(&log), folded(&[log.clone(), log].concat()));
    }

    #[test]
    fn indexes_make_the_same_keys_of_what_a_restore_reads_of_a_row(topics in topics(), choices in choices()) {
        let Some(row) = folded(&interleaved(&topics, &choices)) else { return Ok(()) };
        let mut bytes = Vec::new();
        viewmill::codec::encode_body(&row, &mut bytes).unwrap();
        let read = Order::decode_indexed(&bytes).unwrap();
        prop_assert_eq!((status_key(&read), created_key(&read)), (status_key(&row), created_key(&row)));
    }

    #[test]
    fn a_row_survives_its_binary_form_and_json(topics in topics()) {
        let row = folded(&topics.concat());
        let mut bytes = Vec::new();
        viewmill::codec::encode_body(&row, &mut bytes).unwrap();
        let back: Option<Order> = viewmill::codec::decode_body(&bytes).unwrap();
        prop_assert_eq!(&back, &row);
        let json = serde_json::to_vec(&row).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Option<Order>>(&json).unwrap(), row);
    }
}
