//! Why a read has no answer.

use std::sync::Arc;

use super::{InstanceId, MissingTask};
use crate::record::{Offset, TopicPartition};
use crate::state::StoreError;
use crate::topology::TaskId;

/// A read has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The task is being restored here, or the store is being filled.
    #[error("task {task} is being restored on this instance")]
    Restoring {
        /// The task.
        task: TaskId,
    },
    /// The task is not on this instance, and nobody is known who runs it.
    #[error("task {task} does not run on this instance, and no other is known to run it at the moment")]
    NotHere {
        /// The task.
        task: TaskId,
    },
    /// Another instance was given the task and restores it.
    #[error("task {task} is being restored on instance {}", instance.0)]
    RestoringElsewhere {
        /// The task.
        task: TaskId,
        /// Who restores it.
        instance: InstanceId,
    },
    /// Another instance runs the task: ask there.
    #[error("task {task} runs on instance {}", instance.0)]
    Elsewhere {
        /// The task.
        task: TaskId,
        /// Who runs it.
        instance: InstanceId,
        /// How others reach it, without a slash at the end.
        url: Arc<str>,
    },
    /// A read over all partitions cannot reach some of them.
    #[error("{} cannot be read on this instance; scope=local answers with what is here", list(missing))]
    Partial {
        /// The tasks of those partitions, and who has them.
        missing: Vec<MissingTask>,
    },
    /// The topics are not known yet: the instance has not reached Kafka since it started.
    #[error("this instance has not joined its group yet")]
    NotJoined,
    /// The key cannot be read, or not be written with the source's codec.
    #[error("key {0}")]
    Key(String),
    /// The cursor is not one of this list.
    #[error("the cursor {0}; begin again without it")]
    Cursor(&'static str),
    /// A page of so many rows is not given.
    #[error("a page has 1 to {max} rows, not {limit}")]
    Limit {
        /// What was asked for.
        limit: usize,
        /// What is given.
        max: usize,
    },
    /// The consistency token cannot be one of this application.
    #[error("the consistency token {0}")]
    Token(String),
    /// The view had not come as far as the token says when the time was over.
    #[error("the view is at {at} of {partition} and has not come to {wanted}, which the consistency token asks for")]
    NotCaughtUp {
        /// Of the topic that the task reads: of the token, or a repartition topic behind it.
        partition: TopicPartition,
        /// The next offset that it will read.
        at: Offset,
        /// The one that it had to reach.
        wanted: Offset,
    },
    /// A task elsewhere that feeds the view had not come as far as the token says when the time was over.
    #[error("task {task}, which feeds this view, has not come as far as the consistency token asks for")]
    PeerBehind {
        /// The task.
        task: TaskId,
    },
    /// The instance that runs a task before this one did not say how far it is.
    #[error("how far task {task} is, which feeds this view, is not known: {detail}")]
    PeerFailed {
        /// The task.
        task: TaskId,
        /// Why.
        detail: String,
    },
    /// There is no such task.
    #[error("there is no task {task}")]
    NoTask {
        /// What was asked for.
        task: String,
    },
    /// There are more rows than a reader wants to bear.
    #[error("store {store} has more than {limit} rows in the range asked for")]
    TooManyRows {
        /// The store.
        store: String,
        /// The reader's bound.
        limit: usize,
    },
    /// There is no store of this name.
    #[error("there is no store {store}; there are: {known}")]
    NoStore {
        /// What was asked for.
        store: String,
        /// The names that there are.
        known: String,
    },
    /// The store has no index of this name.
    #[error("store {store} has no index {index}; it has: {known}")]
    NoIndex {
        /// The store.
        store: String,
        /// What was asked for.
        index: String,
        /// The names that there are.
        known: String,
    },
    /// Each partition has rows of its own for a key.
    #[error("store {store} is partial: each partition has rows of its own for a key, so no task owns one")]
    NoOwner {
        /// The store.
        store: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Records that a row names could not be read.
    #[error("the log cannot be read: {0}")]
    LogUnavailable(String),
    /// Records that a row names have more bytes than are given at once.
    #[error("the records have more than {max_bytes} bytes")]
    RecordsTooLarge {
        /// The bound.
        max_bytes: usize,
    },
    /// Too many reads at once.
    #[error("too many reads wait on this instance")]
    Overloaded,
    /// The read ended without an answer: it panicked, or the process ends.
    #[error("the read was broken off: {0}")]
    BrokenOff(String),
}

fn list(missing: &[MissingTask]) -> String {
    missing.iter().map(|missing| missing.task.to_string()).collect::<Vec<_>>().join(", ")
}
