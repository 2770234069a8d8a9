//! The three independent statuses of an order. Their places in these lists are stored: new ones go to the end.

use serde::{Deserialize, Serialize};

/// What was decided about an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Placed, waiting for approval.
    #[default]
    Created,
    /// Accepted.
    Approved,
    /// Refused.
    Rejected,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Called off.
    Cancelled,
}

/// How the payment of an order stands: what its sums say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    /// Nothing was tried.
    #[default]
    Pending,
    /// Paid, nothing given back.
    Paid,
    /// Tried in vain.
    Failed,
    /// Paid, and a part given back.
    PartiallyRefunded,
    /// All that was paid was given back.
    Refunded,
}

/// Where the parcel of an order is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ShippingStatus {
    /// There is none.
    #[default]
    NotShipped,
    /// Being packed.
    Preparing,
    /// With the carrier.
    InTransit,
    /// On the last mile.
    OutForDelivery,
    /// Arrived.
    Delivered,
    /// Could not be handed over.
    DeliveryFailed,
}
