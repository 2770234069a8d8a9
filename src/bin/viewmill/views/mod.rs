//! The views of the order system, one file a view.

mod by_status;
mod order_json;
mod order_row;
mod order_status;
pub mod orders;
mod places;
mod sequence;
pub mod stats;

pub use by_status::ByStatus;
pub use order_json::{OrderJson, etag};
pub use order_row::Order;
pub use order_status::{OrderStatus, PaymentStatus};
pub use places::Places;

#[cfg(test)]
pub(crate) mod tests;
