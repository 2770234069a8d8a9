//! The producer of one stream thread, in transactions or without them.
//!
//! ```text
//! begin → send* → flush → send(markers) → flush → send_offsets → commit
//!    └────────────────────── abort ──────────────────────┘
//! ```
//! Without transactions there is no `send_offsets`; `begin` and `commit` only keep the books of what was delivered, and what was sent
//! before an `abort` stays in the logs.

use std::collections::HashMap;
use std::time::Duration;

use super::{Generation, PortError};
use crate::record::{Offset, OutputRecord, TopicPartition};

/// The offset of the last record delivered to each partition in the open transaction.
pub type Delivered = HashMap<TopicPartition, Offset>;

/// Produces in transactions. Every call blocks at most the time given (or 5 s where none is); a `Retriable` error allows the same
/// call again.
pub trait TransactionalProducer: Send {
    /// Fences older producers of the same transactional id, ends what they left open, and is ready to begin. Also used to replace
    /// a producer after a fatal or indefinite error: everything unsent of the old one is dropped.
    fn replace(&mut self, timeout: Duration) -> Result<(), PortError>;

    /// Begins a transaction.
    fn begin(&mut self) -> Result<(), PortError>;

    /// Hands over one record; it is copied. Waits (at most 5 s) while the queue is full. `RecordTooLarge` is answered before
    /// anything is sent.
    fn send(&mut self, record: &OutputRecord<'_>) -> Result<(), PortError>;

    /// Waits until every record handed over has a good delivery report with an offset, and answers the last offset of each
    /// partition since `begin`. `Retriable` when the time was too short.
    fn flush(&mut self, timeout: Duration) -> Result<Delivered, PortError>;

    /// Puts offsets into the transaction under the group's captured generation.
    fn send_offsets(&mut self, offsets: &[(TopicPartition, Offset)], generation: &Generation, timeout: Duration) -> Result<(), PortError>;

    /// Commits. `Retriable` when the time was too short: the outcome is open until a later call says Ok.
    fn commit(&mut self, timeout: Duration) -> Result<(), PortError>;

    /// Aborts and drops what was not sent.
    fn abort(&mut self, timeout: Duration) -> Result<(), PortError>;

    /// True when a connection was lost since `begin`, as far as the client tells: a late copy of EndTxn may then still be on its
    /// way, and the producer must be replaced before the next transaction.
    fn connection_lost(&self) -> bool;
}
