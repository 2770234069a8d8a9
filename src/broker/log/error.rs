//! What goes wrong with logs, named as Kafka names it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A directory of logs could not be opened or changed.
#[derive(Debug, Error)]
pub enum LogError {
    /// Another process works in the directory.
    #[error("data directory {dir} is in use by {holder}: stop that process, or set another broker.data_dir")]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Who holds it, as far as it said so.
        holder: String,
    },
    /// The operating system refused.
    #[error("{action} {path} failed: {source}")]
    Io {
        /// What was being tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file does not hold what it must.
    #[error("{path} is not readable: {what}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Kafka's TOPIC_ALREADY_EXISTS.
    #[error("Topic '{0}' already exists.")]
    TopicExists(String),
    /// Kafka's UNKNOWN_TOPIC_OR_PARTITION.
    #[error("there is no topic '{0}'")]
    UnknownTopic(String),
    /// Kafka's INVALID_TOPIC_EXCEPTION.
    #[error("{0}")]
    InvalidTopic(String),
    /// Kafka's INVALID_PARTITIONS.
    #[error("{0}")]
    InvalidPartitions(String),
    /// Kafka's INVALID_CONFIG.
    #[error("{0}")]
    InvalidConfig(String),
}

impl LogError {
    /// For `map_err`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
        let path = path.to_owned();
        move |source| LogError::Io { action, path, source }
    }
}

/// Records were not appended. Each is the Kafka error of its name; the log is as it was before.
#[derive(Debug, Error)]
pub enum AppendError {
    /// CORRUPT_MESSAGE
    #[error("{0}")]
    CorruptMessage(String),
    /// INVALID_RECORD
    #[error("{0}")]
    InvalidRecord(String),
    /// INVALID_TIMESTAMP
    #[error("{0}")]
    InvalidTimestamp(String),
    /// UNSUPPORTED_FOR_MESSAGE_FORMAT
    #[error("record batch has format {0}; only format 2 is stored")]
    UnsupportedFormat(i8),
    /// UNSUPPORTED_COMPRESSION_TYPE
    #[error("record batch has the unknown compression type {0}")]
    UnsupportedCompression(i16),
    /// MESSAGE_TOO_LARGE
    #[error("record batch of {size} bytes exceeds max.message.bytes = {max}")]
    MessageTooLarge {
        /// The batch as sent.
        size: usize,
        /// What the topic allows.
        max: usize,
    },
    /// RECORD_LIST_TOO_LARGE
    #[error("record batch of {size} bytes exceeds segment.bytes = {max}")]
    RecordListTooLarge {
        /// The batch as sent.
        size: usize,
        /// The topic's segment size.
        max: usize,
    },
    /// INVALID_PRODUCER_EPOCH
    #[error("epoch {epoch} of producer {producer_id} is older than the last seen epoch {current}")]
    InvalidProducerEpoch {
        /// Whose.
        producer_id: i64,
        /// As sent.
        epoch: i16,
        /// As known.
        current: i16,
    },
    /// OUT_OF_ORDER_SEQUENCE_NUMBER
    #[error("producer {producer_id} sent sequence {sequence} in epoch {epoch}; the last one here is {last} in epoch {last_epoch}")]
    OutOfOrderSequence {
        /// Whose.
        producer_id: i64,
        /// As sent.
        epoch: i16,
        /// As sent.
        sequence: i32,
        /// As known; -1: none.
        last: i32,
        /// As known.
        last_epoch: i16,
    },
    /// INVALID_TXN_STATE
    #[error("producer {producer_id}: {what}")]
    InvalidTxnState {
        /// Whose.
        producer_id: i64,
        /// What does not fit.
        what: &'static str,
    },
    /// TRANSACTION_COORDINATOR_FENCED
    #[error("marker for producer {producer_id} has coordinator epoch {epoch}, older than {current}")]
    CoordinatorFenced {
        /// Whose.
        producer_id: i64,
        /// As given.
        epoch: i32,
        /// As known.
        current: i32,
    },
    /// KAFKA_STORAGE_ERROR
    #[error("{action} failed: {source}")]
    Storage {
        /// What was being tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// UNKNOWN_TOPIC_OR_PARTITION: the topic was deleted meanwhile.
    #[error("the partition was deleted")]
    Deleted,
}

/// Records could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// OFFSET_OUT_OF_RANGE
    #[error("offset {offset} is outside of {start}..={end}")]
    OffsetOutOfRange {
        /// As asked.
        offset: i64,
        /// First offset there is.
        start: i64,
        /// The next that will be written.
        end: i64,
    },
    /// POLICY_VIOLATION: records of a compacted topic are not deleted by offset.
    #[error("records of a topic without cleanup.policy delete cannot be deleted")]
    PolicyViolation,
    /// KAFKA_STORAGE_ERROR
    #[error("{action} failed: {source}")]
    Storage {
        /// What was being tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// UNKNOWN_TOPIC_OR_PARTITION: the topic was deleted meanwhile.
    #[error("the partition was deleted")]
    Deleted,
}
