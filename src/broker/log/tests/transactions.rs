use super::{Bench, Sent, consume_with, values};
use crate::broker::log::{AppendError, Isolation, Marker};

const ALL: Isolation = Isolation::ReadUncommitted;
const COMMITTED: Isolation = Isolation::ReadCommitted;

#[test]
fn a_batch_that_comes_again_is_answered_with_its_old_offset() {
    let bench = Bench::new();
    let log = bench.topic("t", &[]);
    let batch = |sequence| Sent::values(&["a", "b"]).from(1, 0, sequence).bytes();
    for index in 0..7 {
        assert_eq!(log.append(batch(index * 2)).expect("is appended").base_offset, i64::from(index) * 2);
    }
    for index in 2..7 {
        let again = log.append(batch(index * 2)).expect("is known");
        assert_eq!((again.base_offset, again.last_offset), (i64::from(index) * 2, i64::from(index) * 2 + 1));
    }
    assert!(matches!(log.append(batch(2)), Err(AppendError::OutOfOrderSequence { last: 13, .. })), "five are remembered");
    assert!(matches!(log.append(batch(15)), Err(AppendError::OutOfOrderSequence { sequence: 15, .. })), "a gap");
    assert_eq!(log.progress().high_watermark, 14);
}

#[test]
fn sequences_begin_again_behind_the_greatest() {
    let bench = Bench::new();
    let log = bench.topic("t", &[]);
    let batch = |sequence| Sent::values(&["a", "b"]).from(1, 0, sequence).bytes();
    log.append(batch(i32::MAX - 2)).expect("of an unknown producer any sequence is taken");
    log.append(batch(i32::MAX)).expect("wraps within the batch");
    log.append(batch(1)).expect("goes on");
    assert_eq!(log.append(batch(i32::MAX)).expect("is known").base_offset, 2);
}

#[test]
fn a_newer_epoch_begins_at_zero_and_fences_the_older() {
    let bench = Bench::new();
    let log = bench.topic("t", &[]);
    let batch = |epoch, sequence| Sent::values(&["a"]).from(1, epoch, sequence).bytes();
    log.append(batch(3, 0)).expect("is appended");
    assert!(matches!(log.append(batch(4, 1)), Err(AppendError::OutOfOrderSequence { .. })));
    log.append(batch(4, 0)).expect("is appended");
    assert!(matches!(log.append(batch(3, 1)), Err(AppendError::InvalidProducerEpoch { epoch: 3, current: 4, .. })));
    log.append_marker(1, 5, Marker::Abort, 0).expect("is written");
    assert!(matches!(log.append(batch(4, 1)), Err(AppendError::InvalidProducerEpoch { current: 5, .. })));
    assert!(matches!(log.append_marker(1, 4, Marker::Commit, 0), Err(AppendError::InvalidProducerEpoch { .. })));
    assert!(matches!(log.append_marker(1, 5, Marker::Commit, -1), Err(AppendError::CoordinatorFenced { .. })));
}

#[test]
fn a_transaction_begins_only_where_the_coordinator_said_so() {
    let bench = Bench::new();
    let log = bench.topic("t", &[]);
    let batch = |epoch, sequence| Sent::values(&["a"]).from(1, epoch, sequence).transactional().bytes();
    assert!(matches!(log.append(batch(0, 0)), Err(AppendError::InvalidTxnState { .. })));
    log.begin_transaction(1, 0);
    log.append(batch(0, 0)).expect("is appended");
    assert!(matches!(log.append(Sent::values(&["a"]).from(1, 0, 1).bytes()), Err(AppendError::InvalidTxnState { .. })));
    log.append_marker(1, 0, Marker::Commit, 0).expect("is written");
    assert!(matches!(log.append(batch(0, 1)), Err(AppendError::InvalidTxnState { .. })), "it ended");
    log.begin_transaction(1, 1);
    assert!(matches!(log.append(batch(0, 1)), Err(AppendError::InvalidProducerEpoch { current: 1, .. })));
}

#[test]
fn read_committed_sees_neither_open_nor_aborted_transactions() {
    let mut bench = Bench::new();
    let log = bench.topic("t", &[("internal.segment.bytes", "300")]);
    let mut expected = Vec::new();
    for round in 0..30_i32 {
        for producer in 0..3_i64 {
            log.begin_transaction(producer, 0);
            let value = format!("{producer}-{round}");
            log.append(Sent::values(&[&value]).from(producer, 0, round).transactional().bytes()).expect("is appended");
        }
        log.append(Sent::values(&["plain"]).bytes()).expect("is appended");
        for producer in 0..3_i64 {
            let marker = if (i64::from(round) + producer) % 3 == 0 { Marker::Commit } else { Marker::Abort };
            log.append_marker(producer, 0, marker, 0).expect("is written");
            if marker == Marker::Commit {
                expected.push(format!("{producer}-{round}"));
            }
        }
        let at = expected.len() - 1;
        if expected[at].starts_with('0') || expected[at].starts_with('1') || expected[at].starts_with('2') {
            expected.push("plain".to_owned());
        }
    }
    assert_eq!(log.progress().last_stable, log.progress().high_watermark);
    let sorted = |mut values: Vec<String>| {
        values.sort();
        values
    };
    assert_eq!(sorted(values(&log, COMMITTED)), sorted(expected.clone()));
    assert_eq!(values(&log, ALL).len(), 120);
    let small: Vec<_> = consume_with(&log, COMMITTED, 1).into_iter().map(|(_, _, value)| value.expect("has one")).collect();
    assert_eq!(small.len(), expected.len());
    bench.crash();
    let log = bench.partition("t");
    assert_eq!(sorted(values(&log, COMMITTED)), sorted(expected.clone()));
    bench.restart();
    let log = bench.partition("t");
    assert_eq!(sorted(values(&log, COMMITTED)), sorted(expected.clone()));
    log.begin_transaction(9, 0);
    let open = log.append(Sent::values(&["open"]).from(9, 0, 0).transactional().bytes()).expect("is appended").base_offset;
    log.append(Sent::values(&["behind"]).bytes()).expect("is appended");
    assert_eq!(log.progress().last_stable, open);
    assert_eq!(values(&log, COMMITTED).len(), expected.len());
    assert!(log.read(open + 1, 10, COMMITTED).expect("is no error").records.is_empty());
    log.append_marker(9, 0, Marker::Commit, 0).expect("is written");
    assert_eq!(values(&log, COMMITTED).len(), expected.len() + 2);
}

#[test]
fn producers_that_wrote_nothing_for_long_are_forgotten_but_not_in_a_transaction() {
    let bench = Bench::with(|settings| settings.max_producer_ids = 10);
    let log = bench.topic("t", &[]);
    log.begin_transaction(1000, 0);
    log.append(Sent::values(&["a"]).from(1000, 0, 0).transactional().bytes()).expect("is appended");
    for producer in 0..20 {
        bench.advance(1);
        log.append(Sent::values(&["a"]).from(producer, 0, 0).bytes()).expect("is appended");
    }
    log.checkpoint_now().expect("is written");
    let left: Vec<_> = log.producers().iter().map(|producer| producer.producer_id).collect();
    assert_eq!(left, [11, 12, 13, 14, 15, 16, 17, 18, 19, 1000]);
    bench.advance(8 * 24 * 3_600_000);
    log.checkpoint_now().expect("is written");
    assert_eq!(log.producers().iter().map(|producer| producer.producer_id).collect::<Vec<_>>(), [1000]);
}
