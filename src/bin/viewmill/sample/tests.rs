//! What is promised about the sample: the same bytes from the same seed, in the order of time, and sums that are right.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::events::{Body, Event, OrderEvent};
use crate::views::orders::{Applied, fold};
use crate::views::{Order, PaymentStatus};

const START_MS: i64 = 1_772_325_000_000;

fn event(sample: &SampleEvent) -> Event {
    Event::from_json(&sample.value).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let sample = |seed| SampleOrders::new(seed, 500, START_MS);
    assert!(sample(7).eq(sample(7)));
    assert!(sample(7).ne(sample(8)));
    let fewer: Vec<SampleEvent> = SampleOrders::new(7, 1, START_MS).collect();
    insta::assert_snapshot!(String::from_utf8_lossy(&fewer[0].value), @r#"{"eventId":"019ca6cd-5340-7b43-8051-349a6da20735","type":"ORDER_CREATED","schemaVersion":1,"aggregateType":"Order","aggregateId":"ORD-20260301-0000001","version":1,"timestamp":"2026-03-01T00:30:00.000Z","correlationId":"019ca6cd-5340-7416-a832-96be77706a21","data":{"orderId":"ORD-20260301-0000001","userId":"user-00004","items":[{"productId":"P-1003","name":"27인치 모니터","price":289000,"quantity":1}],"totalAmount":289000,"currency":"KRW","shippingAddress":{"recipient":"최지우","street":"대학로 125","city":"대전광역시 유성구","postalCode":"34141","country":"KR","express":false},"estimatedDelivery":"2026-03-06T00:30:00.000Z"}}"#);
}

#[test]
fn every_order_is_told_whole_and_in_the_order_of_time() {
    let mut rows: HashMap<String, Option<Order>> = HashMap::new();
    let mut last_ms = i64::MIN;
    for sample in SampleOrders::new(1, 5_000, START_MS) {
        assert!(sample.timestamp_ms >= last_ms);
        last_ms = sample.timestamp_ms;
        let event = event(&sample);
        assert_eq!((event.aggregate_id(), event.axis().topic()), (sample.key.as_str(), sample.topic));
        let applied = fold(rows.entry(sample.key).or_default(), &event, sample.timestamp_ms);
        assert_eq!(applied, Applied::InOrder, "versions count up in each topic");
    }
    assert_eq!(rows.len(), 5_000);
    for order in rows.into_values().flatten() {
        assert!(!order.is_shell());
        let paid = matches!(order.payment_status, PaymentStatus::Paid | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded);
        assert_eq!(order.paid_amount, if paid { order.total_amount } else { crate::money::Money::ZERO });
        assert!(order.refunded_amount <= order.paid_amount);
    }
}

#[test]
fn totals_are_the_sums_of_their_lines() {
    let mut created = 0;
    for sample in SampleOrders::new(2, 1_000, START_MS) {
        let Body::Order(OrderEvent::Created(order)) = event(&sample).body else { continue };
        let lines: i128 = order.items.iter().map(|item| item.price.mantissa() * i128::from(item.quantity)).sum();
        assert_eq!(order.total_amount.mantissa(), lines);
        assert_eq!(order.total_amount.scale(), order.currency.unwrap().minor_digits());
        created += 1;
    }
    assert_eq!(created, 1_000);
}

#[test]
fn the_traffic_is_like_that_of_a_shop() {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut currencies: BTreeMap<String, usize> = BTreeMap::new();
    let (mut events, mut bytes, mut early, mut most_under_way) = (0, 0, 0, 0);
    let mut created = std::collections::HashSet::new();
    let mut samples = SampleOrders::new(3, 20_000, START_MS);
    while let Some(sample) = samples.next() {
        let event = event(&sample);
        events += 1;
        bytes += sample.value.len();
        *kinds.entry(event.type_name()).or_default() += 1;
        most_under_way = most_under_way.max(samples.under_way.len());
        if let Body::Order(OrderEvent::Created(order)) = &event.body {
            *currencies.entry(order.currency.unwrap().to_string()).or_default() += 1;
            created.insert(sample.key);
        } else if !created.contains(&sample.key) {
            early += 1;
        }
    }
    let told =
        format!("{events} events, {} bytes each, {early} early, {most_under_way} under way\n{kinds:?}\n{currencies:?}", bytes / events);
    assert!((66_000..71_000).contains(&events), "{told}");
    assert!((400..600).contains(&(bytes / events)), "{told}");
    assert!((200..1_000).contains(&early), "{told}");
    assert!(most_under_way < 4_000, "{told}");
    assert_eq!((kinds.len(), currencies.len()), (15, 4), "{told}");
}
