//! The three independent statuses of an order. Their places in these lists are stored: new ones go to the end.

use serde::{Deserialize, Serialize};
use viewmill::{CodecError, KeyCodec};

use crate::events::ShipmentStep;
use crate::money::Money;

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

impl OrderStatus {
    /// Every status, each at its place.
    pub const ALL: [OrderStatus; 6] = [
        OrderStatus::Created,
        OrderStatus::Approved,
        OrderStatus::Rejected,
        OrderStatus::Shipped,
        OrderStatus::Delivered,
        OrderStatus::Cancelled,
    ];

    /// As in JSON and in URLs.
    pub fn name(self) -> &'static str {
        match self {
            OrderStatus::Created => "CREATED",
            OrderStatus::Approved => "APPROVED",
            OrderStatus::Rejected => "REJECTED",
            OrderStatus::Shipped => "SHIPPED",
            OrderStatus::Delivered => "DELIVERED",
            OrderStatus::Cancelled => "CANCELLED",
        }
    }

    /// The byte that stands for it in keys on disk. A tag is never used again for another status.
    fn tag(self) -> u8 {
        match self {
            OrderStatus::Created => 1,
            OrderStatus::Approved => 2,
            OrderStatus::Rejected => 3,
            OrderStatus::Shipped => 4,
            OrderStatus::Delivered => 5,
            OrderStatus::Cancelled => 6,
        }
    }
}

impl KeyCodec for OrderStatus {
    fn encode_key(&self, out: &mut Vec<u8>) {
        self.tag().encode_key(out);
    }

    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        let tag = u8::decode_key(input)?;
        let status = OrderStatus::ALL.into_iter().find(|status| status.tag() == tag);
        status.ok_or_else(|| CodecError::new(format!("key has {tag} where an order's status is expected")))
    }

    fn key_shape() -> String {
        u8::key_shape()
    }
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

impl PaymentStatus {
    /// What the sums say, and whether any payment arrived or failed. Neither order nor repetition of events can spoil it.
    pub fn of(paid: Money, refunded: Money, any_arrived: bool, any_failed: bool) -> PaymentStatus {
        if refunded > Money::ZERO && refunded >= paid {
            PaymentStatus::Refunded
        } else if refunded > Money::ZERO {
            PaymentStatus::PartiallyRefunded
        } else if any_arrived {
            PaymentStatus::Paid
        } else if any_failed {
            PaymentStatus::Failed
        } else {
            PaymentStatus::Pending
        }
    }

    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            PaymentStatus::Pending => "PENDING",
            PaymentStatus::Paid => "PAID",
            PaymentStatus::Failed => "FAILED",
            PaymentStatus::PartiallyRefunded => "PARTIALLY_REFUNDED",
            PaymentStatus::Refunded => "REFUNDED",
        }
    }
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

impl From<ShipmentStep> for ShippingStatus {
    fn from(step: ShipmentStep) -> Self {
        match step {
            ShipmentStep::Created => ShippingStatus::Preparing,
            ShipmentStep::InTransit => ShippingStatus::InTransit,
            ShipmentStep::OutForDelivery => ShippingStatus::OutForDelivery,
            ShipmentStep::Delivered => ShippingStatus::Delivered,
            ShipmentStep::DeliveryFailed => ShippingStatus::DeliveryFailed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_place_its_name_and_its_key() {
        for (place, status) in OrderStatus::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, place);
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
            let mut key = Vec::new();
            status.encode_key(&mut key);
            assert_eq!(OrderStatus::decode_key(&mut key.as_slice()).unwrap(), status);
        }
        for status in
            [PaymentStatus::Pending, PaymentStatus::Paid, PaymentStatus::Failed, PaymentStatus::PartiallyRefunded, PaymentStatus::Refunded]
        {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        assert!(OrderStatus::decode_key(&mut [0].as_slice()).unwrap_err().to_string().contains("0 where an order's status"));
    }
}
