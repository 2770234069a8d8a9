//! Tests under faults on purpose, with programs that were built with the feature `faults`, on a real Apache Kafka.
//!
//! They stand on the same support as the broker tests, which run a normal build.
// Deadlines here are the real machine's.
#![allow(clippy::disallowed_methods)]

mod building;
// The broker tests use the rest.
#[allow(dead_code, unused_imports)]
#[path = "../broker/support/mod.rs"]
mod support;

/// Running functions and unique ids: `tests/faults/program/`.
pub const TOPOLOGIES: &str = env!("CARGO_BIN_EXE_fault-topologies");
/// The order system.
pub const ORDERS: &str = env!("CARGO_BIN_EXE_viewmill");
