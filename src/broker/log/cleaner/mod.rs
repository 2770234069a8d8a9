//! Compaction of keyed topics, as Kafka's `LogCleaner` does it.
//!
//! ```text
//! closed segments      │ clean ............ │ dirty ............... │ not yet: min.compaction.lag.ms, an open transaction, active
//! 1. keys of the dirty part ─► KeyMap: key → its last offset
//! 2. all segments up to where the map goes, in groups ─► Filter ─► one cleaned segment a group ─► swapped in
//! ```
//! Offsets stay. Records of aborted transactions go at once; tombstones and markers of empty transactions first get a horizon, now plus
//! `delete.retention.ms`, written into their batch, and go when a later run finds it passed. A producer's last batch keeps its header, for
//! its sequences stand there.

mod filter;
mod key_map;
mod swap;
mod transactions;

pub use filter::{Filter, Outcome};
pub use key_map::KeyMap;
pub use swap::{CleanedSegment, finish_swap, finish_swaps};
pub use transactions::CleanedTransactions;
