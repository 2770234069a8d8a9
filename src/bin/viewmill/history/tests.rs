//! Histories over random lives of an order, against the naive fold of the log.

use std::collections::BTreeMap;

use proptest::prelude::*;
use viewmill::ports::LogRecord;
use viewmill::{Headers, Offset, Timestamp};

use super::*;
use crate::events::Event;
use crate::views::orders::fold;
use crate::views::tests::naive::{self, Logged};
use crate::views::tests::properties::{answer, choices, interleaved, topics};

/// The log of one partition, and the row that it makes.
struct Log {
    events: Vec<(Axis, Offset, Logged)>,
    row: Option<Order>,
}

impl Log {
    /// Between two events of a topic lie some of others.
    fn of(log: &[Logged]) -> Log {
        let (mut events, mut row, mut ends) = (Vec::new(), None, BTreeMap::<&str, i64>::new());
        for logged in log {
            let event = Event::from_json(logged.json.as_bytes()).unwrap();
            let end = ends.entry(event.axis().topic()).or_default();
            *end += 7;
            if fold(&mut row, &event, logged.record_time_ms).changed_row() {
                row.as_mut().unwrap().places.note(event.axis(), Offset(*end));
            }
            events.push((event.axis(), Offset(*end), logged.clone()));
        }
        Log { events, row }
    }

    /// What a reader finds of what is wanted, in a log that begins at that offset.
    fn read(&self, wanted: Vec<WantedRecords>, begin: Offset) -> Vec<FoundRecords> {
        let found = wanted.into_iter().map(|wanted| {
            let (kept, gone): (Vec<Offset>, Vec<Offset>) = wanted.offsets.iter().partition(|offset| **offset >= begin);
            let record = |offset: Offset| {
                let (.., logged) =
                    self.events.iter().find(|event| event.0.topic() == &*wanted.partition.topic && event.1 == offset).unwrap();
                let value = Some(logged.json.clone().into_bytes());
                LogRecord {
                    offset,
                    key: Some(b"o1".to_vec()),
                    value,
                    timestamp: Timestamp(logged.record_time_ms),
                    headers: Headers::default(),
                }
            };
            FoundRecords { records: kept.into_iter().map(record).collect(), gone, partition: wanted.partition }
        });
        found.collect()
    }

    fn history(&self, begin: Offset) -> History {
        let row = self.row.as_ref().unwrap();
        History::new("o1", row, self.read(wanted(&row.places, 3), begin))
    }
}

fn time_of(logged: &Logged) -> i64 {
    let event = Event::from_json(logged.json.as_bytes()).unwrap();
    event.envelope.time_ms().unwrap_or(logged.record_time_ms)
}

