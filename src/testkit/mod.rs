//! For tests: a topology without Kafka ([`TopologyTestDriver`]), and a whole fake cluster behind the ports ([`cluster`]).

pub mod cluster;
mod test_driver;

pub use test_driver::TopologyTestDriver;
