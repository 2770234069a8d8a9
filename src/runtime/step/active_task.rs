//! What a thread holds for each of its tokens.

use super::Opening;
use crate::task::{PartitionGroup, Task};

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
    Wanted(Opening),
    /// The restorer works on it.
    Opening(Opening),
    /// It runs.
    Active(Box<ActiveTask<M>>),
}

impl<M> Slot<M> {
    pub(super) fn active_mut(&mut self) -> Option<&mut ActiveTask<M>> {
        match self {
            Slot::Active(active) => Some(active),
            _ => None,
        }
    }

    pub(super) fn state_name(&self) -> &'static str {
        match self {
            Slot::Unknown => "unknown",
            Slot::Wanted(_) | Slot::Opening(_) => "restoring",
            Slot::Active(_) => "active",
        }
    }
}
