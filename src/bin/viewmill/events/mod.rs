//! The events of the order system, as they stand in its topics.
//!
//! Three topics tell one order's story: what was decided about it (`ORDER_*`), what was paid (`PAYMENT_*`) and where the
//! parcel is (`SHIPMENT_*`). Each is an [`Event`]: an [`Envelope`] that says which order, which version and when, and a
//! [`Body`] that says what happened. [`Event::from_json`] accepts any bytes and answers with an event or an error that
//! names what is wrong; an unknown type is an error, never silence.

mod address;
mod envelope;
mod error;
mod event_json;
mod item;
mod object;
mod order;
mod packed;
mod payment;
mod read;
mod shipment;
mod text;
mod time;
mod write;

pub use address::{Address, AddressLines};
pub use envelope::{Envelope, EnvelopeParts};
#[cfg(test)]
use error::EventError;
pub use event_json::EventJson;
pub use item::Item;
pub use order::{OrderCreated, OrderEvent, OrderShipped};
pub use payment::{PaymentCompleted, PaymentEvent, PaymentFailed, PaymentRefunded};
pub use shipment::{ShipmentEvent, ShipmentStep};
pub use text::Text;
pub use time::{format_time, parse_time};

use order::OrderKind;
use payment::PaymentKind;

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which order, which version, when, and because of what.
    pub envelope: Envelope,
    /// What happened.
    pub body: Body,
}

/// What happened, by the topic that tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `ORDER_*`, in `order-events`.
    Order(OrderEvent),
    /// `PAYMENT_*`, in `payment-events`.
    Payment(PaymentEvent),
    /// `SHIPMENT_*`, in `shipping-events`.
    Shipment(ShipmentEvent),
}

/// The three independent sides of an order. Versions count per order and axis. Rows are stored in this order of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Axis {
    /// What was decided.
    Order,
    /// What was paid.
    Payment,
    /// Where the parcel is.
    Shipping,
}

impl Axis {
    /// All three.
    pub const ALL: [Axis; 3] = [Axis::Order, Axis::Payment, Axis::Shipping];

    /// The topic that holds this axis' events, without a prefix.
    pub fn topic(self) -> &'static str {
        match self {
            Axis::Order => "order-events",
            Axis::Payment => "payment-events",
            Axis::Shipping => "shipping-events",
        }
    }
}

impl Event {
    /// An event of our own making.
    pub fn new(parts: &EnvelopeParts<'_>, body: Body) -> Event {
        Event { envelope: Envelope::new(parts), body }
    }

    /// The order that it is about: equal to the record's key, or the record is misplaced.
    pub fn aggregate_id(&self) -> &str {
        self.envelope.aggregate_id()
    }

    /// The type as written in JSON, such as `ORDER_CREATED`.
    pub fn type_name(&self) -> &'static str {
        match &self.body {
            Body::Order(event) => event.kind().name(),
            Body::Payment(event) => event.kind().name(),
            Body::Shipment(event) => event.step.name(),
        }
    }

    /// The side of the order that it moves.
    pub fn axis(&self) -> Axis {
        self.body.axis()
    }
}

impl Body {
    /// The side of the order that it moves.
    pub fn axis(&self) -> Axis {
        match self {
            Body::Order(_) => Axis::Order,
            Body::Payment(_) => Axis::Payment,
            Body::Shipment(_) => Axis::Shipping,
        }
    }
}

/// The types of event that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Order(OrderKind),
    Payment(PaymentKind),
    Shipment(ShipmentStep),
}

impl Kind {
    fn from_name(name: &str) -> Option<Kind> {
        OrderKind::from_name(name)
            .map(Kind::Order)
            .or_else(|| PaymentKind::from_name(name).map(Kind::Payment))
            .or_else(|| ShipmentStep::from_name(name).map(Kind::Shipment))
    }
}

#[cfg(test)]
mod tests;
