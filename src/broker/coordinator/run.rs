//! Time that passes: sessions, time-outs, expiry, and the journal's upkeep.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tracing::{info, warn};

use super::super::journal::{JournalError, Rewrite};
use super::super::log::Fsync;
use super::super::transactions::{OwedMarker, TopicPartition};
use super::Coordinator;

/// How exactly sessions and rebalances end. The time of 200 groups' look-up here is below 10 µs.
const TICK: Duration = Duration::from_millis(50);
/// How exactly transactions time out (Kafka: 10 s), and how soon what failed is tried again.
const TRANSACTIONS: Duration = Duration::from_secs(1);
/// How often old offsets and transactional ids are looked for, as in Kafka.
const EXPIRY: Duration = Duration::from_secs(600);
/// So many bytes of the next journal are written under the lock; before that, so often without it.
const LITTLE: usize = 16 << 10;
const CATCH_UPS: usize = 10;

impl Coordinator {
    /// Runs until the future is dropped.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut transactions = Every::new(TRANSACTIONS, self.shared.clock.monotonic());
        let mut expiry = Every::new(EXPIRY, self.shared.clock.monotonic());
        let mut sync = Every::new(self.shared.settings.fsync_interval, self.shared.clock.monotonic());
        // What waits for the disk, one of each at a time: the time of groups goes on meanwhile.
        let (mut journal, mut settling) = (JoinSet::new(), JoinSet::new());
        loop {
            ticks.tick().await;
            let now = self.with(|state, now| {
                state.groups.tick(&mut state.journal, now);
                now.monotonic
            });
            if transactions.is_due(now) {
                self.tend_transactions();
                if is_idle(&mut journal) {
                    let this = self.clone();
                    journal.spawn(async move { this.tend_journal().await });
                }
            }
            if sync.is_due(now) && self.shared.settings.fsync == Fsync::Interval {
                self.shared.durable.soon();
                if is_idle(&mut settling) {
                    let this = self.clone();
                    settling.spawn(async move { this.settle_owed().await });
                }
            }
            if expiry.is_due(now) {
                self.with(|state, now| {
                    state.groups.expire_offsets(&mut state.journal, now);
                    state.transactions.forget_unused(&mut state.journal, now);
                });
            }
        }
    }

    /// Aborts what is open too long, and finishes what could not be finished.
    pub(super) fn tend_transactions(&self) {
        let unfinished: Vec<String> = self.with(|state, now| {
            for id in state.transactions.abort_overdue(&mut state.journal, now) {
                info!(id, "a transaction was open beyond its time-out; it is aborted and its producer fenced");
            }
            state.transactions.unfinished().map(|(id, _)| id.to_owned()).filter(|id| !state.finishing.contains(id)).collect()
        });
        for id in unfinished {
            self.spawn_finish(&id);
        }
    }

    /// Begins the next journal file when it is time, or when this one failed.
    pub(super) async fn tend_journal(&self) {
        let bytes = self.shared.settings.journal_bytes;
        let Some((mut rewrite, records)) =
            self.with(|state, _| state.journal.wants_rewrite(bytes).then(|| (state.journal.begin_rewrite(), state.snapshot())))
        else {
            return;
        };
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let written = rewrite.write(records).and_then(|()| this.catch_up(&mut rewrite));
            this.with(|state, _| match written {
                Ok(()) => state.journal.finish_rewrite(rewrite),
                Err(error) => {
                    state.journal.give_up_rewrite(rewrite);
                    Err(error)
                }
            })
        });
        if let Ok(Err(error)) = written.await {
            warn!(%error, "the next journal of the coordinators cannot be written; the old one stays in use");
        }
    }

    /// Writes what came meanwhile into the next file, until little is left to be written under the lock.
    fn catch_up(&self, rewrite: &mut Rewrite) -> Result<(), JournalError> {
        for _ in 0..CATCH_UPS {
            let Some(since) = self.with(|state, _| state.journal.take_since(LITTLE)) else { break };
            rewrite.go_on(&since)?;
        }
        Ok(())
    }

    /// Brings markers to disk that nobody waited for, so that the journal can forget them.
    async fn settle_owed(&self) {
        let owed = self.with(|state, _| state.transactions.owed());
        let mut ends: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for marker in &owed {
            let end = ends.entry(marker.partition.clone()).or_default();
            *end = (*end).max(marker.offset + 1);
        }
        if ends.is_empty() {
            return;
        }
        let logs = std::sync::Arc::clone(&self.shared.logs);
        let flush = move |(partition, end): (TopicPartition, i64)| match logs.partition(&partition.topic, partition.partition) {
            Some(log) => log.flush(end).is_ok().then_some(partition),
            None => Some(partition),
        };
        let flushed = tokio::task::spawn_blocking(move || ends.into_iter().filter_map(flush).collect::<Vec<_>>()).await.unwrap_or_default();
        let on_disk: Vec<OwedMarker> = owed.into_iter().filter(|marker| flushed.binary_search(&marker.partition).is_ok()).collect();
        self.with(|state, _| state.transactions.on_disk(&on_disk));
    }
}

fn is_idle(tasks: &mut JoinSet<()>) -> bool {
    while tasks.try_join_next().is_some() {}
    tasks.is_empty()
}

/// Something done now and then.
struct Every {
    period: Duration,
    next: Duration,
}

impl Every {
    fn new(period: Duration, now: Duration) -> Self {
        Every { period, next: now + period }
    }

    fn is_due(&mut self, now: Duration) -> bool {
        let due = now >= self.next;
        if due {
            self.next = now + self.period;
        }
        due
    }
}
