//! Tests under faults on purpose, with programs that were built with the feature `faults`, on a real Apache Kafka.
//!
//! They stand on the same support as the broker tests, which run a normal build, and run beside each other: they mostly wait.
//! `VIEWMILL_FAULT_RECORDS` and `VIEWMILL_FAULT_CYCLES` say how much is done; docs/fault-tests.md lists what is shown.
// Deadlines here are the real machine's.
#![allow(clippy::disallowed_methods)]

mod away;
mod broker;
mod building;
mod killing;
mod moving;
mod pausing;
mod points;
mod races;
mod sabotage;
mod soak;
// The broker tests use the rest.
#[allow(dead_code, unused_imports)]
#[path = "../broker/support/mod.rs"]
mod support;
mod workload;

/// Running functions and unique ids: `tests/faults/program/`.
pub const TOPOLOGIES: &str = env!("CARGO_BIN_EXE_fault-topologies");
/// The order system.
pub const ORDERS: &str = env!("CARGO_BIN_EXE_viewmill");
