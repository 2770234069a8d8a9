//! What a thread tells of itself, for readers of its status and metrics.

use super::active_task::Slot;
use super::stream_thread::{Phase, StreamThread};
use crate::ports::ThreadPorts;
use crate::runtime::TaskRow;

impl<P: ThreadPorts> StreamThread<P> {
    /// Leaves the thread's figures where readers find them; cheap enough for every step that ends in a wait or a commit.
    pub(super) fn tell_status(&mut self) {
        if self.transaction.is_some() && self.phase == Phase::Ready {
            return;
        }
        let name = &self.parts.name;
        let rows = self.slots.iter().map(|(token, slot)| TaskRow {
            token: *token,
            task: self.parts.tokens.task(*token).cloned(),
            state: slot.state_name(),
            thread: name.clone(),
        });
        if self.generation.is_some() {
            self.parts.status.set_tasks(name, rows.collect());
        }
        self.tell_lag();
    }

    /// Leaves how far its partitions are: between commits, and once more before a commit, which may hang.
    pub(super) fn tell_lag(&mut self) {
        let now = self.parts.clock.now();
        let mut rows = Vec::new();
        for active in self.slots.values_mut().filter_map(Slot::active_mut) {
            active.tell_lag(&self.parts.data, now, &mut rows);
        }
        self.parts.status.set_lag(&self.parts.name, rows);
    }
}
