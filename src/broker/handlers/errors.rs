//! The logs' errors in Kafka's numbers.

use crate::broker::log::{AppendError, LogError, ReadError};
use crate::broker::wire::ErrorCode;

impl From<&LogError> for ErrorCode {
    fn from(error: &LogError) -> Self {
        match error {
            LogError::Locked { .. } | LogError::Io { .. } | LogError::Corrupt { .. } => ErrorCode::KafkaStorageError,
            LogError::TopicExists(_) => ErrorCode::TopicAlreadyExists,
            LogError::UnknownTopic(_) => ErrorCode::UnknownTopicOrPartition,
            LogError::InvalidTopic(_) => ErrorCode::InvalidTopic,
            LogError::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
            LogError::InvalidConfig(_) => ErrorCode::InvalidConfig,
        }
    }
}

impl From<&AppendError> for ErrorCode {
    fn from(error: &AppendError) -> Self {
        match error {
            AppendError::CorruptMessage(_) => ErrorCode::CorruptMessage,
            AppendError::InvalidRecord(_) => ErrorCode::InvalidRecord,
            AppendError::InvalidTimestamp(_) => ErrorCode::InvalidTimestamp,
            AppendError::UnsupportedFormat(_) => ErrorCode::UnsupportedForMessageFormat,
            AppendError::UnsupportedCompression(_) => ErrorCode::UnsupportedCompressionType,
            AppendError::MessageTooLarge { .. } => ErrorCode::MessageTooLarge,
            AppendError::RecordListTooLarge { .. } => ErrorCode::RecordListTooLarge,
            AppendError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            AppendError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            AppendError::InvalidTxnState { .. } => ErrorCode::InvalidTxnState,
            AppendError::CoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
            AppendError::Storage { .. } => ErrorCode::KafkaStorageError,
            AppendError::Deleted => ErrorCode::UnknownTopicOrPartition,
        }
    }
}

impl From<&ReadError> for ErrorCode {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ReadError::PolicyViolation => ErrorCode::PolicyViolation,
            ReadError::Storage { .. } => ErrorCode::KafkaStorageError,
            ReadError::Deleted => ErrorCode::UnknownTopicOrPartition,
        }
    }
}
