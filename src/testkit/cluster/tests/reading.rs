//! The data consumer, the changelog reader and administration.

use std::collections::VecDeque;

use super::*;
use crate::ports::{Admin, ChangelogReader, DataConsumer, Fetched, InputMessage, NewTopic, PortErrorClass};

const LOG: &str = "app-store-changelog";

fn put(cluster: &FakeCluster, topic: &str, key: &str, value: Option<&str>) -> Offset {
    cluster.append(topic, None, Some(key.as_bytes()), value.map(str::as_bytes), Timestamp(5)).expect("append").1
}

/// Fetches all that there is: offsets of records, and ends as negative numbers.
fn fetch(consumer: &mut FakeDataConsumer, partition: &TopicPartition) -> Vec<i64> {
    let mut into = VecDeque::new();
    while consumer.fetch(partition, 3, &mut into).expect("fetch") > 0 {}
    let entries = into.into_iter().map(|entry| match entry {
        Fetched::Message(message) => message.offset().0,
        Fetched::End(end) => -end.0,
    });
    entries.collect()
}

fn out() -> TopicPartition {
    TopicPartition::new(OUT, 0)
}

#[test]
fn records_come_in_order_and_each_end_is_told_once() {
    let cluster = cluster();
    let mut consumer = cluster.data_consumer();
    consumer.assign(&[(out(), Offset(0))]).expect("assign");
    assert_eq!(consumer.cached_end(&out()), None);
    (0..5).for_each(|i| _ = put(&cluster, OUT, "k", Some(&i.to_string())));
    assert_eq!(fetch(&mut consumer, &out()), [0, 1, 2, 3, 4, -5]);
    assert_eq!(consumer.cached_end(&out()), Some(Offset(5)));
    assert!(fetch(&mut consumer, &out()).is_empty());
    put(&cluster, OUT, "k", Some("5"));
    assert_eq!(fetch(&mut consumer, &out()), [5, -6]);
}

#[test]
fn a_consumer_stops_at_the_stable_end_and_passes_over_markers_and_aborted_records() {
    let cluster = cluster();
    put(&cluster, OUT, "k", Some("plain"));
    let mut producer = producer(&cluster, "a");
    write(&mut producer, "open");
    let mut consumer = cluster.data_consumer();
    consumer.assign(&[(out(), Offset(0))]).expect("assign");
    assert_eq!(fetch(&mut consumer, &out()), [0, -1]);
    producer.abort(NOW).expect("abort");
    assert_eq!(fetch(&mut consumer, &out()), [-3], "the position moves on without a record");
}

#[test]
fn a_consumer_that_starts_above_the_stable_end_is_told_no_end() {
    let cluster = cluster();
    let mut producer = producer(&cluster, "a");
    write(&mut producer, "1");
    let mut consumer = cluster.data_consumer();
    consumer.assign(&[(out(), Offset(1))]).expect("assign");
    assert!(fetch(&mut consumer, &out()).is_empty());
    producer.commit(NOW).expect("commit");
    assert_eq!(fetch(&mut consumer, &out()), [-2]);
}

#[test]
fn assigning_anew_drops_what_was_fetched_and_starts_where_it_is_told() {
    let cluster = cluster();
    (0..9).for_each(|i| _ = put(&cluster, OUT, "k", Some(&i.to_string())));
    let mut consumer = cluster.data_consumer();
    consumer.assign(&[(out(), Offset(0))]).expect("assign");
    let mut into = VecDeque::new();
    assert_eq!(consumer.fetch(&out(), 2, &mut into).expect("fetch"), 2);
    let twice = consumer.assign(&[(out(), Offset(0))]).expect_err("assigned already");
    assert_eq!(twice.class, PortErrorClass::Fatal);
    consumer.unassign(&[out()]).expect("unassign");
    assert_eq!(consumer.fetch(&out(), 2, &mut into).expect_err("not assigned").class, PortErrorClass::Fatal);
    consumer.assign(&[(out(), Offset(7))]).expect("assign");
    assert_eq!(fetch(&mut consumer, &out()), [7, 8, -9]);
}

#[test]
fn a_position_outside_of_the_log_is_told_once() {
    let cluster = cluster();
    (0..4).for_each(|i| _ = put(&cluster, OUT, "k", Some(&i.to_string())));
    cluster.delete_records(OUT, 0, Offset(2));
    for from in [1, 9] {
        let mut consumer = cluster.data_consumer();
        consumer.assign(&[(out(), Offset(from))]).expect("assign");
        let mut into = VecDeque::new();
        assert_eq!(consumer.fetch(&out(), 9, &mut into).expect_err("out of range").class, PortErrorClass::OffsetOutOfRange);
        assert_eq!(consumer.fetch(&out(), 9, &mut into).expect("silent"), 0);
    }
    let mut consumer = cluster.data_consumer();
    consumer.assign(&[(TopicPartition::new("none", 0), Offset(0))]).expect("assign");
    let unknown = consumer.fetch(&TopicPartition::new("none", 0), 1, &mut VecDeque::new()).expect_err("no such topic");
    assert_eq!(unknown.class, PortErrorClass::UnknownTopic);
}