fn then(log: &Log, happened: impl Fn(Axis, &Logged) -> bool) -> Vec<Logged> {
    log.events.iter().filter(|(axis, _, logged)| happened(*axis, logged)).map(|(.., logged)| logged.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn all_of_a_history_makes_the_row(topics in topics(), choices in choices()) {
        let log = Log::of(&interleaved(&topics, &choices));
        let Some(row) = &log.row else { return Ok(()) };
        let history = log.history(Offset(0));
        prop_assert!(!history.is_cut());
        let now = history.as_of(AsOf::Time(i64::MAX));
        let mut expected = row.clone();
        expected.places = Places::default();
        prop_assert_eq!(now.ok(), Some(expected).filter(|row| !row.is_shell()));
        prop_assert!(history.entries().is_sorted_by_key(Entry::key));
    }

    #[test]
    fn an_order_is_told_as_it_was_at_a_time(topics in topics(), choices in choices(), pick: prop::sample::Index) {
        let log = Log::of(&interleaved(&topics, &choices));
        if log.events.is_empty() {
            return Ok(());
        }
        let time_ms = time_of(&pick.get(&log.events).2);
        let order = log.history(Offset(0)).as_of(AsOf::Time(time_ms));
        prop_assert!(matches!(order, Ok(_) | Err(NotAsOf::NoOrder)));
        let earlier = then(&log, |_, logged| time_of(logged) <= time_ms);
        prop_assert_eq!(answer(order.ok().as_ref()), naive::answer("o1", &earlier));
    }

    #[test]
    fn an_order_is_told_as_it_was_at_a_version(topics in topics(), choices in choices(), version in 1..12_u64) {
        let log = Log::of(&interleaved(&topics, &choices));
        let version_of = |logged: &Logged| Event::from_json(logged.json.as_bytes()).unwrap().envelope.version();
        let decided = || log.events.iter().filter(|(axis, ..)| *axis == Axis::Order).map(|(.., logged)| logged);
        if log.row.is_none() || decided().any(|logged| version_of(logged).is_none()) {
            return Ok(());
        }
        let order = log.history(Offset(0)).as_of(AsOf::Version(version));
        let Some(made) = decided().find(|logged| version_of(logged) == Some(version)) else {
            prop_assert_eq!(order, Err(NotAsOf::NoVersion(version)));
            return Ok(());
        };
        let earlier = then(&log, |axis, logged| match axis {
            Axis::Order => version_of(logged) <= Some(version),
            _ => time_of(logged) <= time_of(made),
        });
        prop_assert_eq!(answer(order.ok().as_ref()), naive::answer("o1", &earlier));
    }

    #[test]
    fn what_is_gone_is_never_made_up_for(topics in topics(), choices in choices(), begin in 1..80_i64) {
        let log = Log::of(&interleaved(&topics, &choices));
        let Some(row) = &log.row else { return Ok(()) };
        let history = log.history(Offset(begin));
        let places = || Axis::ALL.into_iter().flat_map(|axis| row.places.of(axis));
        let gone = places().filter(|offset| *offset < Offset(begin)).count();
        prop_assert_eq!((history.is_cut(), history.entries().len()), (gone > 0, places().count() - gone));
        if gone > 0 {
            prop_assert_eq!(history.as_of(AsOf::Time(i64::MAX)), Err(NotAsOf::Cut));
        }
    }
}

fn logged(kind: &str, version: Option<u64>, at: &str) -> Logged {
    let json = serde_json::json!({"type": kind, "aggregateId": "o1", "version": version, "timestamp": at, "data": {"userId": "u", "items": [],
        "totalAmount": 1, "paymentId": "p", "amount": 1}});
    Logged { json: json.to_string(), record_time_ms: 0 }
}

#[test]
fn events_without_versions_are_counted() {
    let log = Log::of(&[
        logged("ORDER_CREATED", None, "2026-03-01T00:00:00Z"),
        logged("ORDER_APPROVED", None, "2026-03-01T01:00:00Z"),
        logged("PAYMENT_COMPLETED", None, "2026-03-01T01:00:00Z"),
        logged("ORDER_CANCELLED", None, "2026-03-01T02:00:00Z"),
    ]);
    let history = log.history(Offset(0));
    let status = |version| history.as_of(AsOf::Version(version)).map(|order| (order.status.name(), order.paid_amount.to_string()));
    assert_eq!(status(1), Ok(("CREATED", "0".to_owned())));
    assert_eq!(status(2), Ok(("APPROVED", "1".to_owned())));
    assert_eq!(status(3), Ok(("CANCELLED", "1".to_owned())));
    assert_eq!(status(4), Err(NotAsOf::NoVersion(4)));
    let types: Vec<&str> = history.entries().iter().map(|entry| entry.event.type_name()).collect();
    assert_eq!(types, ["ORDER_CREATED", "ORDER_APPROVED", "PAYMENT_COMPLETED", "ORDER_CANCELLED"]);
    assert_eq!(history.as_of(AsOf::Time(0)), Err(NotAsOf::NoOrder));
}

#[test]
fn a_place_that_holds_another_record_is_a_cut() {
    let log = Log::of(&[logged("ORDER_CREATED", Some(1), "2026-03-01T00:00:00Z")]);
    let row = log.row.as_ref().unwrap();
    for spoil in [
        |record: &mut LogRecord| record.key = Some(b"o2".to_vec()),
        |record: &mut LogRecord| record.value = None,
        |record: &mut LogRecord| record.value = Some(br#"{"type":"PAYMENT_FAILED","aggregateId":"o1"}"#.to_vec()),
    ] {
        let mut found = log.read(wanted(&row.places, 0), Offset(0));
        spoil(&mut found[0].records[0]);
        let history = History::new("o1", row, found);
        assert!(history.is_cut() && history.entries().is_empty());
    }
}

#[test]
fn a_moment_is_a_version_or_a_time() {
    assert_eq!(AsOf::parse("7"), Some(AsOf::Version(7)));
    assert_eq!(AsOf::parse("2026-03-01T09:30:00.250+09:00"), Some(AsOf::Time(1_772_325_000_250)));
    for odd in ["", "0", "-1", "1.5", "99999999999999999999", "yesterday", "2026-03-01", "2026-03-01T09:30:00"] {
        assert_eq!(AsOf::parse(odd), None, "{odd}");
    }
}
