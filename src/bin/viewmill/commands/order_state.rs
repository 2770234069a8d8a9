//! What the write side remembers of an order: as much as decisions need, and no more.
//!
//! The events of all three topics move it as they move a row of the view `orders`: each counts once, by its version; those of one topic
//! never touch what belongs to another; what comes before its order makes a shell. The binary form is positional: a field that is
//! added, moved or removed needs a new schema version.

use serde::{Deserialize, Serialize};
use viewmill::{StoreValue, Timestamp};

use crate::events::{Axis, Body, Event, OrderEvent, PaymentEvent, Text};
use crate::money::{Currency, Money, MoneyError};
use crate::views::{Arrival, Ids, Latest, OrderStatus, PaymentStatus, Sequence, ShippingStatus};

/// What decisions need to know of one order. Without [`OrderState::created_at`] it is a shell: events came before their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderState {
    /// When it was placed, milliseconds since the Unix epoch; none in a shell, which counts as no order.
    pub created_at: Option<i64>,
    /// Who ordered.
    pub user_id: Text,
    /// What is due.
    pub total: Money,
    /// The currency of all amounts.
    pub currency: Currency,
    /// The sum of all payments.
    pub paid: Money,
    /// The sum of all refunds.
    pub refunded: Money,
    /// The ids of payments that arrived.
    pub payments: Ids,
    /// The ids of payments that failed.
    pub failures: Ids,
    /// The ids of refunds.
    pub refunds: Ids,
    /// Where the parcel is.
    pub shipping_status: ShippingStatus,
    /// The parcel's number, as decided with `ORDER_SHIPPED`.
    pub tracking_number: Latest<Text>,
    status: Latest<OrderStatus>,
    order_versions: Sequence,
    payment_versions: Sequence,
    shipping_versions: Sequence,
}

impl StoreValue for OrderState {}

impl OrderState {
    /// Events came, but not yet the one that created the order.
    pub fn is_shell(&self) -> bool {
        self.created_at.is_none()
    }

    /// What was decided.
    pub fn status(&self) -> OrderStatus {
        self.status.get().copied().unwrap_or_default()
    }

    /// How the payment stands.
    pub fn payment_status(&self) -> PaymentStatus {
        PaymentStatus::of(self.paid, self.refunded, !self.payments.is_empty(), !self.failures.is_empty())
    }

    /// The versions seen of one topic.
    pub fn versions(&self, axis: Axis) -> &Sequence {
        match axis {
            Axis::Order => &self.order_versions,
            Axis::Payment => &self.payment_versions,
            Axis::Shipping => &self.shipping_versions,
        }
    }

    /// Takes an event; one that was seen before changes nothing. `time` is that of the record, for an event that carries none.
    ///
    /// # Errors
    /// A sum would have more digits than can be kept exactly; nothing is changed.
    pub fn apply(&mut self, event: &Event, time: Timestamp) -> Result<(), MoneyError> {
        let (version, event_id) = (event.envelope.version(), event.envelope.event_id());
        let versions = self.versions(event.axis());
        let arrival = versions.arrival(version, event_id);
        if arrival.is_known() {
            return Ok(());
        }
        let place = versions.place(version);
        match &event.body {
            Body::Order(body) => self.decided(body, place, event.envelope.time_ms().unwrap_or(time.as_millis())),
            Body::Payment(body) => self.paid(body)?,
            // Every step moves the status, so the highest version has the last word.
            Body::Shipment(body) if arrival != Arrival::Late => self.shipping_status = body.step.into(),
            Body::Shipment(_) => {}
        }
        let versions = match event.axis() {
            Axis::Order => &mut self.order_versions,
            Axis::Payment => &mut self.payment_versions,
            Axis::Shipping => &mut self.shipping_versions,
        };
        versions.record(version, event_id);
        Ok(())
    }

    fn decided(&mut self, event: &OrderEvent, place: u64, at: i64) {
        let status = match event {
            OrderEvent::Created(_) if !self.is_shell() => return,
            OrderEvent::Created(created) => {
                self.created_at = Some(at);
                self.user_id = created.user_id.clone();
                self.total = created.total_amount;
                self.currency = created.currency.unwrap_or_default();
                OrderStatus::Created
            }
            OrderEvent::Approved { .. } => OrderStatus::Approved,
            OrderEvent::Rejected { .. } => OrderStatus::Rejected,
            OrderEvent::Shipped(shipped) => {
                if let Some(number) = &shipped.tracking_number {
                    self.tracking_number.set(place, number.clone());
                }
                OrderStatus::Shipped
            }
            OrderEvent::Delivered { .. } => OrderStatus::Delivered,
            OrderEvent::Cancelled { .. } => OrderStatus::Cancelled,
            OrderEvent::AddressChanged { .. } => return,
        };
        self.status.set(place, status);
    }

    fn paid(&mut self, event: &PaymentEvent) -> Result<(), MoneyError> {
        match event {
            PaymentEvent::Completed(payment) if !self.payments.contains(&payment.payment_id) => {
                self.paid = self.paid.checked_add(payment.amount)?;
                self.payments.add(&payment.payment_id);
            }
            PaymentEvent::Failed(failure) if !self.failures.contains(&failure.payment_id) => self.failures.add(&failure.payment_id),
            PaymentEvent::Refunded(refund) if !self.refunds.contains(&refund.refund_id) => {
                self.refunded = self.refunded.checked_add(refund.amount)?;
                self.refunds.add(&refund.refund_id);
            }
            _ => {}
        }
        Ok(())
    }
}
