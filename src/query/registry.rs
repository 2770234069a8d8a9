//! Which tasks can be read here. Stream threads write it, readers look things up.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

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

/// A task's view, and whether the task still runs here.
struct Entry {
    view: TaskView,
    /// Readable as it was last: it does not run at the moment, and nobody here or elsewhere is known to have gone on with it.
    outdated: bool,
}

/// The tasks of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct ViewRegistry {
    tasks: Arc<RwLock<HashMap<TaskId, Entry>>>,
    partitions: Arc<RwLock<HashMap<Arc<str>, i32>>>,
    moved: Arc<Notify>,
}

impl ViewRegistry {
    /// Tasks have committed, or can be read, or can not any more: wakes all reads that wait. Waits for nobody.
    pub fn note_moved(&self) {
        self.moved.notify_waiters();
    }

    /// Ends when something moves after it was enabled or first polled.
    pub fn moved(&self) -> Notified<'_> {
        self.moved.notified()
    }

    /// Says how many partitions a sub-topology has, once that is known.
    pub fn set_partitions(&self, subtopology: Arc<str>, partitions: i32) {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).insert(subtopology, partitions);
    }

    /// How many partitions a sub-topology has.
    pub fn partitions(&self, subtopology: &str) -> Option<i32> {
        self.partitions.read().unwrap_or_else(PoisonError::into_inner).get(subtopology).copied()
    }

    /// Makes a task readable, or says that it is being restored: from then on nothing of it can be read.
    pub fn publish(&self, task: TaskId, view: TaskView) {
        self.tasks.write().unwrap_or_else(PoisonError::into_inner).insert(task, Entry { view, outdated: false });
        self.note_moved();
    }

    /// From now on nothing of the task can be read. One that has left meanwhile stays away.
    pub fn hide(&self, task: &TaskId) {
        if let Some(entry) = self.tasks.write().unwrap_or_else(PoisonError::into_inner).get_mut(task) {
            *entry = Entry { view: TaskView::Restoring, outdated: false };
        }
        self.note_moved();
    }

    /// The task is to be opened. What can be read of it stays until rows are restored into it.
    pub fn publish_opening(&self, task: TaskId) {
        let mut tasks = self.tasks.write().unwrap_or_else(PoisonError::into_inner);
        tasks.entry(task).or_insert(Entry { view: TaskView::Restoring, outdated: false });
    }

    /// The task does not run any more, and nothing says yet who goes on with it: it can still be read as it was last.
    pub fn outdate(&self, task: &TaskId) {
        let mut tasks = self.tasks.write().unwrap_or_else(PoisonError::into_inner);
        match tasks.get_mut(task) {
            Some(entry) if matches!(entry.view, TaskView::Active(_)) => entry.outdated = true,
            _ => drop(tasks.remove(task)),
        }
    }

    /// The task left.
    pub fn withdraw(&self, task: &TaskId) {
        self.tasks.write().unwrap_or_else(PoisonError::into_inner).remove(task);
        self.note_moved();
    }

    /// The task left, unless somebody in this process runs it again.
    pub fn withdraw_outdated(&self, task: &TaskId) {
        let mut tasks = self.tasks.write().unwrap_or_else(PoisonError::into_inner);
        if tasks.get(task).is_some_and(|entry| entry.outdated) {
            tasks.remove(task);
        }
    }

    /// All tasks that are here, and whether each runs.
    pub fn tasks(&self) -> Vec<(TaskId, bool)> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().map(|(task, entry)| (task.clone(), matches!(entry.view, TaskView::Active(_)) && !entry.outdated)).collect()
    }

    /// The databases of all tasks that can be read here.
    pub fn active(&self) -> Vec<(TaskId, Arc<TaskDatabase>)> {
        let tasks = self.tasks.read().unwrap_or_else(PoisonError::into_inner);
        let active = tasks.iter().filter_map(|(task, entry)| match &entry.view {
            TaskView::Active(database) => Some((task.clone(), database.clone())),
            TaskView::Restoring => None,
        });
        active.collect()
    }

    /// Looks a task up.
    pub fn get(&self, task: &TaskId) -> Option<TaskView> {
        self.tasks.read().unwrap_or_else(PoisonError::into_inner).get(task).map(|entry| entry.view.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_left_is_not_brought_back_by_hiding_it() {
        let (registry, task) = (ViewRegistry::default(), TaskId { subtopology: "s".into(), partition: 0 });
        registry.publish_opening(task.clone());
        registry.hide(&task);
        assert!(matches!(registry.get(&task), Some(TaskView::Restoring)));
        registry.withdraw(&task);
        registry.hide(&task);
        assert!(registry.get(&task).is_none(), "somebody else has it now");
    }
}
