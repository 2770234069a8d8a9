//! Tasks that do not run and can still be read: lost to the group, or being opened again.
//!
//! Without Kafka nobody can say whose a task is, so nothing is processed; but what was committed is here, and readers are told how old it
//! is. That ends when the group has spoken (whatever is not assigned here is somebody else's), and when rows are restored into the
//! database, which then do not belong to its position.

use super::active_task::Slot;
use super::stream_thread::{Message, StreamThread};
use crate::ports::{DataConsumer as _, ThreadPorts};

impl<P: ThreadPorts> StreamThread<P> {
    /// Gives a token up of which nobody is known to be the owner now. Its task can be read as it was last, until the group says more.
    pub(super) fn lose(&mut self, token: i32) {
        self.outdate(token);
        self.outdated.push(token);
    }

    /// The group has spoken: what is not here any more is somebody else's.
    pub(super) fn withdraw_lost(&mut self) {
        for token in std::mem::take(&mut self.outdated) {
            if let Some(task) = self.parts.tokens.task(token).filter(|_| !self.slots.contains_key(&token)) {
                self.parts.views.withdraw_outdated(task);
                self.parts.status.forget_outdated(task);
            }
        }
    }

    /// Ends a task's work here and leaves what can be read.
    pub(super) fn outdate(&mut self, token: i32) {
        let Some(slot) = self.slots.remove(&token) else { return };
        if let Some(task) = self.parts.tokens.task(token) {
            self.parts.views.outdate(task);
            self.parts.status.outdate(task);
        }
        self.release(slot);
    }

    /// Ends a task's work here.
    pub(super) fn release(&mut self, slot: Slot<Message<P>>) {
        match slot {
            Slot::Unknown => {}
            Slot::Wanted(opening, _) | Slot::Opening(opening, _) => opening.cancel(),
            Slot::Active(active) => {
                let partitions: Vec<_> = active.task.plan().source_partitions().cloned().collect();
                if let Err(error) = self.parts.data.unassign(&partitions) {
                    tracing::warn!(thread = self.parts.name, %error, "task's partitions could not be unassigned");
                }
            }
        }
    }
}
