//! A row of the view `orders`: all that is known of one order.
//!
//! Every field belongs to exactly one of the three topics, and where the answer mixes them (the carrier) they are mixed
//! on reading. So the order in which the topics are interleaved cannot matter.
//!
//! A row is cloned for every event that changes it, so what is large or rarely changes is shared. All times are
//! milliseconds since the Unix epoch. The binary form is positional: a field that is added, moved or removed needs a new
//! schema version.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use viewmill::codec::{decode_body, decode_head, encode_body};
use viewmill::{CodecError, StoreValue};

use super::order_status::{OrderStatus, PaymentStatus, ShippingStatus};
use super::places::Places;
use super::sequence::Sequence;
use crate::events::{Address, Axis, Item, Text};
use crate::money::{Currency, Money};

/// The most status changes that are kept; the oldest go first.
const MAX_STATUS_CHANGES: usize = 100;

/// The most payments, and refunds, whose ids are remembered; the oldest are forgotten first.
const MAX_IDS: usize = 64;

/// All that is known of one order. A row without [`Order::created_at`] is a shell: events came before their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// When the order was placed; none in a shell, which is hidden from every answer.
    pub created_at: Option<i64>,
    /// The latest event time of all that changed the row.
    pub updated_at: i64,
    /// Who ordered; empty in a shell.
    pub user_id: Text,
    /// What was decided.
    pub status: OrderStatus,
    /// How the payment stands.
    pub payment_status: PaymentStatus,
    /// Where the parcel is.
    pub shipping_status: ShippingStatus,
    /// The lines.
    pub items: Arc<[Item]>,
    /// What is due.
    pub total_amount: Money,
    /// The sum of all payments.
    pub paid_amount: Money,
    /// The sum of all refunds.
    pub refunded_amount: Money,
    /// The currency of all amounts.
    pub currency: Currency,
    /// When it should arrive, as decided once.
    pub estimated_delivery: Option<i64>,
    /// Where it goes.
    pub shipping_address: Latest<Arc<Address>>,
    /// When it was approved.
    pub approved_at: Latest<i64>,
    /// When it was handed to the carrier.
    pub shipped_at: Latest<i64>,
    /// When it arrived, in the words of `ORDER_DELIVERED`.
    pub delivered_at: Latest<i64>,
    /// When it was last paid.
    pub paid_at: Latest<i64>,
    /// How it was last paid.
    pub payment_method: Latest<Text>,
    /// The parcel as `ORDER_SHIPPED` tells it.
    pub order_parcel: Parcel,
    /// The parcel as the warehouse tells it.
    pub(super) warehouse_parcel: Parcel,
    /// What the status was, oldest first, by version; the last 100.
    pub status_history: Arc<[StatusChange]>,
    /// The versions seen of `order-events`.
    pub order_versions: Sequence,
    /// The versions seen of `payment-events`.
    pub payment_versions: Sequence,
    /// The versions seen of `shipping-events`.
    pub shipping_versions: Sequence,
    pub(super) payment_failed: bool,
    /// The ids of payments that arrived.
    pub payments: Ids,
    /// The ids of refunds.
    pub refunds: Ids,
    /// The ids of payments that failed.
    pub failures: Ids,
    /// Where its events stand in the log.
    pub places: Places,
}

impl StoreValue for Order {
    const SCHEMA: u16 = 2;

    /// Version 1 ended before [`Order::failures`].
    fn upgrade(from: u16, body: &[u8]) -> Result<Self, CodecError> {
        if from != 1 {
            return Err(CodecError::schema(from, Self::SCHEMA));
        }
        let mut body = body.to_vec();
        encode_body(&(Ids::default(), Places::unknown()), &mut body)?;
        decode_body(&body)
    }

    /// The indexes look at [`Order::created_at`] and [`Order::status`], which are among the first fields.
    fn decode_indexed(body: &[u8]) -> Result<Self, CodecError> {
        let (created_at, updated_at, user_id, status) = decode_head(body)?;
        Ok(Order { created_at, updated_at, user_id, status, ..Order::shell() })
    }
}

/// A change of the status of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// The status from then on.
    pub status: OrderStatus,
    /// When.
    pub at: i64,
    /// Where it stands among the others: its version, or the last version before it.
    pub(super) place: u64,
    /// It has a version.
    pub(super) versioned: bool,
}

impl StatusChange {
    /// The event's version, if it had one.
    pub fn version(&self) -> Option<u64> {
        self.versioned.then_some(self.place)
    }
}

/// A value that the event with the highest version decides, whichever comes last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest<T>(Option<Placed<T>>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Placed<T> {
    place: u64,
    value: T,
}

