//! An order as it was: its events folded again, up to a version or a time.

use super::{Entry, History};
use crate::events::{Axis, parse_time};
use crate::views::Order;
use crate::views::orders::fold;

/// A moment in the life of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// When `order-events` had come to this version.
    Version(u64),
    /// At this time, milliseconds since the Unix epoch.
    Time(i64),
}

/// Why it cannot be told how the order was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAsOf {
    /// There was no order yet.
    NoOrder,
    /// No event made this version.
    NoVersion(u64),
    /// Events are missing.
    Cut,
}

impl AsOf {
    /// Reads a version or a time in RFC 3339.
    pub fn parse(text: &str) -> Option<AsOf> {
        match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().ok().filter(|version| *version > 0).map(AsOf::Version),
            false => parse_time(text).map(AsOf::Time),
        }
    }
}

impl History {
    /// The order as it was then. At a version: what was decided up to it, and of payments and parcels what had happened by the time of that
    /// event. At a time: all that had happened by then.
    ///
    /// # Errors
    /// It is not known, or there was none.
    pub fn as_of(&self, moment: AsOf) -> Result<Order, NotAsOf> {
        if self.is_cut {
            return Err(NotAsOf::Cut);
        }
        let orders = |entry: &&Entry| entry.axis() == Axis::Order;
        let (version, time_ms) = match moment {
            AsOf::Time(time_ms) => (None, time_ms),
            AsOf::Version(version) => {
                let counts = self.entries.iter().filter(orders).all(|entry| entry.version().is_none());
                let made = |entry: &&Entry| entry.number == version && (counts || entry.version().is_some());
                let made = self.entries.iter().filter(orders).find(made).ok_or(NotAsOf::NoVersion(version))?;
                (Some(version), made.time_ms)
            }
        };
        let had_happened = |entry: &&Entry| match (entry.axis(), version) {
            (Axis::Order, Some(version)) => entry.number <= version,
            _ => entry.time_ms <= time_ms,
        };
        let mut then: Vec<&Entry> = self.entries.iter().filter(had_happened).collect();
        // Within a topic as in the log; how topics lie between each other makes no difference.
        then.sort_by_key(|entry| (entry.axis() as u8, entry.offset()));
        let mut order = None;
        for entry in then {
            // What was dropped or counted when it first came is so again.
            let _ = fold(&mut order, &entry.event, entry.time_ms);
        }
        order.filter(|order| !order.is_shell()).ok_or(NotAsOf::NoOrder)
    }
}
