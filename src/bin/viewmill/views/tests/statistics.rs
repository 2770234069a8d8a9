//! Lists and statistics after every event of random lives, against a recount of all orders.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;
use viewmill::Timestamp;
use viewmill::testkit::TopologyTestDriver;

use super::naive::{self, Logged};
use super::properties::{choices, topics};
use crate::events::Event;
use crate::money::{Currency, Money, Sum};
use crate::order_id::OrderId;
use crate::settings::OrderSettings;
use crate::topology::topology;
use crate::views::OrderStatus;
use crate::views::stats::Stats;

/// Counts by status; gross, paid and refunded.
type Recounted = (BTreeMap<String, u64>, [Sum; 3]);

/// The answers about all orders that exist, from their logs alone.
fn orders(logs: &[Vec<Logged>]) -> Vec<Value> {
    logs.iter().enumerate().filter_map(|(at, log)| naive::answer(&order_id(at), log)).collect()
}

fn order_id(at: usize) -> String {
    format!("o{}", at + 1)
}

/// The amounts of the tests have two digits after the point.
fn amount(order: &Value, name: &str) -> Sum {
    let cents = (order[name].as_f64().unwrap() * 100.0).round() as i128;
    Sum::from(Money::new(cents, 2).unwrap())
}

fn recount(orders: &[Value]) -> BTreeMap<String, Recounted> {
    let mut recounted: BTreeMap<String, Recounted> = BTreeMap::new();
    for order in orders {
        let status = order["status"].as_str().unwrap();
        let (counts, sums) = recounted.entry(order["currency"].as_str().unwrap().to_owned()).or_default();
        *counts.entry(status.to_owned()).or_default() += 1;
        let counted = if ["CANCELLED", "REJECTED"].contains(&status) { 1..3 } else { 0..3 };
        for at in counted {
            sums[at] = sums[at].plus(amount(order, ["totalAmount", "paidAmount", "refundedAmount"][at])).unwrap();
        }
    }
    recounted
}

fn kept(rows: Vec<(Currency, Stats)>) -> BTreeMap<String, Recounted> {
    let row = |(currency, stats): (Currency, Stats)| {
        let counts = OrderStatus::ALL.map(|status| (status.name().to_owned(), stats.by_status.get(status)));
        (currency.to_string(), (counts.into_iter().filter(|(_, count)| *count > 0).collect(), [stats.gross, stats.paid, stats.refunded]))
    };
    rows.into_iter().map(row).collect()
}

/// Ids of those with that status, the newest first.
fn listed(orders: &[Value], status: Option<OrderStatus>) -> Vec<OrderId> {
    let wanted = orders.iter().filter(|order| status.is_none_or(|status| order["status"] == status.name()));
    let mut found: Vec<(&str, &str)> =
        wanted.map(|order| (order["createdAt"].as_str().unwrap(), order["orderId"].as_str().unwrap())).collect();
    found.sort_by(|(at, id), (other_at, other)| other_at.cmp(at).then(id.cmp(other)));
    found.into_iter().map(|(_, id)| OrderId::from(id)).collect()
}

/// Records of several orders, each topic of each order in its own order.
fn log() -> impl Strategy<Value = Vec<(usize, Logged)>> {
    (prop::collection::vec(topics(), 1..4), choices(), any::<prop::sample::Index>()).prop_map(|(lives, choices, start)| {
        let mut queues = Vec::new();
        for (at, life) in lives.into_iter().enumerate() {
            queues.extend(life.map(|topic| topic.into_iter().map(move |logged| (at, for_order(at, logged)))));
        }
        let (mut merged, mut next) = (Vec::new(), start.index(queues.len()));
        for choice in choices {
            next = (next + choice + 1) % queues.len();
            merged.extend(queues[next].next());
        }
        queues.into_iter().for_each(|rest| merged.extend(rest));
        merged
    })
}

fn for_order(at: usize, logged: Logged) -> Logged {
    Logged { json: logged.json.replace("\"o1\"", &format!("{:?}", order_id(at))), ..logged }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn lists_and_statistics_equal_a_recount_after_every_event(log in log()) {
        let (mut driver, views) = TopologyTestDriver::new(|b| topology(b, OrderSettings::default())).unwrap();
        let mut logs = vec![Vec::new(); 3];
        for (at, logged) in log {
            let topic = Event::from_json(logged.json.as_bytes()).unwrap().axis().topic();
            let (key, time) = (order_id(at), Timestamp(logged.record_time_ms));
            driver.pipe_bytes(topic, Some(key.as_bytes()), Some(logged.json.as_bytes()), time).unwrap();
            logs[at].push(logged);

            let orders = orders(&logs);
            let stats = driver.rows(views.stats);
            prop_assert_eq!(stats.iter().map(|(_, stats)| stats.by_status.total()).sum::<u64>(), orders.len() as u64);
            prop_assert_eq!(kept(stats), recount(&orders));
            let ids = |rows: Vec<(OrderId, _)>| rows.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
            for status in OrderStatus::ALL {
                prop_assert_eq!(ids(driver.scan(views.by_status, status)), listed(&orders, Some(status)), "{:?}", status);
            }
            prop_assert_eq!(ids(driver.scan(views.by_created, ())), listed(&orders, None));
        }
    }
}

#[test]
fn the_largest_amounts_and_the_smallest_fractions_are_summed_exactly() {
    let (mut driver, views) = TopologyTestDriver::new(|b| topology(b, OrderSettings::default())).unwrap();
    for (at, total) in
        ["0.0000000000000000000000000001", "79228162514264337593543950335", "79228162514264337593543950335"].iter().enumerate()
    {
        let id = order_id(at);
        let created = format!(
            r#"{{"type":"ORDER_CREATED","aggregateId":"{id}","version":1,"data":{{"userId":"u","items":[],"totalAmount":{total}}}}}"#
        );
        driver.pipe("order-events", &id, &created).unwrap();
    }
    let stats = driver.get(views.stats, Currency::KRW).unwrap();
    assert_eq!(stats.gross.digits(0), "158456325028528675187087900670.0000000000000000000000000001");
}

/// Rows of this layout lie on disks and in changelogs: a change here needs a new schema version and an upgrade from the old.
#[test]
fn a_row_is_stored_in_these_bytes() {
    let mut stats = Stats::default();
    for status in [OrderStatus::Created, OrderStatus::Created, OrderStatus::Cancelled] {
        assert!(stats.by_status.increment(status));
    }
    stats.gross = Sum::from(Money::new(26910, 2).unwrap());
    stats.paid = Sum::from(Money::new(39000, 0).unwrap());
    let mut bytes = Vec::new();
    viewmill::codec::encode_body(&stats, &mut bytes).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    insta::assert_snapshot!(hex, @"020000000001fb1a02fe000000d07900a13f795c760600000000fcb0300100000000");
    assert_eq!(viewmill::codec::decode_body::<Stats>(&bytes).unwrap(), stats);
    let json = serde_json::to_string(&stats).unwrap();
    insta::assert_snapshot!(
        json,
        @r#"{"by_status":{"CREATED":2,"APPROVED":0,"REJECTED":0,"SHIPPED":0,"DELIVERED":0,"CANCELLED":1},"gross":269.1,"paid":39000,"refunded":0}"#
    );
    assert_eq!(serde_json::from_str::<Stats>(&json).unwrap(), stats);
}
