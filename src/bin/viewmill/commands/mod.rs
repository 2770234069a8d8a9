//! The write side of the order system: what can be asked of an order, and what it leads to.
//!
//! [`OrderCommand`] is what is asked, [`OrderAggregate`] decides: both are pure. Reading a command finds all its faults at once;
//! deciding looks at what is known of the order, which is its row in the view `orders`.

mod create_order;
mod fault;
mod form;
mod headers;
mod order_aggregate;
mod order_command;
mod read;
mod step;
mod write;

pub use create_order::CreateOrder;
pub use order_aggregate::OrderAggregate;
pub use order_command::{OrderCommand, RefundPayment};
pub use step::Step;

#[cfg(test)]
mod tests;
