//! The promises of the fake cluster, by port; and a small engine on it that keeps the rules, or breaks one.

mod membership;
mod producer;
mod reading;
mod simulation;
mod worker;

use std::time::Duration;

use super::*;
use crate::ports::{Membership, MembershipEvent, TransactionalProducer};
use crate::record::{Headers, Offset, OutputRecord, Timestamp, TopicPartition};

const NOW: Duration = Duration::ZERO;
const GROUP: &str = "app";
const TASKS: &str = "app-tasks";
const OUT: &str = "out";

/// A cluster with a task log of four tokens and an output topic of one partition.
fn cluster() -> FakeCluster {
    let cluster = FakeCluster::new(1, ManualClock::at(Timestamp(1_000_000)));
    cluster.create_compacted_topic(TASKS, 4);
    cluster.create_topic(OUT, 1, &[]);
    cluster
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn token(partition: i32) -> TopicPartition {
    TopicPartition::new(TASKS, partition)
}

fn output<'a>(key: &'a str, value: &'a str) -> OutputRecord<'a> {
    OutputRecord {
        topic: OUT,
        partition: None,
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        timestamp: None,
        headers: Headers::default(),
    }
}

/// An initialised producer.
fn producer(cluster: &FakeCluster, id: &str) -> FakeProducer {
    let mut producer = cluster.producer(id);
    producer.replace(NOW).expect("nothing is in the way");
    producer
}

/// Begins, sends and flushes.
fn write(producer: &mut FakeProducer, value: &str) {
    producer.begin().expect("the producer is ready");
    producer.send(&output("k", value)).expect("the topic exists");
    producer.flush(NOW).expect("nothing fails");
}

/// The values that a reader of the output topic sees.
fn values(cluster: &FakeCluster, isolation: Isolation) -> Vec<String> {
    let records = cluster.read_all(OUT, 0, isolation);
    records.into_iter().map(|record| String::from_utf8(record.value.expect("no tombstones here")).expect("text")).collect()
}

/// Polls all members in turn, with ticks between, until nobody hears anything new.
fn settle(cluster: &FakeCluster, members: &mut [&mut FakeMembership]) -> Vec<Vec<MembershipEvent>> {
    let mut heard = vec![Vec::new(); members.len()];
    let mut quiet = 0;
    while quiet < 3 {
        cluster.tick();
        quiet += 1;
        for (member, heard) in members.iter_mut().zip(&mut heard) {
            let events = member.poll(NOW).expect("nobody is fenced");
            quiet = if events.is_empty() { quiet } else { 0 };
            heard.extend(events);
        }
    }
    heard
}

/// What a member holds after these events.
fn held(events: &[MembershipEvent]) -> Vec<i32> {
    let mut held = std::collections::BTreeSet::new();
    for event in events {
        match event {
            MembershipEvent::Assigned { tokens, .. } => held.extend(tokens),
            MembershipEvent::Revoked { tokens } | MembershipEvent::Lost { tokens } => held.retain(|token| !tokens.contains(token)),
        }
    }
    held.into_iter().collect()
}

/// The generation of the last assignment.
fn captured(events: &[MembershipEvent]) -> crate::ports::Generation {
    let mut generations = events.iter().filter_map(|event| match event {
        MembershipEvent::Assigned { generation, .. } => Some(generation.clone()),
        MembershipEvent::Revoked { .. } | MembershipEvent::Lost { .. } => None,
    });
    generations.next_back().expect("there was an assignment")
}

fn offset(n: i64) -> Offset {
    Offset(n)
}
