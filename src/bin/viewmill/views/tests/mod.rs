//! What is promised about the view `orders`.

mod golden;
pub mod naive;
pub mod properties;
mod statistics;

use super::order_status::ShippingStatus;
use super::orders::{Applied, fold};
use super::{Order, OrderStatus, PaymentStatus, etag};
use crate::events::Event;
use crate::money::MoneyError;

/// Applies events, one second apart, given as `TYPE version data`; a version of 0 stands for none.
fn apply(row: &mut Option<Order>, events: &[(&str, u64, &str)]) -> Vec<Applied> {
    let mut apply_one = |(i, (kind, version, data)): (usize, &(&str, u64, &str))| {
        let version = if *version == 0 { "null".to_owned() } else { version.to_string() };
        let json = format!(
            r#"{{"type":"{kind}","aggregateId":"o1","version":{version},"eventId":"{kind}-{version}-{data_id}","data":{data}}}"#,
            data_id = data.len()
        );
        fold(row, &Event::from_json(json.as_bytes()).unwrap(), 1_000 * (i as i64 + 1))
    };
    events.iter().enumerate().map(&mut apply_one).collect()
}

fn row(events: &[(&str, u64, &str)]) -> Order {
    let mut row = None;
    let _ = apply(&mut row, events);
    row.unwrap()
}

const CREATED: &str = r#"{"userId":"u1","items":[{"productId":"p1","price":10,"quantity":2}],"totalAmount":20,"currency":"EUR","shippingAddress":{"city":"Berlin"}}"#;

