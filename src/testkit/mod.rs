//! For tests: a topology without Kafka ([`TopologyTestDriver`]), and a whole fake cluster behind the ports ([`cluster`]).

mod test_driver;

pub use test_driver::TopologyTestDriver;
