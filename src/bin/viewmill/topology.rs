//! The data flow of the order system.
//!
//! ```text
//!  order-events ───┐
//!  payment-events ─┼─► orders ─► store "orders" ────────────────────────► GET /api/orders/{id}
//!  shipping-events ┤      │        └ indexes "by-status", "by-created" ──► GET /api/orders
//!                  │      │
//!                  │ order-changes ─► order-stats ─► store "order-stats" ─► GET /api/dashboard
//!                  ▼
//!  order-commands ─► order-decide (on "orders") ─► order-events, payment-events
//!  (POST /api/…)           │
//!                          └─► command-results ─► store "commands" ───────► GET /api/commands/{id}
//! ```

use std::time::Duration;

use viewmill::app::config::OwnSettings;
use viewmill::command::{self, CommandJson, CommandRecord, CommandTopology, KnownCommand, Outcome};
use viewmill::{Change, Desc, Index, Json, Partial, Store, Stream, Text, TopologyBuilder};

use crate::commands::{OrderAggregate, OrderCommand};
use crate::events::{Axis, Event, EventJson};
use crate::money::Currency;
use crate::order_id::OrderId;
use crate::settings::OrderSettings;
use crate::views::orders::Orders;
use crate::views::stats::{Statistics, Stats};
use crate::views::{Order, OrderStatus};

/// The topics of an order's events, without prefix.
pub const EVENT_TOPICS: [&str; 3] = ["order-events", "payment-events", "shipping-events"];

/// Commands, by order.
pub const COMMAND_TOPIC: &str = "order-commands";
/// What became of them, by command.
pub const RESULT_TOPIC: &str = "command-results";

/// So long an outcome can be asked for.
const OUTCOMES_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What the routes read.
#[derive(Clone, Copy, Debug)]
pub struct OrderViews {
    /// Orders by id.
    pub orders: Store<OrderId, Order>,
    /// Orders by status, the newest first. Shells are in no list.
    pub by_status: Index<(OrderStatus, Desc<i64>), OrderId, Order>,
    /// All orders, the newest first. Written once an order.
    pub by_created: Index<Desc<i64>, OrderId, Order>,
    /// Counts and sums by currency, of each partition.
    pub stats: Store<Currency, Stats, Partial>,
    /// What became of commands, by their ids.
    pub commands: Store<String, KnownCommand>,
    /// How commands are decided.
    pub settings: OrderSettings,
}

/// Declares the data flow, as it is configured.
pub fn configured(b: &mut TopologyBuilder, own: &OwnSettings) -> OrderViews {
    topology(b, OrderSettings::of(own))
}

/// Declares the data flow.
pub fn topology(b: &mut TopologyBuilder, settings: OrderSettings) -> OrderViews {
    let events = b.source::<OrderId, Event>("events", &EVENT_TOPICS, Text, EventJson);
    let orders = b.store::<OrderId, Order>("orders", events);
    let by_status = b.index(orders, "by-status", |_, order| status_key(order));
    let by_created = b.index(orders, "by-created", |_, order| created_key(order));
    let changes = b.stream::<OrderId, Change<Order>>("order-changes");
    let stats = b.partial_store::<Currency, Stats>("order-stats");
    b.processor("orders", events, move |w| Orders::new(w.store(orders), w.output(changes)));
    b.processor("order-stats", changes, move |w| Statistics::new(w.store(stats)));
    let commands = write_side(b, events, orders, settings);
    OrderViews { orders, by_status, by_created, stats, commands, settings }
}

/// Commands are decided on the rows of the view `orders`, which tell all that decisions need.
fn write_side(
    b: &mut TopologyBuilder,
    events: Stream<OrderId, Event>,
    orders: Store<OrderId, Order>,
    settings: OrderSettings,
) -> Store<String, KnownCommand> {
    let commands = b.source::<OrderId, CommandRecord<OrderCommand>>("commands", &[COMMAND_TOPIC], Text, CommandJson);
    let handler = command::handler(b, "order", OrderAggregate { settings }, CommandTopology::new(commands, events, orders, EventJson));
    // Commands that waited longer are late, and outcomes are not kept longer.
    [COMMAND_TOPIC, RESULT_TOPIC].into_iter().for_each(|topic| b.keep_records_for(topic, OUTCOMES_KEPT));
    let axis = |event: &Event| usize::from(event.axis() == Axis::Payment);
    let [orders, payments] = b.split("by-topic", handler.events, ["new-order-events", "new-payment-events"], axis);
    b.sink("order-events", orders, Axis::Order.topic(), Text, EventJson);
    b.sink("payment-events", payments, Axis::Payment.topic(), Text, EventJson);
    b.positioned_sink("command-results", handler.outcomes, RESULT_TOPIC, Text, Json);
    let results = b.source::<String, Outcome>("results", &[RESULT_TOPIC], Text, Json);
    command::outcomes(b, "commands", results, OUTCOMES_KEPT)
}

// What the indexes look at, `Order::decode_indexed` must read.

/// The key of an order in the list of its status.
pub(crate) fn status_key(order: &Order) -> Option<(OrderStatus, Desc<i64>)> {
    order.created_at.map(|at| (order.status, Desc(at)))
}

/// Its key in the list of all.
pub(crate) fn created_key(order: &Order) -> Option<Desc<i64>> {
    order.created_at.map(Desc)
}

#[cfg(test)]
mod tests;
