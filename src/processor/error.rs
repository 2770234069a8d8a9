//! Why a record was not processed, and thereby what follows.

use std::error::Error;

use crate::codec::CodecError;
use crate::state::StoreError;

/// What a processor answers.
pub type ProcessResult = Result<(), ProcessorError>;

/// A record was not processed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorError {
    /// The record is at fault: the source's poison policy decides what becomes of it.
    #[error("record rejected: {0}")]
    Rejected(#[source] Box<dyn Error + Send + Sync>),
    /// Its key or value cannot be read: the same policy.
    #[error("record rejected: {0}")]
    Deserialization(String),
    /// It does not lie in the partition of its key: the same policy.
    #[error("record rejected: misplaced: {0}")]
    Misplaced(String),
    /// A processor panicked on the record: the same policy.
    #[error("processor panicked: {0}")]
    Panicked(String),
    /// A store failed. The record is not at fault and is not skipped: the task starts again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ProcessorError {
    /// The record is at fault, for this reason.
    pub fn rejected(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        ProcessorError::Rejected(cause.into())
    }

    /// True when the record is at fault, so that it may be skipped.
    pub fn blames_record(&self) -> bool {
        !matches!(self, ProcessorError::Store(_))
    }

    /// A stable word for the kind: in dead-letter headers and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            ProcessorError::Rejected(_) => "rejected",
            ProcessorError::Deserialization(_) => "deserialization",
            ProcessorError::Misplaced(_) => "misplaced",
            ProcessorError::Panicked(_) => "panicked",
            ProcessorError::Store(_) => "store",
        }
    }
}

impl From<CodecError> for ProcessorError {
    fn from(error: CodecError) -> Self {
        ProcessorError::Rejected(Box::new(error))
    }
}