/// Who carries a parcel, and under which number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// Who carries it.
    pub carrier: Latest<Text>,
    /// Under which number.
    pub tracking_number: Latest<Text>,
}

/// A bounded set of ids, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids(Vec<Text>);

impl Order {
    /// A row that nothing is known about, in the currency that is assumed until the order tells its own.
    pub(super) fn shell() -> Order {
        Order {
            created_at: None,
            updated_at: i64::MIN,
            user_id: Text::default(),
            status: OrderStatus::default(),
            payment_status: PaymentStatus::default(),
            shipping_status: ShippingStatus::default(),
            items: Arc::default(),
            total_amount: Money::ZERO,
            paid_amount: Money::ZERO,
            refunded_amount: Money::ZERO,
            currency: Currency::DEFAULT,
            estimated_delivery: None,
            shipping_address: Latest::default(),
            approved_at: Latest::default(),
            shipped_at: Latest::default(),
            delivered_at: Latest::default(),
            paid_at: Latest::default(),
            payment_method: Latest::default(),
            order_parcel: Parcel::default(),
            warehouse_parcel: Parcel::default(),
            status_history: Arc::default(),
            order_versions: Sequence::default(),
            payment_versions: Sequence::default(),
            shipping_versions: Sequence::default(),
            payment_failed: false,
            payments: Ids::default(),
            refunds: Ids::default(),
            failures: Ids::default(),
            places: Places::default(),
        }
    }

    /// Events came, but not yet the one that created the order: hidden from every answer.
    pub fn is_shell(&self) -> bool {
        self.created_at.is_none()
    }

    /// The versions seen of one topic.
    pub fn versions(&self, axis: Axis) -> &Sequence {
        match axis {
            Axis::Order => &self.order_versions,
            Axis::Payment => &self.payment_versions,
            Axis::Shipping => &self.shipping_versions,
        }
    }

    /// Who carries it: as decided with `ORDER_SHIPPED`, else as the warehouse tells.
    pub fn carrier(&self) -> Option<&str> {
        self.order_parcel.carrier.get().or(self.warehouse_parcel.carrier.get()).map(|text| &**text)
    }

    /// The carrier's number: as decided with `ORDER_SHIPPED`, else as the warehouse tells.
    pub fn tracking_number(&self) -> Option<&str> {
        self.order_parcel.tracking_number.get().or(self.warehouse_parcel.tracking_number.get()).map(|text| &**text)
    }

    /// Moves the status, unless an event of a higher version has already moved it further.
    pub(super) fn change_status(&mut self, change: StatusChange) {
        let mut history = self.status_history.to_vec();
        let at = history.partition_point(|earlier| earlier.place <= change.place);
        history.insert(at, change);
        let surplus = history.len().saturating_sub(MAX_STATUS_CHANGES);
        history.drain(..surplus);
        self.status = history.last().map_or(change.status, |last| last.status);
        self.status_history = history.into();
    }

    /// Sets the payment's status to what the sums say.
    pub(super) fn settle_payment(&mut self) {
        let any_arrived = !self.payments.is_empty();
        self.payment_status = PaymentStatus::of(self.paid_amount, self.refunded_amount, any_arrived, self.payment_failed);
    }
}

impl<T> Latest<T> {
    /// The value, if any event gave one.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|placed| &placed.value)
    }

    /// Takes the value of an event that stands at that place.
    pub(super) fn set(&mut self, place: u64, value: T) {
        if self.0.as_ref().is_none_or(|earlier| earlier.place <= place) {
            self.0 = Some(Placed { place, value });
        }
    }
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Latest(None)
    }
}

impl Parcel {
    /// Takes what an event at that place says; what it leaves out stays as it is.
    pub(super) fn set(&mut self, place: u64, carrier: Option<&Text>, tracking_number: Option<&Text>) {
        if let Some(carrier) = carrier {
            self.carrier.set(place, carrier.clone());
        }
        if let Some(tracking_number) = tracking_number {
            self.tracking_number.set(place, tracking_number.clone());
        }
    }
}

impl Ids {
    /// No id was ever added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// So many were added that the next one makes the oldest forgotten.
    pub fn is_full(&self) -> bool {
        self.0.len() == MAX_IDS
    }

    /// Whether it was added, and is not forgotten.
    pub fn contains(&self, id: &str) -> bool {
        self.0.iter().any(|known| **known == *id)
    }

    /// Adds an id that is not in it; beyond the bound the oldest is forgotten.
    pub(super) fn add(&mut self, id: &Text) {
        if self.is_full() {
            self.0.remove(0);
        }
        self.0.push(id.clone());
    }
}
