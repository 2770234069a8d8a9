//! The data flow of the order system.
//!
//! ```text
//!  order-events ───┐
//!  payment-events ─┼─► orders ─► store "orders" ────────────────────────► GET /api/orders/{id}
//!  shipping-events ┘      │        └ indexes "by-status", "by-created" ──► GET /api/orders
//!                         │
//!                   order-changes ─► order-stats ─► store "order-stats" ─► GET /api/dashboard
//! ```

use viewmill::{Change, Desc, Index, Partial, Store, Text, TopologyBuilder};

use crate::events::{Event, EventJson};
use crate::money::Currency;
use crate::order_id::OrderId;
use crate::views::orders::Orders;
use crate::views::stats::{Statistics, Stats};
use crate::views::{Order, OrderStatus};

/// The topics of an order's events, without prefix.
pub const EVENT_TOPICS: [&str; 3] = ["order-events", "payment-events", "shipping-events"];

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
}

/// Declares the data flow.
pub fn topology(b: &mut TopologyBuilder) -> OrderViews {
    let events = b.source::<OrderId, Event>("events", &EVENT_TOPICS, Text, EventJson);
    let orders = b.store::<OrderId, Order>("orders", events);
    let by_status = b.index(orders, "by-status", |_, order| status_key(order));
    let by_created = b.index(orders, "by-created", |_, order| created_key(order));
    let changes = b.stream::<OrderId, Change<Order>>("order-changes");
    let stats = b.partial_store::<Currency, Stats>("order-stats");
    b.processor("orders", events, move |w| Orders::new(w.store(orders), w.output(changes)));
    b.processor("order-stats", changes, move |w| Statistics::new(w.store(stats)));
    OrderViews { orders, by_status, by_created, stats }
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
