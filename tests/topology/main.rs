//! Topologies and the order views on the test driver: no broker, no threads, no clock.

mod atomic_records;
mod building;
mod derived;
mod describe;
mod imports;
mod word_count;
