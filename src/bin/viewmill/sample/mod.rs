//! Believable order traffic from a seed: for trying the system out, for demonstrations and for benches.
//!
//! The same seed gives the same bytes; nothing here looks at a clock. Orders arrive one after the other, faster by day than
//! by night, and their events are interleaved in time, as they would be in the topics. Only the orders that are under way
//! are held in memory, however many there are in all.

mod goods;
mod life;
mod plan;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fastrand::Rng;

use self::life::Life;

/// When the first order of every sample arrives: 2026-01-01T00:00:00Z. The same seed gives the same bytes.
pub const SAMPLE_START_MS: i64 = 1_767_225_600_000;

const HOUR_MS: i64 = 3_600_000;

/// Room is left after it for the orders that follow: four digits of a year are all that JSON can tell.
const YEAR_9000_MS: i64 = 221_845_392_000_000;

/// The longest time between two orders by day; by night it is three times as long.
const LONGEST_PAUSE_MS: i64 = 30_000;

/// A record of one of the event topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleEvent {
    /// The topic, without a prefix.
    pub topic: &'static str,
    /// The order's id.
    pub key: String,
    /// The event, in JSON.
    pub value: Vec<u8>,
    /// When it was written, in milliseconds since the Unix epoch; never before the one before it.
    pub timestamp_ms: i64,
}

/// The events of so many orders, in the order in which they were written.
pub struct SampleOrders {
    seed: u64,
    arrivals: Rng,
    orders: u64,
    started: u64,
    next_arrival_ms: i64,
    /// The orders under way, the one that writes next on top.
    under_way: BinaryHeap<Reverse<Life>>,
}

impl SampleOrders {
    /// The life of `orders` orders, the first of which arrives at `start_ms` (milliseconds since the Unix epoch, taken to lie
    /// between 1970 and 9000).
    pub fn new(seed: u64, orders: u64, start_ms: i64) -> SampleOrders {
        SampleOrders {
            seed,
            arrivals: Rng::with_seed(seed),
            orders,
            started: 0,
            next_arrival_ms: start_ms.clamp(0, YEAR_9000_MS),
            under_way: BinaryHeap::new(),
        }
    }

    /// Starts the orders that arrive before anything else happens.
    fn start_due_orders(&mut self) {
        while self.started < self.orders && self.under_way.peek().is_none_or(|next| self.next_arrival_ms <= next.0.next_ms()) {
            self.started += 1;
            // Each order has a seed of its own, so that its story does not depend on what happens around it.
            let rng = Rng::with_seed(self.seed ^ self.started.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            self.under_way.push(Reverse(Life::new(rng, self.started, self.orders, self.next_arrival_ms)));
            self.next_arrival_ms = self.next_arrival_ms.saturating_add(self.pause_ms());
        }
    }

    fn pause_ms(&mut self) -> i64 {
        let hour_in_seoul = (self.next_arrival_ms.div_euclid(HOUR_MS) + 9).rem_euclid(24);
        let night = if hour_in_seoul < 7 { 3 } else { 1 };
        self.arrivals.i64(0..LONGEST_PAUSE_MS * night)
    }
}

impl Iterator for SampleOrders {
    type Item = SampleEvent;

    fn next(&mut self) -> Option<SampleEvent> {
        self.start_due_orders();
        let mut life = self.under_way.pop()?.0;
        let event = life.write_next();
        if !life.is_over() {
            self.under_way.push(Reverse(life));
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests;