#[test]
fn a_payment_that_comes_first_waits_in_a_shell() {
    let paid = ("PAYMENT_COMPLETED", 1, r#"{"paymentId":"p1","amount":20,"method":"CARD"}"#);
    let prepared = ("SHIPMENT_CREATED", 1, "{}");
    let shell = row(&[paid, prepared]);
    assert!(shell.is_shell());
    let order = row(&[paid, prepared, ("ORDER_CREATED", 1, CREATED)]);
    assert_eq!(
        (order.created_at, order.payment_status, order.shipping_status),
        (Some(3_000), PaymentStatus::Paid, ShippingStatus::Preparing)
    );
    assert_eq!((order.status, order.paid_amount.to_string(), order.paid_at.get()), (OrderStatus::Created, "20".to_owned(), Some(&1_000)));
}

#[test]
fn each_topic_moves_only_its_own_axis() {
    let created = row(&[("ORDER_CREATED", 1, CREATED)]);
    let delivered = row(&[("ORDER_CREATED", 1, CREATED), ("SHIPMENT_DELIVERED", 1, r#"{"carrier":"DHL","trackingNumber":"7"}"#)]);
    assert_eq!((delivered.status, delivered.payment_status, delivered.delivered_at.get()), (created.status, created.payment_status, None));
    assert_eq!((delivered.carrier(), delivered.tracking_number()), (Some("DHL"), Some("7")));
    let shipped = row(&[("ORDER_CREATED", 1, CREATED), ("ORDER_SHIPPED", 2, r#"{"carrier":"UPS"}"#)]);
    assert_eq!((shipped.shipping_status, shipped.payment_status), (ShippingStatus::NotShipped, PaymentStatus::Pending));
    let paid = row(&[("ORDER_CREATED", 1, CREATED), ("PAYMENT_COMPLETED", 1, r#"{"paymentId":"p1","amount":20}"#)]);
    assert_eq!((paid.status, paid.shipping_status), (created.status, created.shipping_status));
}

#[test]
fn a_late_version_takes_its_place_and_turns_nothing_back() {
    let mut row = None;
    let applied = apply(
        &mut row,
        &[("ORDER_CREATED", 1, CREATED), ("ORDER_SHIPPED", 4, "{}"), ("ORDER_APPROVED", 2, "{}"), ("ORDER_APPROVED", 2, "{}")],
    );
    assert_eq!(applied, [Applied::InOrder, Applied::Gap { missing: 2 }, Applied::Late, Applied::Duplicate]);
    let order = row.unwrap();
    assert_eq!((order.status, order.approved_at.get(), order.updated_at), (OrderStatus::Shipped, Some(&3_000), 3_000));
    let history: Vec<_> = order.status_history.iter().map(|change| (change.version(), change.status)).collect();
    assert_eq!(history, [(Some(1), OrderStatus::Created), (Some(2), OrderStatus::Approved), (Some(4), OrderStatus::Shipped)]);
    assert_eq!(order.order_versions.missing(), [(3, 3)]);
}

#[test]
fn the_same_version_under_another_event_id_is_reported_and_dropped() {
    let mut row = None;
    let applied = apply(&mut row, &[("ORDER_CREATED", 1, CREATED), ("ORDER_APPROVED", 2, "{}"), ("ORDER_CANCELLED", 2, "{}")]);
    assert_eq!(applied, [Applied::InOrder, Applied::InOrder, Applied::Conflict]);
    assert_eq!(row.unwrap().status, OrderStatus::Approved);
}

#[test]
fn events_without_versions_apply_in_log_order() {
    let order =
        row(&[("ORDER_CREATED", 0, CREATED), ("ORDER_APPROVED", 0, "{}"), ("ORDER_CANCELLED", 0, "{}"), ("ORDER_APPROVED", 0, "{}")]);
    assert_eq!((order.status, order.order_versions.version(), etag(&order)), (OrderStatus::Approved, 4, "\"4-0-0\"".to_owned()));
    assert_eq!(order.status_history.len(), 4);
}

#[test]
fn a_payment_or_refund_counts_once_whatever_its_version() {
    let mut row = None;
    let paid = |version, id| ("PAYMENT_COMPLETED", version, id);
    let refund = r#"{"paymentId":"a","refundId":"r","amount":0.25}"#;
    let applied = apply(
        &mut row,
        &[
            ("ORDER_CREATED", 1, CREATED),
            ("PAYMENT_FAILED", 1, r#"{"paymentId":"z"}"#),
            paid(2, r#"{"paymentId":"a","amount":0.10}"#),
            paid(3, r#"{"paymentId":"a","amount":0.10}"#),
            paid(4, r#"{"paymentId":"b","amount":"0.2"}"#),
            ("PAYMENT_REFUNDED", 5, refund),
            ("PAYMENT_REFUNDED", 6, refund),
            ("ORDER_CREATED", 2, CREATED),
        ],
    );
    assert_eq!(applied[3], Applied::Repeated);
    assert_eq!(applied[6..], [Applied::Repeated, Applied::Repeated]);
    let order = row.as_ref().unwrap();
    assert_eq!((order.paid_amount.to_string(), order.refunded_amount.to_string()), ("0.30".to_owned(), "0.25".to_owned()));
    assert_eq!((order.payment_status, order.created_at, order.status_history.len()), (PaymentStatus::PartiallyRefunded, Some(1_000), 1));
    let _ = apply(&mut row, &[("PAYMENT_REFUNDED", 7, r#"{"paymentId":"a","refundId":"s","amount":0.05}"#)]);
    assert_eq!(row.unwrap().payment_status, PaymentStatus::Refunded);
}

#[test]
fn a_sum_that_cannot_be_kept_exactly_changes_nothing() {
    let most = r#"{"paymentId":"a","amount":79228162514264337593543950335}"#;
    let mut row = None;
    let _ = apply(&mut row, &[("ORDER_CREATED", 1, CREATED), ("PAYMENT_COMPLETED", 1, most)]);
    let before = row.clone();
    let applied = apply(&mut row, &[("PAYMENT_COMPLETED", 2, r#"{"paymentId":"b","amount":0.1}"#)]);
    assert_eq!((applied, row), (vec![Applied::Rejected(MoneyError::OutOfRange)], before));
}

#[test]
fn a_row_is_bounded_whatever_comes() {
    let mut row = None;
    let _ = apply(&mut row, &[("ORDER_CREATED", 1, CREATED)]);
    for version in 2..500 {
        let payment = format!(r#"{{"paymentId":"p{version}","amount":1}}"#);
        let applied = apply(&mut row, &[("ORDER_APPROVED", version, "{}"), ("PAYMENT_COMPLETED", version * 2, &payment)]);
        assert_eq!(applied[0], Applied::InOrder);
    }
    let order = row.unwrap();
    assert_eq!((order.status_history.len(), order.status_history[99].version()), (100, Some(499)));
    assert_eq!(order.paid_amount.to_string(), "498", "what is forgotten is the id, never the amount");
    let mut bytes = Vec::new();
    viewmill::codec::encode_body(&order, &mut bytes).unwrap();
    assert!(bytes.len() < 4_000);
}

#[test]
fn entity_tags_follow_all_three_topics() {
    let created = ("ORDER_CREATED", 1, CREATED);
    let paid = ("PAYMENT_COMPLETED", 1, r#"{"paymentId":"a","amount":20}"#);
    let packed = ("SHIPMENT_CREATED", 1, "{}");
    assert_eq!(etag(&row(&[created])), "\"1-0-0\"");
    assert_eq!(etag(&row(&[created, paid, packed, ("SHIPMENT_IN_TRANSIT", 2, "{}")])), "\"1-1-2\"");
    let gap = [created, ("ORDER_SHIPPED", 3, "{}"), ("ORDER_APPROVED", 2, "{}")];
    assert_eq!((etag(&row(&gap[..2])), etag(&row(&gap))), ("\"3-0-0\"".to_owned(), "\"3.1-0-0\"".to_owned()));
}
