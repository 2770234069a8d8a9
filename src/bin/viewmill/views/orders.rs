//! The view `orders`: what one event makes of an order's row.
//!
//! [`Orders`] keeps the rows and tells of each change; [`fold`] says what a row becomes. It is pure: the row afterwards depends
//! on the row, the event and the record's time alone. It applies what the log says; whether that should have happened was for
//! commands to decide. Its rules:
//!
//! - `ORDER_*` move only the status, what was ordered and when; `PAYMENT_*` only what was paid; `SHIPMENT_*` only where the
//!   parcel is. However the topics are interleaved, the row comes out the same.
//! - Within a topic an event counts once, by its version; one that comes late for a gap takes its place among the versions,
//!   so that it never turns back what a later one decided. See [`Sequence`].
//! - What comes before its order makes a shell, which the order completes.
//! - A payment counts once by its id, a refund by its own, an order is created once: under whatever versions they repeat.
//!
//! Where each event that changed a row stands in the log is noted beside: see [`Places`](super::Places).

use viewmill::{Change, Output, ProcessResult, Processor, ProcessorContext, ProcessorError, Record, StoreError, StoreRef};

use super::order_row::{Order, StatusChange};
use super::order_status::OrderStatus;
use super::sequence::{Arrival, Sequence};
use crate::events::{Axis, Body, Event, OrderCreated, OrderEvent, PaymentEvent, ShipmentEvent};
use crate::money::MoneyError;
use crate::order_id::OrderId;

/// Keeps the view `orders`, and forwards what changed.
pub struct Orders {
    rows: StoreRef<OrderId, Order>,
    changes: Output<OrderId, Change<Order>>,
    /// How many conflicts this task has met since it was made.
    conflicts: u64,
}

impl Orders {
    /// Keeps the rows of this store.
    pub fn new(rows: StoreRef<OrderId, Order>, changes: Output<OrderId, Change<Order>>) -> Self {
        Orders { rows, changes, conflicts: 0 }
    }
}

impl Processor<OrderId, Event> for Orders {
    fn process(&mut self, context: &mut ProcessorContext<'_>, record: Record<OrderId, Event>) -> ProcessResult {
        belongs_here(context, &record)?;
        let (event, time_ms) = (&record.value, record.timestamp.as_millis());
        let offset = context.record().map(|record| record.offset);
        let mut applied = Applied::InOrder;
        let changed = context.store(self.rows).try_change(&record.key, |row| {
            applied = fold(row, event, time_ms);
            match applied {
                Applied::Rejected(error) => Err(Kept::Failed(ProcessorError::rejected(error))),
                applied if applied.changed_row() => {
                    // Not in the fold: where an event stands is nothing that happened to the order.
                    if let (Some(order), Some(offset)) = (row, offset) {
                        order.places.note(event.axis(), offset);
                    }
                    Ok(())
                }
                _ => Err(Kept::Unchanged),
            }
        });
        self.count(context, applied, &record);
        match changed {
            Ok(change) => context.forward(self.changes, record.with_value(change)),
            Err(Kept::Unchanged) => Ok(()),
            Err(Kept::Failed(error)) => Err(error),
        }
    }
}

impl Orders {
    fn count(&mut self, context: &mut ProcessorContext<'_>, applied: Applied, record: &Record<OrderId, Event>) {
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
                    let (order, version, conflicts) = (record.key.as_ref(), record.value.envelope.version(), self.conflicts);
                    tracing::warn!(order, version, conflicts, "one version came with two event ids");
                }
            }
        }
    }
}

/// Refuses an event under another order's key, or in another's topic.
fn belongs_here(context: &ProcessorContext<'_>, record: &Record<OrderId, Event>) -> ProcessResult {
    let (key, event) = (record.key.as_ref(), &record.value);
    if event.aggregate_id() != key {
        return Err(ProcessorError::Misplaced(format!("the key is {key:?}, the aggregateId {:?}", event.aggregate_id())));
    }
    if let Some(topic) = context.record().map(|record| &record.topic).filter(|topic| !topic.ends_with(event.axis().topic())) {
        // Versions count per topic, so an event in another's topic would be counted with the wrong ones.
        return Err(ProcessorError::rejected(format!("{} belongs into {}, not into {topic}", event.type_name(), event.axis().topic())));
    }
    Ok(())
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

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "duplicates, conflicts and gaps are counted, a rejection goes to the poison policy"]
pub enum Applied {
    /// Applied, in its turn.
    InOrder,
    /// Applied; so many versions before it have not come yet.
    Gap {
        /// How many versions this event skipped.
        missing: u64,
    },
    /// Applied in its place among the versions: it was missing.
    Late,
    /// A new version of an order, payment or refund that is already known: its version was noted, nothing else changed.
    Repeated,
    /// Dropped: its version was seen before.
    Duplicate,
    /// Dropped: its version was seen before, under another event id.
    Conflict,
    /// Dropped: a sum of the row would have more digits than can be kept exactly.
    Rejected(MoneyError),
}

impl Applied {
    /// True when the row is another one now.
    pub fn changed_row(self) -> bool {
        matches!(self, Applied::InOrder | Applied::Gap { .. } | Applied::Late | Applied::Repeated)
    }
}

