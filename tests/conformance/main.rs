//! One list of cases that any Kafka broker passes, run the same against a real Apache Kafka and against the embedded broker, through
//! clients that we did not write: librdkafka (here, by the crate that the engine uses, and under confluent-kafka in `python/`), Kafka's own
//! Java client (`java/`), aiokafka, kcat and Kafka's own tools. What differs between the two brokers is a fault of the embedded one.
//!
//! `VIEWMILL_TEST_CASES=TEXT` runs those cases alone whose names contain it.
// Deadlines here are the real machine's.
#![allow(clippy::disallowed_methods)]

mod cases;
mod crash;
mod durability;
mod kit;
mod listening;
mod outcome;
mod programs;
mod target;

use std::sync::{Mutex, PoisonError};

use outcome::Outcome;
use programs::Program;
use target::Target;

/// They take both of a small machine's cores.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Fewer would mean that a part of the list was not found.
const AT_LEAST: usize = 200;

#[test]
fn real_kafka_passes_every_case() {
    passes_every_case(Target::shared_kafka);
}

#[test]
fn the_embedded_broker_passes_every_case() {
    passes_every_case(Target::embedded);
}

#[test]
fn real_kafka_keeps_what_it_acknowledged_when_it_is_killed() {
    let _turn = turn();
    durability::keeps_what_it_acknowledged(Target::own_kafka());
}

#[test]
fn the_embedded_broker_keeps_what_it_acknowledged_when_it_is_killed() {
    let _turn = turn();
    durability::keeps_what_it_acknowledged(Target::embedded());
}

/// That the demands of the next test are those of any broker.
#[test]
fn real_kafka_is_killed_under_transactions() {
    let _turn = turn();
    crash::kills(Target::own_kafka(), 2);
}

#[test]
fn the_embedded_broker_is_killed_fifty_times_under_transactions() {
    let _turn = turn();
    crash::kills(Target::embedded(), crash::kills_wanted());
}

fn turn() -> std::sync::MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn passes_every_case(target: impl Fn() -> Target) {
    let _turn = turn();
    let target = target();
    let only = std::env::var("VIEWMILL_TEST_CASES").unwrap_or_default();
    let mut outcomes = programs::run(&Program::java(), target.address(), &only);
    // The Python cases mostly wait.
    let python = std::thread::scope(|scope| {
        let python = scope.spawn(|| programs::run(&Program::Python, target.address(), &only));
        outcomes.extend(cases::run(target.address(), &only));
        python.join().unwrap()
    });
    outcomes.extend(python);
    Outcome::report(&outcomes);
    let failures = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    assert_eq!(failures, 0, "of {} cases against {} {failures} failed; they stand above", outcomes.len(), target.name());
    assert!(!only.is_empty() || outcomes.len() >= AT_LEAST, "only {} cases were found", outcomes.len());
}
