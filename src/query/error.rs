//! Why a read has no answer.

use crate::state::StoreError;
use crate::topology::TaskId;

/// A read has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The task is being restored here.
    #[error("task {task} is being restored on this instance")]
    Restoring {
        /// The task.
        task: TaskId,
    },
    /// The task is not on this instance.
    #[error("task {task} does not run on this instance")]
    NotHere {
        /// The task.
        task: TaskId,
    },
    /// The topics are not known yet: the instance has not reached Kafka since it started.
    #[error("this instance has not joined its group yet")]
    NotJoined,
    /// The key cannot be written with the source's codec.
    #[error("key cannot be written: {0}")]
    Key(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many reads at once.
    #[error("too many reads wait on this instance")]
    Overloaded,
}
