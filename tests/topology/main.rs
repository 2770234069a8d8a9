//! Topologies and the order views on the test driver: no broker, no threads, no clock.

mod atomic_records;
mod bank;
mod building;
mod derived;
mod describe;
mod first_view;
mod imports;
mod named_tests;
mod positioned_sinks;
mod word_count;
