//! The history of an order: its events, as they stand in the log, and the order as it was at some moment.
//!
//! The row knows where its events stand ([`Places`]); here they are read, put into order, and folded again as far as somebody wants. What the
//! log has no more, or the row has forgotten, makes a history [cut](History::is_cut): its events can be told, the order as it was cannot.

mod as_of;
mod entry;

pub use as_of::{AsOf, NotAsOf};
pub use entry::Entry;

use viewmill::query::{FoundRecords, WantedRecords};
use viewmill::record::TopicPartition;

use crate::events::Axis;
use crate::views::{Order, Places};

/// The events of one order, in their order: by event time, then by topic, then by version.
#[derive(Debug)]
pub struct History {
    entries: Vec<Entry>,
    is_cut: bool,
}

/// What is to be read for a history, topics without prefix. The partition is that of the order.
pub fn wanted(places: &Places, partition: i32) -> Vec<WantedRecords> {
    let of = |axis: Axis| WantedRecords { partition: TopicPartition::new(axis.topic(), partition), offsets: places.of(axis) };
    Axis::ALL.map(of).into_iter().filter(|wanted| !wanted.offsets.is_empty()).collect()
}

impl History {
    /// The history of an order, of what was [`wanted`] for its row.
    pub fn new(order_id: &str, order: &Order, found: Vec<FoundRecords>) -> History {
        let mut history = History { entries: Vec::new(), is_cut: order.places.is_cut() };
        for FoundRecords { partition, records, gone } in found {
            history.is_cut |= !gone.is_empty();
            for record in records {
                // Where a topic was made anew, other records stand at these places.
                match Entry::read(order_id, &partition, record) {
                    Some(entry) => history.entries.push(entry),
                    None => history.is_cut = true,
                }
            }
        }
        history.number();
        history.entries.sort_by_key(Entry::key);
        history
    }

    /// The events.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// There were more, of which the log or the row has no trace any more.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Says which version each event made: its own. One without a version stands after those before it; where none has any, they are counted.
    fn number(&mut self) {
        for axis in Axis::ALL {
            let mut of_axis: Vec<&mut Entry> = self.entries.iter_mut().filter(|entry| entry.axis() == axis).collect();
            of_axis.sort_by_key(|entry| entry.offset());
            let counts = of_axis.iter().all(|entry| entry.version().is_none());
            let mut last = 0;
            for entry in of_axis {
                entry.number = entry.version().unwrap_or(last + u64::from(counts));
                last = last.max(entry.number);
            }
        }
    }
}

#[cfg(test)]
mod tests;
