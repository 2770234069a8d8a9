//! `PAYMENT_*`: what was paid for an order, in the order's currency.

use serde::de::{self, MapAccess};

use super::Body;
use super::object::{FieldReader, JsonText, Object, Slot};
use super::order::not_negative;
use super::read::Data;
use super::text::Text;
use crate::money::Money;

/// What was paid for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentEvent {
    /// `PAYMENT_COMPLETED`.
    Completed(PaymentCompleted),
    /// `PAYMENT_FAILED`.
    Failed(PaymentFailed),
    /// `PAYMENT_REFUNDED`.
    Refunded(PaymentRefunded),
}

/// `PAYMENT_COMPLETED`: money arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentCompleted {
    /// The payment's id: the same one twice is one payment.
    pub payment_id: Text,
    /// Card, transfer, …
    pub method: Option<Text>,
    /// How much.
    pub amount: Money,
}

/// `PAYMENT_FAILED`: an attempt that brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentFailed {
    /// The payment's id.
    pub payment_id: Text,
    /// Why, in the payment service's words.
    pub code: Option<Text>,
}

/// `PAYMENT_REFUNDED`: money went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRefunded {
    /// The payment that it was part of.
    pub payment_id: Text,
    /// The refund's id: the same one twice is one refund.
    pub refund_id: Text,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: Option<Text>,
}

/// The types of [`PaymentEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PaymentKind {
    Completed,
    Failed,
    Refunded,
}

impl PaymentKind {
    pub(super) fn from_name(name: &str) -> Option<PaymentKind> {
        Some(match name {
            "PAYMENT_COMPLETED" => PaymentKind::Completed,
            "PAYMENT_FAILED" => PaymentKind::Failed,
            "PAYMENT_REFUNDED" => PaymentKind::Refunded,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            PaymentKind::Completed => "PAYMENT_COMPLETED",
            PaymentKind::Failed => "PAYMENT_FAILED",
            PaymentKind::Refunded => "PAYMENT_REFUNDED",
        }
    }
}

impl PaymentEvent {
    pub(super) fn kind(&self) -> PaymentKind {
        match self {
            PaymentEvent::Completed(_) => PaymentKind::Completed,
            PaymentEvent::Failed(_) => PaymentKind::Failed,
            PaymentEvent::Refunded(_) => PaymentKind::Refunded,
        }
    }
}

/// The fields of all `PAYMENT_*`; each type looks only at its own.
pub(super) struct PaymentFields<'de> {
    kind: PaymentKind,
    order_id: Slot<JsonText<'de>>,
    payment_id: Slot<JsonText<'de>>,
    refund_id: Slot<JsonText<'de>>,
    method: Slot<JsonText<'de>>,
    amount: Slot<Money>,
    code: Slot<JsonText<'de>>,
    reason: Slot<JsonText<'de>>,
}

impl PaymentFields<'_> {
    pub(super) fn new(kind: PaymentKind) -> Self {
        PaymentFields {
            kind,
            order_id: Slot::Unread,
            payment_id: Slot::Unread,
            refund_id: Slot::Unread,
            method: Slot::Unread,
            amount: Slot::Unread,
            code: Slot::Unread,
            reason: Slot::Unread,
        }
    }
}

impl<'de> Object<'de> for PaymentFields<'de> {
    type Output = Data<'de>;
    const NAME: &'static str = "the data of a payment event";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, reader: FieldReader<'_, A>) -> Result<(), A::Error> {
        match (name, self.kind) {
            ("orderId", _) => reader.read(&mut self.order_id),
            ("paymentId", _) => reader.read(&mut self.payment_id),
            ("amount", PaymentKind::Completed | PaymentKind::Refunded) => reader.read(&mut self.amount),
            ("method", PaymentKind::Completed) => reader.read(&mut self.method),
            ("code", PaymentKind::Failed) => reader.read(&mut self.code),
            ("refundId", PaymentKind::Refunded) => reader.read(&mut self.refund_id),
            ("reason", PaymentKind::Refunded) => reader.read(&mut self.reason),
            _ => reader.skip(),
        }
    }

    fn build<E: de::Error>(self) -> Result<Data<'de>, E> {
        let payment_id = self.payment_id.required_owned("paymentId")?;
        let event = match self.kind {
            PaymentKind::Completed => PaymentEvent::Completed(PaymentCompleted {
                payment_id,
                method: self.method.owned(),
                amount: not_negative("amount", self.amount.required("amount")?)?,
            }),
            PaymentKind::Failed => PaymentEvent::Failed(PaymentFailed { payment_id, code: self.code.owned() }),
            PaymentKind::Refunded => PaymentEvent::Refunded(PaymentRefunded {
                payment_id,
                refund_id: self.refund_id.required_owned("refundId")?,
                amount: not_negative("amount", self.amount.required("amount")?)?,
                reason: self.reason.owned(),
            }),
        };
        Ok(Data { body: Body::Payment(event), order_id: self.order_id.optional() })
    }
}
