//! Why a stream thread stops.

use super::RestoreError;
use crate::ports::PortError;
use crate::task::TaskError;
use crate::topology::TaskId;

/// A stream thread cannot go on; the instance is in ERROR and says this.
#[derive(Debug, thiserror::Error)]
pub enum ThreadError {
    /// Another process joined with this member's id. A supervisor must not restart this one.
    #[error("fenced: another process runs with this instance id ({0}); give each its own application.instance_id and state directory")]
    FencedInstance(PortError),
    /// A task must not start.
    #[error("task {task} cannot start: {cause}")]
    Start {
        /// The task.
        task: TaskId,
        /// Why.
        cause: RestoreError,
    },
    /// A task cannot go on.
    #[error("task {task}: {cause}")]
    Task {
        /// The task.
        task: TaskId,
        /// Why.
        cause: TaskError,
    },
    /// Kafka does not allow something.
    #[error("not allowed: {0}")]
    Unauthorized(PortError),
    /// A source's log does not reach back to the position.
    #[error("records were lost before they were processed: {0}; the topic's retention is shorter than this application was away")]
    OffsetsLost(PortError),
    /// A new producer did not help.
    #[error("the producer failed {times} times in 5 minutes, the last time: {cause}")]
    ProducerFails {
        /// How often.
        times: usize,
        /// The last failure.
        cause: PortError,
    },
    /// A client failed for good.
    #[error(transparent)]
    Port(PortError),
}
