//! The views of the order system, one file a view.

mod order_json;
mod order_row;
mod order_status;
pub mod orders;
mod sequence;

pub use order_json::{OrderJson, etag};
pub use order_row::Order;
#[cfg(test)]
pub use order_status::{OrderStatus, PaymentStatus, ShippingStatus};

#[cfg(test)]
mod tests;