/// Applies an event to the row of its order. `record_time_ms` is the time of an event that carries none, in milliseconds
/// since the Unix epoch.
pub fn fold(row: &mut Option<Order>, event: &Event, record_time_ms: i64) -> Applied {
    // A new shell is never left behind for nothing: to an empty row no event is a duplicate, and no first sum is too large.
    let order = row.get_or_insert_with(Order::shell);
    let (version, event_id) = (event.envelope.version(), event.envelope.event_id());
    let versions = order.versions(event.axis());
    let arrival = versions.arrival(version, event_id);
    let applied = match arrival {
        Arrival::Next => Applied::InOrder,
        Arrival::Gap { missing } => Applied::Gap { missing },
        Arrival::Late => Applied::Late,
        Arrival::Duplicate => return Applied::Duplicate,
        Arrival::Conflict => return Applied::Conflict,
    };
    let moment = Moment {
        at: event.envelope.time_ms().unwrap_or(record_time_ms),
        place: versions.place(version),
        versioned: version.is_some(),
        late: arrival == Arrival::Late,
    };
    let effect = match &event.body {
        Body::Order(event) => Ok(decide(order, event, moment)),
        Body::Payment(event) => pay(order, event, moment),
        Body::Shipment(event) => Ok(carry(order, event, moment)),
    };
    let effect = match effect {
        Ok(effect) => effect,
        Err(error) => return Applied::Rejected(error),
    };
    order.versions_mut(event.axis()).record(version, event_id);
    match (effect, applied) {
        (Effect::Repeated, Applied::InOrder | Applied::Late) => Applied::Repeated,
        (Effect::Repeated, _) => applied,
        (Effect::Changed, _) => {
            order.updated_at = order.updated_at.max(moment.at);
            applied
        }
    }
}

/// When an event happened, and where it stands among the others of its topic.
#[derive(Clone, Copy)]
struct Moment {
    /// Milliseconds since the Unix epoch.
    at: i64,
    place: u64,
    versioned: bool,
    /// A later version was applied before.
    late: bool,
}

enum Effect {
    Changed,
    Repeated,
}

impl Order {
    fn versions_mut(&mut self, axis: Axis) -> &mut Sequence {
        match axis {
            Axis::Order => &mut self.order_versions,
            Axis::Payment => &mut self.payment_versions,
            Axis::Shipping => &mut self.shipping_versions,
        }
    }
}

/// `ORDER_*`.
fn decide(order: &mut Order, event: &OrderEvent, moment: Moment) -> Effect {
    let status = match event {
        OrderEvent::Created(_) if !order.is_shell() => return Effect::Repeated,
        OrderEvent::Created(created) => {
            create(order, created, moment);
            OrderStatus::Created
        }
        OrderEvent::Approved { .. } => {
            order.approved_at.set(moment.place, moment.at);
            OrderStatus::Approved
        }
        OrderEvent::Rejected { .. } => OrderStatus::Rejected,
        OrderEvent::Shipped(shipped) => {
            order.shipped_at.set(moment.place, shipped.shipped_at.unwrap_or(moment.at));
            order.order_parcel.set(moment.place, shipped.carrier.as_ref(), shipped.tracking_number.as_ref());
            OrderStatus::Shipped
        }
        OrderEvent::Delivered { delivered_at } => {
            order.delivered_at.set(moment.place, delivered_at.unwrap_or(moment.at));
            OrderStatus::Delivered
        }
        OrderEvent::Cancelled { .. } => OrderStatus::Cancelled,
        OrderEvent::AddressChanged { shipping_address } => {
            order.shipping_address.set(moment.place, shipping_address.clone());
            return Effect::Changed;
        }
    };
    order.change_status(StatusChange { status, at: moment.at, place: moment.place, versioned: moment.versioned });
    Effect::Changed
}

/// Completes a shell.
fn create(order: &mut Order, created: &OrderCreated, moment: Moment) {
    order.created_at = Some(moment.at);
    order.user_id = created.user_id.clone();
    order.items = created.items.clone();
    order.total_amount = created.total_amount;
    order.currency = created.currency.unwrap_or_default();
    order.estimated_delivery = created.estimated_delivery;
    if let Some(address) = &created.shipping_address {
        order.shipping_address.set(moment.place, address.clone());
    }
}

/// `PAYMENT_*`. The status follows from the sums, so that neither order nor repetition can spoil it.
fn pay(order: &mut Order, event: &PaymentEvent, moment: Moment) -> Result<Effect, MoneyError> {
    match event {
        PaymentEvent::Completed(completed) => {
            if order.payments.contains(&completed.payment_id) {
                return Ok(Effect::Repeated);
            }
            order.paid_amount = order.paid_amount.checked_add(completed.amount)?;
            order.payments.add(&completed.payment_id);
            order.paid_at.set(moment.place, moment.at);
            if let Some(method) = &completed.method {
                order.payment_method.set(moment.place, method.clone());
            }
        }
        PaymentEvent::Failed(failed) => {
            order.payment_failed = true;
            if !order.failures.contains(&failed.payment_id) {
                order.failures.add(&failed.payment_id);
            }
        }
        PaymentEvent::Refunded(refunded) => {
            if order.refunds.contains(&refunded.refund_id) {
                return Ok(Effect::Repeated);
            }
            order.refunded_amount = order.refunded_amount.checked_add(refunded.amount)?;
            order.refunds.add(&refunded.refund_id);
        }
    }
    order.settle_payment();
    Ok(Effect::Changed)
}

/// `SHIPMENT_*`.
fn carry(order: &mut Order, event: &ShipmentEvent, moment: Moment) -> Effect {
    // Every step moves the status, so the highest version has the last word.
    if !moment.late {
        order.shipping_status = event.step.into();
    }
    order.warehouse_parcel.set(moment.place, event.carrier.as_ref(), event.tracking_number.as_ref());
    Effect::Changed
}
