//! The views of the order system, one file a view.

mod by_status;
mod order_json;
mod order_row;
mod order_status;
pub mod orders;
mod sequence;
pub mod stats;

pub use by_status::ByStatus;
pub use order_json::{OrderJson, entity_tag, etag};
pub use order_row::{Ids, Latest, Order};
pub use order_status::{OrderStatus, PaymentStatus, ShippingStatus};
pub use sequence::{Arrival, Sequence};

#[cfg(test)]
mod tests;
