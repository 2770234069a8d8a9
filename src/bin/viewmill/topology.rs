//! The data flow of the order system.
//!
//! ```text
//!  order-events ──┐
//!  payment-events ┼──► orders ──► store "orders" ──► GET /api/orders/{id}
//!  shipping-events┘
//! ```

use serde::{Deserialize, Serialize};
use viewmill::codec::encode_str_key;
use viewmill::{
    Codec, CodecError, KeyCodec, ProcessResult, Processor, ProcessorContext, ProcessorError, Record, Store, StoreError, StoreRef,
    StoreValue, Text, TopologyBuilder,
};

use crate::events::Event;
use crate::views::Order;
use crate::views::orders::{Applied, fold};

/// The topics of an order's events, without prefix.
pub const EVENT_TOPICS: [&str; 3] = ["order-events", "payment-events", "shipping-events"];

/// What the routes read.
#[derive(Clone, Copy, Debug)]
pub struct OrderViews {
    /// Orders by id.
    pub orders: Store<OrderId, Order>,
}

/// Declares the data flow.
pub fn topology(b: &mut TopologyBuilder) -> OrderViews {
    let events = b.source::<OrderId, Event>("events", &EVENT_TOPICS, Text, EventJson);
    let orders = b.store::<OrderId, Order>("orders", events);
    b.processor("orders", events, move |w| Orders { rows: w.store(orders), conflicts: 0 });
    OrderViews { orders }
}

/// An order's id: the key of its records.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderId(String);

impl From<String> for OrderId {
    fn from(id: String) -> Self {
        OrderId(id)
    }
}

impl From<&str> for OrderId {
    fn from(id: &str) -> Self {
        OrderId(id.to_string())
    }
}

impl AsRef<str> for OrderId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl KeyCodec for OrderId {
    fn encode_key(&self, out: &mut Vec<u8>) {
        encode_str_key(&self.0, out);
    }

    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        String::decode_key(input).map(OrderId)
    }
}

impl StoreValue for Order {}

/// Events as JSON, read without a detour through a tree.
#[derive(Clone, Copy, Debug)]
pub struct EventJson;

impl Codec<Event> for EventJson {
    fn encode(&self, event: &Event) -> Result<Option<Vec<u8>>, CodecError> {
        serde_json::to_vec(event).map(Some).map_err(|e| CodecError::new(format!("cannot be written as JSON: {e}")))
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Event, CodecError> {
        let bytes = bytes.ok_or_else(|| CodecError::new("is null where an event is expected"))?;
        Event::from_json(bytes).map_err(|e| CodecError::new(format!("is no event: {e}")))
    }
}

/// Keeps the view `orders`.
struct Orders {
    rows: StoreRef<OrderId, Order>,
    /// How many conflicts this task has met since it was made.
    conflicts: u64,
}

/// Why a row stays as it is.
enum Kept {
    /// The event says nothing new: the row is not written again.
    Unchanged,
    Failed(ProcessorError),
}

impl From<StoreError> for Kept {
    fn from(error: StoreError) -> Self {
        Kept::Failed(error.into())
    }
}

impl Processor<OrderId, Event> for Orders {
    fn process(&mut self, context: &mut ProcessorContext<'_>, event: Record<OrderId, Event>) -> ProcessResult {
        let Record { key, value: event, timestamp, .. } = event;
        if event.aggregate_id() != key.as_ref() {
            let text = format!("the key is {:?}, the aggregateId {:?}", key.as_ref(), event.aggregate_id());
            return Err(ProcessorError::Misplaced(text));
        }
        if let Some(topic) = context.record().map(|record| &record.topic).filter(|topic| !topic.ends_with(event.axis().topic())) {
            // Versions count per topic, so an event in another's topic would be counted with the wrong ones.
            return Err(ProcessorError::rejected(format!("{} belongs into {}, not into {topic}", event.type_name(), event.axis().topic())));
        }
        let mut applied = Applied::InOrder;
        let changed = context.store(self.rows).try_change(&key, |row| {
            applied = fold(row, &event, timestamp.as_millis());
            match applied {
                Applied::Rejected(error) => Err(Kept::Failed(ProcessorError::rejected(error))),
                applied if applied.changed_row() => Ok(()),
                _ => Err(Kept::Unchanged),
            }
        });
        if let Err(Kept::Failed(error)) = changed {
            return Err(error);
        }
        match applied {
            Applied::InOrder | Applied::Rejected(_) => {}
            Applied::Gap { .. } => context.count("gap"),
            Applied::Late => context.count("late"),
            Applied::Repeated => context.count("repeated"),
            Applied::Duplicate => context.count("duplicate"),
            Applied::Conflict => {
                context.count("conflict");
                self.conflicts += 1;
                // The 1st, 2nd, 4th, 8th …: each is counted, and a flood does not fill the log.
                if self.conflicts.is_power_of_two() {
                    let (order, version, conflicts) = (key.as_ref(), event.envelope.version(), self.conflicts);
                    tracing::warn!(order, version, conflicts, "one version came with two event ids");
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use viewmill::testkit::TopologyTestDriver;

    use super::*;

    const CREATED: &str = r#"{"type":"ORDER_CREATED","aggregateId":"o-1","version":1,"timestamp":"2026-03-01T09:30:00.250Z","data":{"orderId":"o-1","userId":"u-1","items":[{"productId":"p-1","name":"Tea","price":12.50,"quantity":2}],"totalAmount":25.00,"currency":"EUR","shippingAddress":{"recipient":"R","street":"S","city":"C","postalCode":"1","country":"DE","express":false},"estimatedDelivery":"2026-03-06T09:30:00.250Z"}}"#;
    const PAID: &str = r#"{"type":"PAYMENT_COMPLETED","aggregateId":"o-1","version":1,"timestamp":"2026-03-01T09:31:00Z","data":{"orderId":"o-1","paymentId":"pay-1","method":"CARD","amount":"25.00"}}"#;

    #[test]
    fn an_early_payment_waits_in_a_shell_for_its_order() {
        let (mut driver, views) = TopologyTestDriver::new(topology).unwrap();
        driver.pipe("payment-events", "o-1", PAID).unwrap();
        assert!(driver.get(views.orders, "o-1").unwrap().is_shell());
        driver.pipe("order-events", "o-1", CREATED).unwrap();
        let order = driver.get(views.orders, "o-1").unwrap();
        assert!(!order.is_shell());
        assert_eq!(order.paid_amount, order.total_amount);
    }

    #[test]
    fn an_event_under_another_orders_key_is_rejected() {
        let (mut driver, views) = TopologyTestDriver::new(topology).unwrap();
        let error = driver.pipe("order-events", "o-2", CREATED).unwrap_err();
        assert!(error.to_string().contains(r#"misplaced: the key is "o-2", the aggregateId "o-1""#), "{error}");
        assert!(driver.get(views.orders, "o-2").is_none());
    }

    #[test]
    fn the_data_flow_is_this() {
        let (driver, _) = TopologyTestDriver::new(topology).unwrap();
        assert_eq!(
            driver.describe(),
            "\
Topology
  Sub-topology: events
    Source: events (topics: order-events, payment-events, shipping-events)
      --> orders (events)
    Processor: orders (stores: [orders])
      --> none
      <-- events
"
        );
    }
}
