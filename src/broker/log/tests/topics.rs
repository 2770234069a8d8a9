use std::fs;
use std::sync::Arc;

use super::{Bench, Sent, configs_of, values};
use crate::broker::log::{AppendError, Isolation, LogError, Logs};

const ALL: Isolation = Isolation::ReadUncommitted;

#[test]
fn topics_and_their_changes_survive_a_restart() {
    let mut bench = Bench::new();
    let topic = bench.logs().create_topic("orders.v1", 3, configs_of(&[("retention.ms", "-1")])).expect("is made");
    bench.logs().create_topic("gone", 1, configs_of(&[])).expect("is made");
    topic.partitions[2].append(Sent::values(&["a"]).bytes()).expect("is appended");
    bench.logs().create_partitions("orders.v1", 5, false).expect("are made");
    bench.logs().alter_configs("orders.v1", |_| Ok(configs_of(&[("cleanup.policy", "compact")])), false).expect("is altered");
    bench.logs().delete_topic("gone").expect("is deleted");
    for _ in 0..2 {
        bench.crash();
        let again = bench.logs().topic("orders.v1").expect("is there");
        assert_eq!((again.id, again.partitions.len(), again.config.compact), (topic.id, 5, true));
        assert_eq!(again.config.overrides(), &configs_of(&[("cleanup.policy", "compact")]));
        assert_eq!(values(&again.partitions[2], ALL), ["a"]);
        assert!(bench.logs().topic_by_id(topic.id).is_some());
        assert_eq!(bench.logs().topics().len(), 1);
    }
}

#[test]
fn a_topic_of_the_same_name_is_another_topic() {
    let bench = Bench::new();
    let first = bench.logs().create_topic("t", 1, configs_of(&[])).expect("is made");
    first.partitions[0].append(Sent::values(&["a"]).bytes()).expect("is appended");
    bench.logs().delete_topic("t").expect("is deleted");
    let second = bench.logs().create_topic("t", 1, configs_of(&[])).expect("is made");
    assert_ne!(first.id, second.id);
    assert!(matches!(first.partitions[0].append(Sent::values(&["b"]).bytes()), Err(AppendError::Deleted)));
    assert!(values(&second.partitions[0], ALL).is_empty());
    assert_eq!(fs::read_dir(bench.place.path().join("trash")).expect("is there").count(), 0);
}

#[test]
fn wrong_requests_are_refused_as_kafka_does() {
    let bench = Bench::new();
    let logs = bench.logs();
    let make = |name: &str, partitions| logs.create_topic(name, partitions, configs_of(&[])).map(|_| ()).map_err(|error| error.to_string());
    make("a.b", 2).expect("is made");
    assert_eq!(make("a.b", 1).expect_err("is there"), "Topic 'a.b' already exists.");
    assert_eq!(make("a_b", 1).expect_err("collides"), "Topic 'a_b' collides with existing topic: a.b");
    assert_eq!(make("", 1).expect_err("is invalid"), "Topic name is invalid: the empty string is not allowed");
    assert_eq!(make("..", 1).expect_err("is invalid"), "Topic name is invalid: '..' is not allowed");
    assert!(make("a b", 1).expect_err("is invalid").contains("characters other than ASCII alphanumerics, '.', '_' and '-'"));
    make(&"x".repeat(249), 1).expect("is made");
    assert!(make(&"x".repeat(250), 1).is_err());
    assert_eq!(make("c", 0).expect_err("is invalid"), "Number of partitions was set to an invalid non-positive value.");
    assert!(matches!(logs.create_partitions("a.b", 1, false), Err(LogError::InvalidPartitions(_))));
    assert!(matches!(logs.create_partitions("a.b", 2, false), Err(LogError::InvalidPartitions(_))));
    assert!(matches!(logs.create_partitions("nope", 2, false), Err(LogError::UnknownTopic(_))));
    assert!(matches!(logs.alter_configs("a.b", |_| Ok(configs_of(&[("x", "y")])), false), Err(LogError::InvalidConfig(_))));
    assert_eq!(logs.topics().len(), 2);
}

#[test]
fn the_directory_is_locked_and_says_by_whom() {
    let bench = Bench::new();
    let Err(error) = Logs::open(bench.place.path(), bench.settings.clone()) else { panic!("it is locked") };
    let message = error.to_string();
    assert!(message.contains(&format!("process {} (since 2026-09-21 14:13:20 UTC)", std::process::id())), "{message}");
}

#[test]
fn half_made_and_half_deleted_topics_are_cleared_away() {
    let mut bench = Bench::new();
    bench.logs().create_topic("t", 1, configs_of(&[])).expect("is made");
    bench.crash_and(|place| {
        fs::create_dir_all(place.path().join("new/x~1/0")).expect("is made");
        fs::create_dir_all(place.path().join("trash/1/0")).expect("is made");
    });
    for part in ["new", "trash"] {
        assert_eq!(fs::read_dir(bench.place.path().join(part)).expect("is there").count(), 0);
    }
    assert_eq!(bench.logs().topics().len(), 1);
}

#[test]
fn a_waiting_reader_is_told_of_records_and_of_the_end() {
    let bench = Bench::new();
    let log = bench.topic("t", &[]);
    let mut changed = log.changed();
    log.append(Sent::values(&["a"]).bytes()).expect("is appended");
    assert!(changed.has_changed().expect("is alive"));
    assert_eq!(changed.borrow_and_update().high_watermark, 1);
    assert!(!changed.has_changed().expect("is alive"));
    bench.logs().delete_topic("t").expect("is deleted");
    assert!(changed.has_changed().expect("is alive"));
}

#[test]
fn threads_append_and_read_at_once() {
    let bench = Bench::new();
    let log = bench.topic("t", &[("internal.segment.bytes", "5000")]);
    std::thread::scope(|scope| {
        for producer in 0..4_i64 {
            let log = Arc::clone(&log);
            scope.spawn(move || {
                for sequence in 0..200 {
                    log.append(Sent::values(&["0123456789"]).from(producer, 0, sequence).bytes()).expect("is appended");
                }
            });
        }
        let log = Arc::clone(&log);
        scope.spawn(move || {
            let mut offset = 0;
            while offset < 800 {
                let read = log.read(offset, 3000, ALL).expect("is readable");
                for (header, _) in super::batches(&read.records) {
                    assert_eq!(header.base_offset, offset, "nothing is skipped");
                    offset = header.next_offset();
                }
            }
        });
    });
    assert_eq!(log.progress().high_watermark, 800);
}
