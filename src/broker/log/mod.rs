//! Topics and the logs of their partitions, on disk.
//!
//! ```text
//! Logs ── topics/NAME~ID/ ── topic              id, name, partitions, configs
//!          │                  0/ ─ 00…0.log    record batches as they came, one behind the other
//!          │                      00…0.index  sparse: batch offset, position, greatest timestamp so far; aborted transactions
//!          │                      checkpoint  what a start need not read again: up to where, producers' states, open transactions
//!          ├─ new/, trash/   topics in the making and in the unmaking
//!          └─ lock           who works here
//! ```
//!
//! Contract: a batch is stored as it came; only its base offset and leader epoch (and its time, with `message.timestamp.type =
//! LogAppendTime`) are written into its header. Who was answered is on disk as [`Fsync`] promises. Everything here is synchronous and may be
//! called from any thread; a call waits for the disk at most.

mod batch;
mod cleaner;
mod error;
mod logs;
mod partition;
mod producers;
mod segment;
mod settings;
#[cfg(test)]
mod tests;
mod topic_config;
mod volume;

pub use error::{AppendError, LogError, ReadError};
pub use logs::{Logs, Topic};
pub use partition::{ActiveProducer, Appended, Isolation, Marker, PartitionLog, Progress, ReadResult, ReadRoom, TimedOffset};
pub use settings::{Fsync, LogSettings};
pub use topic_config::{ConfigEntry, ConfigKind, TopicConfig};
pub use volume::Volume;
