//! What a thread does after a step: step again, or wait, and for how long.

use std::time::Duration;

use super::active_task::Slot;
use super::stream_thread::{Phase, StreamThread};
use crate::ports::ThreadPorts;
use crate::task::Readiness;

/// The longest wait: everything that has no wake-up of its own is seen within it.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// The wait between two looks at a group from which an answer is due.
const HURRIED_WAIT: Duration = Duration::from_millis(5);

/// The wait between two polls of a group that has not answered yet.
const JOINING_WAIT: Duration = Duration::from_millis(10);

/// What to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Step again at once.
    Again,
    /// Nothing to do before this time is over, something is fetched, or somebody wakes the thread.
    Wait(Duration),
    /// The group has been left and everything is committed: never step again.
    Left,
}

impl<P: ThreadPorts> StreamThread<P> {
    pub(super) fn next_step(&self, processed: usize) -> Step {
        match self.phase {
            Phase::Left => Step::Left,
            Phase::Leaving { .. } => Step::Wait(HURRIED_WAIT),
            Phase::ReplaceProducer => Step::Wait(MAX_WAIT),
            Phase::Ready if self.generation_refused => Step::Wait(HURRIED_WAIT),
            Phase::Ready if processed > 0 => Step::Again,
            // The first assignment may come at any moment, and waits for a poll.
            Phase::Ready if self.generation.is_none() => Step::Wait(JOINING_WAIT),
            Phase::Ready => self.wait_for_records(),
        }
    }

    /// Until something must be done though nothing comes: a commit, or the end of the time for which a task lets its records wait.
    fn wait_for_records(&self) -> Step {
        let commit = self.transaction.map(|began| self.commit_due(began));
        let mut due = commit.unwrap_or(Duration::MAX);
        for active in self.slots.values().filter_map(Slot::active) {
            match active.group.readiness() {
                _ if active.task.is_filling() && self.transaction.is_none() => return Step::Again,
                _ if active.task.is_filling() => {}
                Readiness::Ready if self.generation.is_some() => return Step::Again,
                Readiness::Waits(until) => due = due.min(until),
                Readiness::Ready | Readiness::Empty => {}
            }
        }
        Step::Wait(due.saturating_sub(self.now()).clamp(Duration::from_millis(1), MAX_WAIT))
    }
}
