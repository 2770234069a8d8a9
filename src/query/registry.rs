//! Which tasks can be read here. Stream threads write it, readers look things up.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::state::TaskDatabase;
use crate::topology::TaskId;

/// A task as a reader finds it.
#[derive(Clone)]
pub enum TaskView {
    /// It is being opened or restored.
    Restoring,
    /// It runs here.
    Active(Arc<TaskDatabase>),
}

/// The tasks of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct ViewRegistry {
    tasks: Arc<RwLock<HashMap<TaskId, TaskView>>>,
    partitions: Arc<RwLock<HashMap<Arc<str>, i32>>>,
}

impl ViewRegistry {
    /// Says how many partitions a sub-topology has, once that is known.
    pub fn set_partitions(&self, subtopology: Arc<str>, partitions: i32) {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).insert(subtopology, partitions);
    }

    /// How many partitions a sub-topology has.
    pub fn partitions(&self, subtopology: &str) -> Option<i32> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).get(subtopology).copied()
    }

    /// Makes a task readable, or says that it is being restored.
    pub fn publish(&self, task: TaskId, view: TaskView) {
        self.tasks.write().unwrap_or_else(PoisonError::into_inner).insert(task, view);
    }

    /// The task left.
    pub fn withdraw(&self, task: &TaskId) {
        self.tasks.write().unwrap_or_else(PoisonError::into_inner).remove(task);
    }

    /// All tasks that are here, and whether each can be read already.
    pub fn tasks(&self) -> Vec<(TaskId, bool)> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().map(|(task, view)| (task.clone(), matches!(view, TaskView::Active(_)))).collect()
    }

    /// The databases of all tasks that run here.
    pub fn active(&self) -> Vec<(TaskId, Arc<TaskDatabase>)> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        let active = tasks.iter().filter_map(|(task, view)| match view {
            TaskView::Active(database) => Some((task.clone(), database.clone())),
            TaskView::Restoring => None,
        });
        active.collect()
    }

    /// Looks a task up.
    pub fn get(&self, task: &TaskId) -> Option<TaskView> {
        self.tasks.read().unwrap_or_else(PoisonError::into_inner).get(task).cloned()
    }
}
