//! What a thread holds for each of its tokens.

use std::sync::Arc;

use super::Opening;
use crate::task::{PartitionGroup, Task, TaskPlan};

/// A task that runs, with its fetched records.
pub(super) struct ActiveTask<M> {
    pub task: Task,
    pub group: PartitionGroup<M>,
}

/// A token that this thread holds.
pub(super) enum Slot<M> {
    /// This program does not know what it stands for: another version gave it. It idles here.
    Unknown,
    /// The restorer has not been asked yet.
    Wanted(Opening, Arc<TaskPlan>),
    /// The restorer works on it.
    Opening(Opening, Arc<TaskPlan>),
    /// It runs.
    Active(Box<ActiveTask<M>>),
}

impl<M> Slot<M> {
    pub(super) fn active(&self) -> Option<&ActiveTask<M>> {
        match self {
            Slot::Active(active) => Some(active),
            _ => None,
        }
    }

    pub(super) fn active_mut(&mut self) -> Option<&mut ActiveTask<M>> {
        match self {
            Slot::Active(active) => Some(active),
            _ => None,
        }
    }

    pub(super) fn state_name(&self) -> &'static str {
        match self {
            Slot::Unknown => "unknown",
            Slot::Wanted(..) | Slot::Opening(..) => "restoring",
            Slot::Active(active) if active.task.is_filling() => "restoring",
            Slot::Active(_) => "active",
        }
    }
}
