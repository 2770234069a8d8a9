//! What a partition log is asked and answers.

use bytes::Bytes;

/// Up to where a log goes. On a single node the high watermark is the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// First offset that can be read.
    pub log_start: i64,
    /// The next offset to be written.
    pub high_watermark: i64,
    /// Everything before it is decided: no transaction that began before it is open.
    pub last_stable: i64,
}

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The batch's first offset; of the first time, when it came again.
    pub base_offset: i64,
    /// The batch's last offset.
    pub last_offset: i64,
    /// With `message.timestamp.type = LogAppendTime` the time given to all records, in ms; else -1.
    pub log_append_time: i64,
    /// First offset of the log.
    pub log_start: i64,
}

/// What a reader wants of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// All records up to the high watermark.
    ReadUncommitted,
    /// Records up to the last stable offset, and the list of aborted transactions among them.
    ReadCommitted,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Its records count.
    Commit,
    /// Its records are skipped.
    Abort,
}

/// How much a read may give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadRoom {
    /// Whole batches within so many bytes.
    pub bytes: usize,
    /// But the first one also if it is larger, up to so many.
    pub first_batch: usize,
}

/// What a read gave.
#[derive(Debug, Clone)]
pub struct ReadResult {
    /// Whole batches, the first of which contains the asked offset or is the next after it; empty at the end.
    pub records: Bytes,
    /// For [`Isolation::ReadCommitted`]: producer id and first offset of aborted transactions that overlap `records`.
    pub aborted: Vec<(i64, i64)>,
    /// At the time of the read.
    pub progress: Progress,
    /// Bytes of the first batch, if it did not fit and so nothing was given.
    pub too_large: Option<usize>,
}

/// A record found by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOffset {
    /// Its offset.
    pub offset: i64,
    /// Its time in ms.
    pub timestamp: i64,
}

/// A producer as DescribeProducers tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: i64,
    /// Its last epoch.
    pub epoch: i16,
    /// Its last sequence; -1: none.
    pub last_sequence: i32,
    /// When it wrote last, in ms.
    pub last_timestamp: i64,
    /// Of the last marker; -1: none.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction; -1: none.
    pub transaction_start: i64,
}
