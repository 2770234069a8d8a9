//! `ORDER_*`: what was decided about an order.

use std::sync::Arc;

use serde::de::{self, MapAccess};

use super::Body;
use super::address::Address;
use super::item::{Item, Items};
use super::object::{FieldReader, JsonText, Object, Slot};
use super::read::Data;
use super::text::Text;
use super::time::{Day, Time};
use crate::money::{Currency, Money};

/// What was decided about an order. Reasons and notes are for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// `ORDER_CREATED`.
    Created(OrderCreated),
    /// `ORDER_APPROVED`.
    Approved {
        /// What the approver wrote.
        note: Option<Text>,
    },
    /// `ORDER_REJECTED`.
    Rejected {
        /// Why.
        reason: Option<Text>,
    },
    /// `ORDER_SHIPPED`.
    Shipped(OrderShipped),
    /// `ORDER_DELIVERED`.
    Delivered {
        /// When, if not at event time; milliseconds since the Unix epoch.
        delivered_at: Option<i64>,
    },
    /// `ORDER_CANCELLED`.
    Cancelled {
        /// Why.
        reason: Option<Text>,
    },
    /// `ORDER_ADDRESS_CHANGED`: the only one that leaves the status as it is.
    AddressChanged {
        /// The new address.
        shipping_address: Arc<Address>,
    },
}

/// `ORDER_CREATED`: an order as it was placed. Totals and dates are what the log says; nothing is recalculated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderCreated {
    /// Who ordered.
    pub user_id: Text,
    /// The lines.
    pub items: Arc<[Item]>,
    /// What is due.
    pub total_amount: Money,
    /// The currency of all amounts of the order; none stands for the configured one.
    pub currency: Option<Currency>,
    /// Where it goes.
    pub shipping_address: Option<Arc<Address>>,
    /// When it should arrive, as decided once; milliseconds since the Unix epoch.
    pub estimated_delivery: Option<i64>,
}

/// `ORDER_SHIPPED`: the parcel was handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderShipped {
    /// When, if not at event time; milliseconds since the Unix epoch.
    pub shipped_at: Option<i64>,
    /// Who carries it.
    pub carrier: Option<Text>,
    /// The carrier's number for the parcel.
    pub tracking_number: Option<Text>,
}

/// The types of [`OrderEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderKind {
    Created,
    Approved,
    Rejected,
    Shipped,
    Delivered,
    Cancelled,
    AddressChanged,
}

impl OrderKind {
    pub(super) fn from_name(name: &str) -> Option<OrderKind> {
        Some(match name {
            "ORDER_CREATED" => OrderKind::Created,
            "ORDER_APPROVED" => OrderKind::Approved,
            "ORDER_REJECTED" => OrderKind::Rejected,
            "ORDER_SHIPPED" => OrderKind::Shipped,
            "ORDER_DELIVERED" => OrderKind::Delivered,
            "ORDER_CANCELLED" => OrderKind::Cancelled,
            "ORDER_ADDRESS_CHANGED" => OrderKind::AddressChanged,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            OrderKind::Created => "ORDER_CREATED",
            OrderKind::Approved => "ORDER_APPROVED",
            OrderKind::Rejected => "ORDER_REJECTED",
            OrderKind::Shipped => "ORDER_SHIPPED",
            OrderKind::Delivered => "ORDER_DELIVERED",
            OrderKind::Cancelled => "ORDER_CANCELLED",
            OrderKind::AddressChanged => "ORDER_ADDRESS_CHANGED",
        }
    }
}

impl OrderEvent {
    pub(super) fn kind(&self) -> OrderKind {
        match self {
            OrderEvent::Created(_) => OrderKind::Created,
            OrderEvent::Approved { .. } => OrderKind::Approved,
            OrderEvent::Rejected { .. } => OrderKind::Rejected,
            OrderEvent::Shipped(_) => OrderKind::Shipped,
            OrderEvent::Delivered { .. } => OrderKind::Delivered,
            OrderEvent::Cancelled { .. } => OrderKind::Cancelled,
            OrderEvent::AddressChanged { .. } => OrderKind::AddressChanged,
        }
    }
}

/// The fields of all `ORDER_*`; each type looks only at its own.
pub(super) struct OrderFields<'de> {
    kind: OrderKind,
    order_id: Slot<JsonText<'de>>,
    user_id: Slot<JsonText<'de>>,
    items: Slot<Items>,
    total_amount: Slot<Money>,
    currency: Slot<Currency>,
    shipping_address: Slot<Address>,
    estimated_delivery: Slot<Day>,
    /// A reason or a note.
    remark: Slot<JsonText<'de>>,
    /// When it was shipped or delivered.
    at: Slot<Time>,
    carrier: Slot<JsonText<'de>>,
    tracking_number: Slot<JsonText<'de>>,
}

