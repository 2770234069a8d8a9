//! What happens in the background, each in a thread of its own: records are forced to disk, checkpoints written, old segments deleted,
//! topics compacted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Shared;
use crate::broker::log::{AppendError, Fsync, LogError, PartitionLog};

/// When so much would have to be checked at a start in all partitions together, those with more than [`WORTH_BYTES`] get checkpoints.
const WORTH_BYTES: u64 = 1 << 20;
/// So many partitions wait for the disk at a time.
const FLUSH_THREADS: usize = 8;

/// The threads; they end when this is dropped.
pub struct Keeper {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Keeper {
    /// Begins.
    pub fn start(shared: &Arc<Shared>) -> Result<Keeper, LogError> {
        let mut keeper = Keeper { stop: Arc::default(), threads: Vec::new() };
        let settings = &shared.settings;
        keeper.spawn(shared, "log-flush", settings.fsync_interval, |shared, _| shared.flush_written())?;
        keeper.spawn(shared, "log-checkpoint", settings.fsync_interval, |shared, _| shared.checkpoint_due())?;
        keeper.spawn(shared, "log-retain", settings.cleaner_backoff, |shared, stop| shared.retain(&|| stop.is_stopped()))?;
        keeper.spawn(shared, "log-compact", settings.cleaner_backoff, |shared, stop| shared.compact(&|| stop.is_stopped()))?;
        Ok(keeper)
    }

    fn spawn(&mut self, shared: &Arc<Shared>, name: &str, every: Duration, tick: fn(&Shared, &Stop)) -> Result<(), LogError> {
        let (shared, stop) = (Arc::clone(shared), Arc::clone(&self.stop));
        let dir = shared.dir.clone();
        let run = move || {
            while !stop.wait(every) {
                tick(&shared, &stop);
            }
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run).map_err(LogError::io("starting a thread for", &dir))?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *self.stop.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the logs had panicked");
            }
        }
    }
}

impl Stop {
    fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True: stop.
    fn wait(&self, at_most: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(stopped, at_most, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Shared {
    fn flush_written(&self) {
        if self.settings.fsync != Fsync::Interval {
            return;
        }
        let written: Vec<_> = self.partitions().into_iter().filter(|partition| partition.is_unflushed()).collect();
        let next = Mutex::new(written.iter());
        let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
        let flush_some = || {
            while let Some(partition) = take() {
                guarded(partition, "fsync", || partition.flush_all());
            }
        };
        thread::scope(|scope| {
            for _ in 1..written.len().min(FLUSH_THREADS) {
                // Without another thread this one does it.
                let _ = thread::Builder::new().spawn_scoped(scope, flush_some);
            }
            flush_some();
        });
    }

    fn checkpoint_due(&self) {
        let partitions = self.partitions();
        let unchecked: u64 = partitions.iter().map(|partition| partition.unchecked_bytes()).sum();
        let bytes = if unchecked > self.settings.checkpoint_bytes { WORTH_BYTES } else { u64::MAX };
        let interval_ms = i64::try_from(self.settings.checkpoint_interval.as_millis()).unwrap_or(i64::MAX);
        for partition in &partitions {
            guarded(partition, "checkpoint", || partition.maybe_checkpoint(bytes, interval_ms));
        }
    }

    pub(super) fn retain(&self, stopped: &dyn Fn() -> bool) {
        for partition in self.partitions().iter().take_while(|_| !stopped()) {
            guarded(partition, "retention", || partition.retain().map(|_| ()));
        }
    }

    pub(super) fn compact(&self, stopped: &dyn Fn() -> bool) {
        for partition in self.partitions().iter().take_while(|_| !stopped()) {
            guarded(partition, "compaction", || partition.compact(stopped).map(|_| ()));
        }
    }
}

/// What goes wrong with one partition, be it a panic, is no concern of the others.
fn guarded(partition: &PartitionLog, what: &str, work: impl FnOnce() -> Result<(), AppendError>) {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(()) | Err(AppendError::Deleted)) => {}
        Ok(Err(error)) => tracing::warn!(partition = partition.name(), %error, "{what} failed and is tried again"),
        Err(_) => tracing::error!(partition = partition.name(), "{what} panicked and is tried again"),
    }
}
