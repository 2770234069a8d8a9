//! Tests of the real binary against a real Apache Kafka, which `scripts/test` starts once for all of them.
//!
//! Each test has topics, a group and state directories of its own ([`support::Run`]), so they run beside each other.
// Deadlines here are the real machine's.
#![allow(clippy::disallowed_methods)]

mod at_least_once;
mod cli;
mod commands;
mod embedded;
mod harness;
mod lists;
mod members;
mod metrics;
mod openapi;
mod own_writes;
mod poison;
mod ports;
mod routes;
mod security;
mod spine;
mod start;
mod statistics;
mod support;
