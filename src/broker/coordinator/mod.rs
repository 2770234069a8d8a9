//! The coordinators of groups and transactions at work: one lock around both and their journal, requests that wait, time that passes.
//!
//! ```text
//! handlers ──► Coordinator ──► groups, transactions ──► journal      what was answered outlives a kill; ends of transactions a power cut
//!                  │   ▲
//!                  │   └─ run(): ticks, time-outs, expiry, the next journal file
//!                  └────► logs: begin_transaction, markers
//! ```
//!
//! Contract: both coordinators and the journal change under one lock, so that the journal tells what happened in its order. Nothing waits
//! for the disk under it, but for the write of a few hundred bytes.

mod boot;
mod finish;
mod groups;
mod recovery;
mod run;
mod state;
#[cfg(test)]
mod tests;
mod transactions;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use self::state::State;
use super::groups::{Answer, GroupSettings};
use super::journal::{Durable, JournalError, Position};
use super::log::{Fsync, Logs};
use super::moment::Moment;
use super::transactions::TransactionSettings;
use super::wire::ErrorCode;
use crate::clock::Clock;

/// What the coordinators may be told.
#[derive(Debug, Clone)]
pub struct CoordinatorSettings {
    pub groups: GroupSettings,
    pub transactions: TransactionSettings,
    /// As for the logs.
    pub fsync: Fsync,
    /// With [`Fsync::Interval`]: what need not be on disk at once is so much later.
    pub fsync_interval: Duration,
    /// The next journal file begins when this one has grown to four times what it began with, but not below this.
    pub journal_bytes: u64,
    /// Names the time since the machine started. A start that finds another one in the journal knows that the disk may lack what was
    /// written.
    pub boot: String,
}

impl Default for CoordinatorSettings {
    fn default() -> Self {
        CoordinatorSettings {
            groups: GroupSettings::default(),
            transactions: TransactionSettings::default(),
            fsync: Fsync::Interval,
            fsync_interval: Duration::from_secs(1),
            journal_bytes: 16 << 20,
            boot: boot::current(),
        }
    }
}

/// Both coordinators. Clones are the same.
#[derive(Clone)]
pub struct Coordinator {
    shared: Arc<Shared>,
}

struct Shared {
    settings: CoordinatorSettings,
    state: Mutex<State>,
    durable: Durable,
    logs: Arc<Logs>,
    clock: Arc<dyn Clock>,
}

impl Coordinator {
    /// Reads what an earlier process left in the directory, and finishes in the logs what it began. Blocks.
    pub fn open(directory: &Path, settings: CoordinatorSettings, logs: Arc<Logs>, clock: Arc<dyn Clock>) -> Result<Self, JournalError> {
        let state = State::open(directory, &settings)?;
        let durable = state.journal.durable();
        let coordinator = Coordinator { shared: Arc::new(Shared { settings, state: Mutex::new(state), durable, logs, clock }) };
        coordinator.recover();
        Ok(coordinator)
    }

    /// Whether there is such a partition.
    pub fn has_partition(&self, topic: &str, partition: i32) -> bool {
        self.shared.logs.partition(topic, partition).is_some()
    }

    /// Brings to disk what is not there yet, and answers all who wait. For an orderly end.
    pub async fn close(&self) {
        let position = self.with(|state, _| {
            state.waiting.clear();
            state.journal.position()
        });
        if let Err(error) = self.shared.durable.wait(position).await {
            tracing::warn!(%error, "the coordinators' journal may not be on disk completely");
        }
    }

    /// Does something under the lock, then sends the answers that became due.
    fn with<R>(&self, act: impl FnOnce(&mut State, Moment) -> R) -> R {
        let now = Moment { monotonic: self.shared.clock.monotonic(), wall_ms: self.shared.clock.now().0 };
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut state, now);
        state.send_answers();
        result
    }

    /// Like [`Coordinator::with`]; what was done is on disk afterwards, if everything has to be.
    async fn with_journal<R>(&self, act: impl FnOnce(&mut State, Moment) -> Result<R, ErrorCode>) -> Result<R, ErrorCode> {
        let (result, position) = self.with(|state, now| (act(state, now), state.journal.position()));
        if self.shared.settings.fsync == Fsync::Always && result.is_ok() {
            self.on_disk(position).await?;
        }
        result
    }

    async fn on_disk(&self, position: Position) -> Result<(), ErrorCode> {
        self.shared.durable.wait(position).await.map_err(|_| ErrorCode::CoordinatorNotAvailable)
    }

    /// Has `act` begin something that is answered later, and waits for the answer. None: the broker stops.
    async fn answered(&self, act: impl FnOnce(&mut State, Moment, super::groups::Waiter)) -> Option<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.with(|state, now| {
            let waiter = state.wait(sender);
            act(state, now, waiter);
        });
        receiver.await.ok()
    }
}
