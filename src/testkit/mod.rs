//! For tests: a topology without Kafka ([`TopologyTestDriver`]), an aggregate without a topology ([`Decisions`]), and a whole fake
//! cluster behind the ports ([`cluster`]).

pub mod cluster;
mod decisions;
mod test_driver;

pub use decisions::{Decided, Decisions};
pub use test_driver::TopologyTestDriver;
