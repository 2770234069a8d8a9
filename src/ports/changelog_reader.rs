//! Reads the task log, changelogs, and sources whose records are replayed: on restore threads and at start, never on a stream thread.

use std::time::Duration;

use super::PortError;
use crate::record::{Headers, Offset, Timestamp, TopicPartition};

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Where it stands.
    pub offset: Offset,
    /// The key; `None` is Kafka's null.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is Kafka's null, a tombstone.
    pub value: Option<Vec<u8>>,
    /// The record's time.
    pub timestamp: Timestamp,
    /// The record's headers.
    pub headers: Headers,
}

/// What one read brought.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// Committed records in offset order; compaction, aborted ones and markers of transactions leave gaps.
    pub records: Vec<LogRecord>,
    /// The offset of the next record to read: progress is judged by this, never by seeing a certain record.
    pub position: Offset,
    /// True when `position` is the end of the stable log at this moment.
    pub at_end: bool,
}

/// What a read of rows brought, beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Reached {
    /// As in [`Chunk`].
    pub position: Offset,
    /// As in [`Chunk`].
    pub at_end: bool,
    /// How many records were handed out; none means that nothing is here yet, or that the end is reached.
    pub records: usize,
    /// The bytes of their keys and values.
    pub bytes: usize,
}

/// Takes a record's offset, key and value.
pub type EachRow<'a> = &'a mut dyn FnMut(Offset, Option<&[u8]>, Option<&[u8]>);

/// The bounds of a partition's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// The first offset that still exists.
    pub start: Offset,
    /// The last stable offset: no open transaction before it.
    pub stable_end: Offset,
    /// The high watermark.
    pub end: Offset,
}

/// What is known of a task's log before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// As [`ChangelogReader::committed`].
    pub committed: Option<Offset>,
    /// As [`ChangelogReader::bounds`], asked after it: what is read of the log afterwards is at least as new.
    pub bounds: LogBounds,
}

/// Reads committed records of single partitions and the group's stable offsets. Each call blocks at most a few seconds.
pub trait ChangelogReader: Send {
    /// The committed offset of a partition in the application's group, `None` when there is none. `Retriable` while a transaction
    /// with an offset for it is pending: that is never "none".
    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Offset>, PortError>;

    /// Where the log begins and ends now.
    fn bounds(&mut self, partition: &TopicPartition) -> Result<LogBounds, PortError>;

    /// Committed offset and bounds of several partitions, each named once, in their order. Whoever can asks for all of them at once.
    fn locate(&mut self, partitions: &[TopicPartition]) -> Vec<Result<Located, PortError>> {
        let located = |partition| Ok(Located { committed: self.committed(partition)?, bounds: self.bounds(partition)? });
        partitions.iter().map(located).collect()
    }

    /// Starts to read a partition at an offset (or at the log's start if that is later), and answers where. It must not be
    /// open.
    fn open(&mut self, partition: &TopicPartition, from: Offset) -> Result<Offset, PortError>;

    /// As [`ChangelogReader::open`], for who knows the log's bounds: `from` must lie within them.
    fn open_within(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), PortError>;

    /// The next records of an open partition, waiting at most `wait`. An empty chunk that is not at the end means: again.
    fn read(&mut self, partition: &TopicPartition, wait: Duration) -> Result<Chunk, PortError>;

    /// As [`ChangelogReader::read`], but it never waits, and records stay where the client put them. Many partitions can be open: what
    /// is fetched for one does not wait for the others. It ends soon after `max_bytes`.
    fn read_rows(&mut self, partition: &TopicPartition, max_bytes: usize, each: EachRow<'_>) -> Result<Reached, PortError>;

    /// Waits until something may have come for an open partition, or the time is over.
    fn wait(&mut self, at_most: Duration) -> Result<(), PortError>;

    /// Stops reading a partition.
    fn close(&mut self, partition: &TopicPartition);
}
