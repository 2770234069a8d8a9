//! Why a task cannot be opened, and what is merely not possible yet.

use crate::ports::PortError;
use crate::record::{Offset, TopicPartition};
use crate::state::StoreError;
use crate::task::{RebuildReason, StartRefusal, TaskError};

/// Why a task could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Going on would give wrong data.
    #[error(transparent)]
    Refused(#[from] StartRefusal),
    /// Kafka failed for good.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A marker cannot be read.
    #[error("marker at {partition}@{offset} cannot be read: {detail}")]
    Marker {
        /// Where.
        partition: TopicPartition,
        /// Where.
        offset: Offset,
        /// What is wrong.
        detail: String,
    },
    /// The task could not be replayed for a store that was added.
    #[error("added stores cannot be filled: {0}")]
    Task(#[source] TaskError),
    /// The task has read a topic that the topology does not read any more.
    #[error(
        "the task has read {found}, which the topology does not read any more: run `viewmill reset --application` to build all views anew, or read it again"
    )]
    SourceRemoved {
        /// The source partition.
        found: TopicPartition,
    },
    /// The changelog does not reach back to its beginning.
    #[error(
        "changelog {partition} begins at {start}: records before it were deleted, and the task needs those from {from} on. Bring the topic \
         back, or run `viewmill reset --application` to build all state anew from the sources"
    )]
    Beheaded {
        /// The changelog partition.
        partition: TopicPartition,
        /// Where the log begins.
        start: Offset,
        /// Where the task would have begun to read.
        from: Offset,
    },
    /// The database is damaged again right after it was rebuilt.
    #[error("the task's database is damaged again while it is being rebuilt: does the disk fail? See the log for the file")]
    DamagedAgain,
    /// The changelog does not hold what the marker says.
    #[error(
        "changelog {partition} is torn: the marker names offset {wanted}, the log ends at {end}, also when read from its beginning: records that \
         were committed are lost. Bring the topic back, or run `viewmill reset --application` to build all state anew from the sources"
    )]
    Torn {
        /// The changelog partition.
        partition: TopicPartition,
        /// The marker's offset.
        wanted: Offset,
        /// The end of the log.
        end: Offset,
    },
}

/// Why a piece of work did not succeed.
pub(super) enum Failure {
    /// The same again, later.
    Later,
    /// From the beginning, with another database.
    Rebuild(RebuildReason),
    /// What was asked for has not come yet; the reader tells when it does.
    NothingHere,
    /// The task cannot be opened.
    Final(RestoreError),
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        match error.is_retriable() {
            true => Failure::Later,
            false => Failure::Final(error.into()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error.is_damage() {
            true => {
                tracing::error!(%error, "state is damaged");
                Failure::Rebuild(RebuildReason::Damaged)
            }
            false => Failure::Final(error.into()),
        }
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        Failure::Final(error)
    }
}
