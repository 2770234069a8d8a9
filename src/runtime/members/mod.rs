//! The members of the application: who they are, how they are reached, and which tasks each has.
//!
//! Each instance publishes itself in the members topic and reads the whole topic. Out of that comes the answer to "who runs the
//! task that is not here". [`MemberTable`] decides, driven by records and times; the thread that moves records
//! to and from Kafka is the application shell's. `docs/members.md` tells why it cannot send a reader in circles.

mod own;
mod record;
mod table;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::query::{InstanceId, Owners, ViewRegistry};
pub use record::{MemberRole, MemberTask, MemberTaskState};
use table::MemberTable;

/// A member renews its record so often, and at once when its tasks change.
pub const HEARTBEAT: Duration = Duration::from_secs(2);

/// A member that has not been heard for so long counts as gone: five heartbeats.
pub const GONE_AFTER: Duration = Duration::from_secs(10);

/// What an instance says of itself, besides its tasks.
#[derive(Clone, Debug)]
pub struct MemberIdentity {
    /// Its id: the key of its record.
    pub instance: InstanceId,
    /// How others reach it, without a slash at the end.
    pub url: Arc<str>,
    /// The program's version.
    pub version: String,
    /// Tells this process from earlier ones with the same id.
    pub run: String,
}

/// A living member.
#[derive(Clone, Debug)]
pub struct MemberRow {
    /// Its id.
    pub instance: InstanceId,
    /// How others reach it.
    pub url: Arc<str>,
    /// Its program's version.
    pub version: String,
    /// Its tasks.
    pub tasks: Vec<MemberTask>,
    /// How long ago its last record was read; `None` for this instance while it has read none of its own.
    pub last_seen: Option<Duration>,
    /// Whether it is this instance.
    pub is_self: bool,
}

/// The members as this instance knows them. Cheap to clone; no call waits for Kafka.
#[derive(Clone)]
pub struct Members {
    table: Arc<Mutex<MemberTable>>,
    registry: ViewRegistry,
    clock: Arc<dyn Clock>,
}

impl Members {
    /// Only this instance, with the tasks of `registry`.
    pub fn new(identity: MemberIdentity, registry: ViewRegistry, clock: Arc<dyn Clock>) -> Self {
        Members { table: Arc::new(Mutex::new(MemberTable::new(identity))), registry, clock }
    }

    /// The value to publish now under this instance's id, if one is due.
    pub fn due(&self) -> Option<Vec<u8>> {
        let mut table = self.current();
        table.tidy(self.clock.monotonic());
        table.due(self.clock.monotonic()).map(|record| record.encode())
    }

    /// Takes the next record of the members topic. `None` as value: the member left.
    pub fn receive(&self, offset: i64, key: &[u8], value: Option<&[u8]>) {
        self.lock().receive(offset, key, value, self.clock.monotonic());
    }

    /// Whether another living process with this instance's id is heard of: its records lie behind ones of our own.
    pub fn has_rival(&self) -> bool {
        self.lock().has_rival(self.clock.monotonic())
    }

    /// For readers: who runs a task that is not here.
    pub fn owners(&self) -> Owners {
        let members = self.clone();
        Owners::new(move |task| members.current().owner(task, members.clock.monotonic()))
    }

    /// All living members by instance id, this one among them.
    pub fn rows(&self) -> Vec<MemberRow> {
        self.current().rows(self.clock.monotonic())
    }

    /// The table with the tasks that are here at this moment: one that just left must not be taken for one that never was here.
    fn current(&self) -> MutexGuard<'_, MemberTable> {
        let mut table = self.lock();
        let state = |is_active| if is_active { MemberTaskState::Active } else { MemberTaskState::Restoring };
        table.hold(self.registry.tasks().into_iter().map(|(task, is_active)| (task, state(is_active))));
        table
    }

    fn lock(&self) -> MutexGuard<'_, MemberTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