#[test]
fn wake_is_seen_until_the_next_wait() {
    let mut consumer = cluster().data_consumer();
    let wake = consumer.wake();
    wake();
    assert!(consumer.is_woken());
    consumer.wait(secs(1)).expect("returns at once");
    assert!(!consumer.is_woken());
}

#[test]
fn a_changelog_is_read_to_its_stable_end_over_gaps() {
    let cluster = cluster();
    cluster.create_compacted_topic(LOG, 1);
    for i in 0..200 {
        put(&cluster, LOG, &format!("k{}", i % 50), Some(&i.to_string()));
    }
    put(&cluster, LOG, "k0", None);
    cluster.compact(LOG, Tombstones::Keep);
    let log = TopicPartition::new(LOG, 0);
    let mut reader = cluster.changelog_reader(GROUP);
    reader.open(&log, Offset(0)).expect("open");
    assert_eq!(reader.open(&log, Offset(0)).expect_err("open already").class, PortErrorClass::Fatal);
    let (mut offsets, mut position, mut at_end) = (Vec::new(), Offset(0), false);
    while !at_end {
        let chunk = reader.read(&log, NOW).expect("read");
        assert!(chunk.position >= position);
        offsets.extend(chunk.records.iter().map(|record| record.offset.0));
        (position, at_end) = (chunk.position, chunk.at_end);
    }
    assert_eq!(offsets, (151..=200).collect::<Vec<_>>(), "the last of each key");
    assert_eq!(position, Offset(201));
    reader.close(&log);
    assert_eq!(reader.read(&log, NOW).expect_err("closed").class, PortErrorClass::Fatal);
}

#[test]
fn an_empty_chunk_that_is_not_at_the_end_means_again() {
    let cluster = cluster();
    put(&cluster, OUT, "k", Some("v"));
    let mut reader = cluster.changelog_reader(GROUP);
    reader.open(&out(), Offset(0)).expect("open");
    cluster.set_faults(Faults::none().with(FaultKind::EmptyRead, 1.0));
    let chunk = reader.read(&out(), NOW).expect("read");
    assert!(chunk.records.is_empty() && !chunk.at_end && chunk.position == Offset(0));
    cluster.set_faults(Faults::none());
    assert_eq!(reader.read(&out(), NOW).expect("read").records.len(), 1);
}

#[test]
fn an_open_transaction_lies_between_the_stable_end_and_the_end() {
    let cluster = cluster();
    put(&cluster, OUT, "k", Some("v"));
    let mut producer = producer(&cluster, "a");
    write(&mut producer, "open");
    let mut reader = cluster.changelog_reader(GROUP);
    let bounds = reader.bounds(&out()).expect("bounds");
    assert_eq!((bounds.start, bounds.stable_end, bounds.end), (Offset(0), Offset(1), Offset(2)));
    reader.open(&out(), Offset(2)).expect("open above the stable end");
    assert!(!reader.read(&out(), NOW).expect("read").at_end);
    producer.commit(NOW).expect("commit");
    let chunk = reader.read(&out(), NOW).expect("read");
    assert!(chunk.at_end && chunk.position == Offset(3));
}

#[test]
fn reading_starts_at_the_logs_start_and_notices_when_it_moves_away() {
    let cluster = cluster();
    (0..4).for_each(|i| _ = put(&cluster, OUT, "k", Some(&i.to_string())));
    cluster.delete_records(OUT, 0, Offset(2));
    let mut reader = cluster.changelog_reader(GROUP);
    reader.open(&out(), Offset(0)).expect("open");
    assert_eq!(reader.read(&out(), NOW).expect("read").records[0].offset, Offset(2));
    reader.close(&out());
    reader.open(&out(), Offset(2)).expect("open");
    cluster.delete_records(OUT, 0, Offset(3));
    assert_eq!(reader.read(&out(), NOW).expect_err("gone").class, PortErrorClass::OffsetOutOfRange);
}

#[test]
fn topics_are_described_made_once_and_grown() {
    let cluster = cluster();
    let mut admin = cluster.admin();
    assert_eq!(admin.cluster_id().expect("id"), Some("fake-cluster-1".into()));
    let settings = vec![("cleanup.policy".to_owned(), "compact".to_owned())];
    let topic = |partitions| NewTopic { name: LOG.into(), partitions, replication_factor: None, settings: settings.clone() };
    assert_eq!(admin.create_topic(&topic(0)).expect_err("no partition").class, PortErrorClass::Fatal);
    admin.create_topic(&topic(2)).expect("create");
    admin.create_topic(&topic(9)).expect("one that appeared meanwhile is fine");
    admin.grow_topic(LOG, 3).expect("grow");
    admin.grow_topic(LOG, 1).expect("it has as many");
    let found = admin.topics(&[LOG, "none"]).expect("topics");
    let info = found[0].as_ref().expect("exists");
    assert_eq!((info.partitions, info.cleanup_policy.as_deref(), &found[1]), (3, Some("compact"), &None));
    assert_eq!(admin.grow_topic("none", 1).expect_err("unknown").class, PortErrorClass::UnknownTopic);
    cluster.set_reachable(false);
    assert!(admin.cluster_id().expect_err("nobody answers").is_retriable());
}
