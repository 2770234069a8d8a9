//! Where a task is that does not run here, as far as this instance knows, and what a reader is told of it.

use std::fmt;
use std::sync::Arc;

use super::{InstanceId, QueryError};
use crate::topology::TaskId;

/// Who runs a task, by what the members of the application publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskOwner {
    /// No member that lives is known to run it, or what is known may be out of date.
    Unknown,
    /// A member was given it and restores it; it cannot be read there yet.
    Restoring {
        /// The member.
        instance: InstanceId,
        /// How others reach it, without a slash at the end.
        url: Arc<str>,
    },
    /// A member runs it.
    Active {
        /// The member.
        instance: InstanceId,
        /// How others reach it, without a slash at the end.
        url: Arc<str>,
    },
}

impl TaskOwner {
    /// As in answers: `unknown`, `restoring` or `active`.
    pub fn state(&self) -> &'static str {
        match self {
            TaskOwner::Unknown => "unknown",
            TaskOwner::Restoring { .. } => "restoring",
            TaskOwner::Active { .. } => "active",
        }
    }

    /// The member and its URL, when one is known.
    pub fn member(&self) -> Option<(&InstanceId, &str)> {
        match self {
            TaskOwner::Unknown => None,
            TaskOwner::Restoring { instance, url } | TaskOwner::Active { instance, url } => Some((instance, url)),
        }
    }
}

/// A task that a read of all tasks could not ask here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTask {
    /// The task.
    pub task: TaskId,
    /// Who runs it.
    pub owner: TaskOwner,
}

/// Looks up who runs a task that is not here. Cheap to clone; by default nobody is known.
#[derive(Clone)]
pub struct Owners(Arc<dyn Fn(&TaskId) -> TaskOwner + Send + Sync>);

impl Default for Owners {
    fn default() -> Self {
        Owners(Arc::new(|_| TaskOwner::Unknown))
    }
}

impl fmt::Debug for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owners")
    }
}

impl Owners {
    /// Asks `look_up`, which must not wait.
    pub fn new(look_up: impl Fn(&TaskId) -> TaskOwner + Send + Sync + 'static) -> Self {
        Owners(Arc::new(look_up))
    }

    /// Who runs a task.
    pub fn of(&self, task: &TaskId) -> TaskOwner {
        (self.0)(task)
    }

    /// Why a task cannot be read here, when it is not here.
    pub fn not_here(&self, task: TaskId) -> QueryError {
        match self.of(&task) {
            TaskOwner::Unknown => QueryError::NotHere { task },
            TaskOwner::Restoring { instance, .. } => QueryError::RestoringElsewhere { task, instance },
            TaskOwner::Active { instance, url } => QueryError::Elsewhere { task, instance, url },
        }
    }

    /// Why a read of all tasks has no answer, when these are not here.
    pub fn partial(&self, missing: impl IntoIterator<Item = TaskId>) -> QueryError {
        let missing = missing.into_iter().map(|task| MissingTask { owner: self.of(&task), task }).collect();
        QueryError::Partial { missing }
    }
}
