//! Why a task cannot go on. None of these is the fault of a record.

use crate::processor::ProcessorError;
use crate::state::StoreError;

/// A task cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// A store failed: the task starts again from its last commit.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A processor could not be made or initialised.
    #[error("processor {node} cannot start: {detail}")]
    Init {
        /// The processor.
        node: String,
        /// What it said.
        detail: String,
    },
    /// A marker could not be written.
    #[error("marker cannot be written: {0}")]
    Marker(#[from] crate::codec::CodecError),
    /// A record is at fault and the policy says `stop`.
    #[error("record {place} cannot be processed and the poison policy is stop: {cause}")]
    Poison {
        /// `topic:partition@offset`.
        place: String,
        /// Why.
        cause: ProcessorError,
    },
}
