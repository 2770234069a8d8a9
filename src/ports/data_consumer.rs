//! The consumer of source partitions: assigned by us, never subscribed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::PortError;
use crate::record::{Headers, Offset, Timestamp, TopicPartition};

/// A record as it came from Kafka; bytes are borrowed from the client's buffer.
pub trait InputMessage: Send {
    /// Where in the log it stands.
    fn offset(&self) -> Offset;
    /// The record's own time.
    fn timestamp(&self) -> Timestamp;
    /// The key, `None` for Kafka's null.
    fn key(&self) -> Option<&[u8]>;
    /// The value, `None` for Kafka's null.
    fn value(&self) -> Option<&[u8]>;
    /// The headers; makes them anew on each call.
    fn headers(&self) -> Headers;
}

/// What a partition's queue yields.
#[derive(Debug)]
pub enum Fetched<M> {
    /// A record.
    Message(M),
    /// The end of what is stable was reached: the next record will have this offset or a later one.
    End(Offset),
}

/// Ends a [`DataConsumer::wait`] from another thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Reads source partitions under read_committed, each from its own queue, so that one can be left alone (back-pressure)
/// without losing what was fetched.
pub trait DataConsumer: Send {
    /// The form of its records.
    type Message: InputMessage;

    /// Starts reading these partitions at these offsets. None of them may be assigned already.
    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<(), PortError>;

    /// Stops reading these partitions; what was fetched and not taken is dropped.
    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), PortError>;

    /// Takes at most `max` entries from a partition's queue without waiting, in offset order, and returns how many. Records below
    /// the offset of the last `assign` are never returned.
    fn fetch(&mut self, partition: &TopicPartition, max: usize, into: &mut VecDeque<Fetched<Self::Message>>) -> Result<usize, PortError>;

    /// Waits until some queue may have something, [`DataConsumer::wake`] was called, or the time is over. Also serves the
    /// client's own events; a broken client answers with an error.
    fn wait(&mut self, timeout: Duration) -> Result<(), PortError>;

    /// A handle that ends `wait` from elsewhere.
    fn wake(&self) -> Wake;

    /// The end of the partition's stable log as last seen in a fetch response; `None` when unknown. Never asks Kafka.
    fn cached_end(&self, partition: &TopicPartition) -> Option<Offset>;

    /// The first offset that the partition's log still has, as last seen in a fetch response; `None` when unknown. Never asks Kafka.
    fn cached_start(&self, partition: &TopicPartition) -> Option<Offset>;
}
