//! A start: what an earlier process began is finished, and what a power cut tore apart is put together.

use tracing::{info, warn};

use super::super::journal::Append;
use super::super::log::Logs;
use super::super::transactions::{LogEnds, Outcome, OwedMarker, Producer, TopicPartition};
use super::{Coordinator, boot};

struct Ends<'a>(&'a Logs);

impl LogEnds for Ends<'_> {
    fn end_of(&self, partition: &TopicPartition) -> Option<i64> {
        self.0.partition(&partition.topic, partition.partition).map(|log| log.progress().high_watermark)
    }
}

impl Coordinator {
    /// What fails here is tried again by [`Coordinator::run`].
    pub(super) fn recover(&self) {
        let ends = Ends(&self.shared.logs);
        // Before anything is written into the logs: what is committed beyond their ends names records that are not there.
        self.fit();
        let uncovered = self.with(|state, now| {
            state.groups.started(now);
            state.transactions.abort_uncovered(&mut state.journal, now, &ends)
        });
        for id in uncovered.unwrap_or_default() {
            warn!(id, "a transaction is aborted: not all of its records reached the disk, and its commit was not answered");
        }
        for marker in self.with(|state, _| state.transactions.lost_markers(&ends)) {
            info!(partition = ?marker.partition, "the end of a transaction did not reach the disk; it is written again");
            self.write_or_warn(&marker);
        }
        self.begin_open();
        self.abort_unknown();
        self.finish_all();
    }

    /// Offsets of deleted topics go. If the machine stopped, records may be missing that offsets name and transactions believe written: the
    /// offsets go back to where the next records come, and no producer goes on with its transaction.
    fn fit(&self) {
        let boot = &self.shared.settings.boot;
        self.with(|state, now| {
            let machine_stopped = boot.is_empty() || state.boot.as_ref() != Some(boot);
            let mut journaled = state.groups.fit_offsets(&mut state.journal, machine_stopped, |topic, partition| {
                self.shared.logs.partition(topic, partition).map(|log| log.progress().high_watermark)
            });
            if machine_stopped {
                journaled &= state.transactions.fence_all(&mut state.journal, now);
            }
            // Otherwise the next start does it again.
            if machine_stopped && journaled && state.journal.append(&boot::record(boot)).is_ok() {
                state.boot = Some(boot.clone());
            }
        });
    }

    /// The logs do not remember which transactions are open where nothing is written yet.
    fn begin_open(&self) {
        self.with(|state, _| {
            for (_, transaction) in state.transactions.open() {
                for partition in &transaction.partitions {
                    if let Some(log) = self.shared.logs.partition(&partition.topic, partition.partition) {
                        log.begin_transaction(transaction.producer.id, transaction.producer.epoch);
                    }
                }
            }
        });
    }

    /// Transactions that are open in a log and unknown here: a power cut took the journal's record of them. Nobody would ever end them.
    fn abort_unknown(&self) {
        for topic in self.shared.logs.topics() {
            for (index, log) in topic.partitions.iter().enumerate() {
                let partition = TopicPartition { topic: topic.name.clone(), partition: i32::try_from(index).unwrap_or(i32::MAX) };
                for producer in log.producers().into_iter().filter(|producer| producer.transaction_start >= 0) {
                    if self.with(|state, _| state.transactions.knows_open(producer.producer_id, &partition)) {
                        continue;
                    }
                    if let Some(id) = self.with(|state, now| state.transactions.fence_open(&mut state.journal, now, producer.producer_id)) {
                        warn!(
                            id,
                            ?partition,
                            "a transaction is aborted: it wrote into a partition that the journal does not know to be its"
                        );
                    }
                    warn!(?partition, producer_id = producer.producer_id, "a transaction that no journal knows is open; it is aborted");
                    let producer = Producer { id: producer.producer_id, epoch: producer.epoch };
                    self.write_or_warn(&OwedMarker { partition: partition.clone(), offset: 0, producer, outcome: Outcome::Abort });
                }
            }
        }
    }

    fn finish_all(&self) {
        let unfinished: Vec<_> =
            self.with(|state, _| state.transactions.unfinished().map(|(id, transaction)| (id.to_owned(), transaction.clone())).collect());
        for (id, transaction) in unfinished {
            let Some(outcome) = transaction.state.outcome() else { continue };
            info!(id, ?outcome, "a transaction whose end was decided before the start is finished");
            let mut flushed = Vec::new();
            let mut on_disk = true;
            for partition in transaction.partitions.iter().filter(|_| outcome == Outcome::Commit) {
                let Some(log) = self.shared.logs.partition(&partition.topic, partition.partition) else { continue };
                let end = log.progress().high_watermark;
                on_disk &= log.flush(end).is_ok();
                flushed.push((partition.clone(), end));
            }
            if on_disk && let Ok(markers) = self.write_markers(&id, &transaction, outcome) {
                let _ = self.completed(&id, &transaction, outcome, markers, &flushed);
            }
        }
    }

    fn write_or_warn(&self, marker: &OwedMarker) {
        if let Err(error) = self.write_marker(marker) {
            warn!(partition = ?marker.partition, %error, "the end of a transaction cannot be written; the next start tries again");
        }
    }
}