impl OrderFields<'_> {
    pub(super) fn new(kind: OrderKind) -> Self {
        OrderFields {
            kind,
            order_id: Slot::Unread,
            user_id: Slot::Unread,
            items: Slot::Unread,
            total_amount: Slot::Unread,
            currency: Slot::Unread,
            shipping_address: Slot::Unread,
            estimated_delivery: Slot::Unread,
            remark: Slot::Unread,
            at: Slot::Unread,
            carrier: Slot::Unread,
            tracking_number: Slot::Unread,
        }
    }
}

impl<'de> Object<'de> for OrderFields<'de> {
    type Output = Data<'de>;
    const NAME: &'static str = "the data of an order event";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, reader: FieldReader<'_, A>) -> Result<(), A::Error> {
        match (name, self.kind) {
            ("orderId", _) => reader.read(&mut self.order_id),
            ("userId", OrderKind::Created) => reader.read(&mut self.user_id),
            ("items", OrderKind::Created) => reader.read(&mut self.items),
            ("totalAmount", OrderKind::Created) => reader.read(&mut self.total_amount),
            ("currency", OrderKind::Created) => reader.read(&mut self.currency),
            ("shippingAddress", OrderKind::Created | OrderKind::AddressChanged) => reader.read(&mut self.shipping_address),
            ("estimatedDelivery", OrderKind::Created) => reader.read(&mut self.estimated_delivery),
            ("note", OrderKind::Approved) => reader.read(&mut self.remark),
            ("reason", OrderKind::Rejected | OrderKind::Cancelled) => reader.read(&mut self.remark),
            ("shippedAt", OrderKind::Shipped) | ("deliveredAt", OrderKind::Delivered) => reader.read(&mut self.at),
            ("carrier", OrderKind::Shipped) => reader.read(&mut self.carrier),
            ("trackingNumber", OrderKind::Shipped) => reader.read(&mut self.tracking_number),
            _ => reader.skip(),
        }
    }

    fn build<E: de::Error>(self) -> Result<Data<'de>, E> {
        let event = match self.kind {
            OrderKind::Created => OrderEvent::Created(OrderCreated {
                user_id: self.user_id.required_owned("userId")?,
                items: self.items.required::<E>("items")?.0,
                total_amount: not_negative("totalAmount", self.total_amount.required("totalAmount")?)?,
                currency: self.currency.optional(),
                shipping_address: self.shipping_address.optional().map(Arc::new),
                estimated_delivery: self.estimated_delivery.optional().map(|day| day.0),
            }),
            OrderKind::Approved => OrderEvent::Approved { note: self.remark.owned() },
            OrderKind::Rejected => OrderEvent::Rejected { reason: self.remark.owned() },
            OrderKind::Shipped => OrderEvent::Shipped(OrderShipped {
                shipped_at: self.at.optional().map(|time| time.0),
                carrier: self.carrier.owned(),
                tracking_number: self.tracking_number.owned(),
            }),
            OrderKind::Delivered => OrderEvent::Delivered { delivered_at: self.at.optional().map(|time| time.0) },
            OrderKind::Cancelled => OrderEvent::Cancelled { reason: self.remark.owned() },
            OrderKind::AddressChanged => {
                OrderEvent::AddressChanged { shipping_address: Arc::new(self.shipping_address.required("shippingAddress")?) }
            }
        };
        Ok(Data { body: Body::Order(event), order_id: self.order_id.optional() })
    }
}

/// An amount that somebody pays; less than nothing would silently turn a revenue around.
pub(super) fn not_negative<E: de::Error>(name: &str, amount: Money) -> Result<Money, E> {
    if amount.is_negative() { Err(E::custom(format_args!("{name}: is negative ({amount})"))) } else { Ok(amount) }
}
