//! The end of a transaction: decided, then written into every log it touched, then told to its groups.
//!
//! ```text
//! journal: Prepare… ─┐ both on disk       markers into       offsets of groups count       journal: Complete…
//! records of a commit┴───────────────────► all partitions ──► (or never did) ─────────────► answer
//! ```
//!
//! A start that finds the first without the last does the rest. Markers are not waited for: those that a power cut takes are written again,
//! because the journal remembers them until the logs are known to be on disk.

use tokio::task::JoinSet;
use tracing::{debug, error, warn};

use super::super::log::{AppendError, Fsync, Marker};
use super::super::transactions::{Outcome, OwedMarker, TopicPartition, Transaction};
use super::super::wire::ErrorCode;
use super::Coordinator;

/// Kafka's epoch of the transaction coordinator, which changes when another broker takes over.
pub(super) const COORDINATOR_EPOCH: i32 = 0;

/// With so many markers that may not be on disk, an abort waits for the logs too: the journal repeats them with each transaction.
const MAX_OWED: usize = 32;
/// So many logs are brought to disk at once.
const FLUSHES: usize = 16;

impl Coordinator {
    /// Finishes a prepared transaction in the background, unless that is under way; the task says how it went.
    pub(super) fn spawn_finish(&self, id: &str) -> Option<tokio::task::JoinHandle<Result<(), ErrorCode>>> {
        if !self.with(|state, _| state.finishing.insert(id.to_owned())) {
            return None;
        }
        let (this, id) = (self.clone(), id.to_owned());
        // A task of its own, because a client that goes away must not leave it half done.
        Some(tokio::spawn(async move {
            let result = this.finish(&id).await;
            this.with(|state, _| state.finishing.remove(&id));
            result
        }))
    }

    async fn finish(&self, id: &str) -> Result<(), ErrorCode> {
        let (transaction, position) = self.with(|state, _| (state.transactions.get(id).cloned(), state.journal.position()));
        let Some((transaction, outcome)) = transaction.and_then(|transaction| Some((transaction.clone(), transaction.state.outcome()?)))
        else {
            return Ok(());
        };
        let flushing = self.flush_before(&transaction, outcome);
        self.on_disk(position).await?;
        let flushed = flushing.await?;
        // It may begin a segment, which waits for the disk.
        let markers = tokio::task::block_in_place(|| self.write_markers(id, &transaction, outcome))?;
        self.completed(id, &transaction, outcome, markers, &flushed)
    }

    pub(super) fn completed(
        &self,
        id: &str,
        transaction: &Transaction,
        outcome: Outcome,
        markers: Vec<OwedMarker>,
        flushed: &[(TopicPartition, i64)],
    ) -> Result<(), ErrorCode> {
        let owed = if self.shared.settings.fsync == Fsync::Never { Vec::new() } else { markers };
        self.with(|state, now| {
            state.transactions.completed(&mut state.journal, now, id, owed, flushed)?;
            state.groups.end_transaction(transaction.producer.id, outcome == Outcome::Commit);
            Ok(())
        })
    }

    /// Begins to bring to disk what the transaction wrote; the future says how far.
    fn flush_before(
        &self,
        transaction: &Transaction,
        outcome: Outcome,
    ) -> impl Future<Output = Result<Vec<(TopicPartition, i64)>, ErrorCode>> + use<> {
        let needed = self.shared.settings.fsync != Fsync::Never && (outcome == Outcome::Commit || transaction.owed.len() >= MAX_OWED);
        let mut waiting = if needed { transaction.partitions.iter().cloned().collect() } else { Vec::new() };
        let logs = std::sync::Arc::clone(&self.shared.logs);
        let mut running = JoinSet::new();
        let start_next = move |running: &mut JoinSet<_>| {
            let Some(partition) = waiting.pop() else { return };
            let Some(log) = logs.partition(&partition.topic, partition.partition) else { return };
            running.spawn_blocking(move || {
                let end = log.progress().high_watermark;
                (partition, end, log.flush(end))
            });
        };
        let mut start_next = start_next;
        for _ in 0..FLUSHES {
            start_next(&mut running);
        }
        async move {
            let mut flushed = Vec::new();
            while let Some(result) = running.join_next().await {
                start_next(&mut running);
                match result.map_err(|_| ErrorCode::CoordinatorNotAvailable)? {
                    (partition, end, Ok(())) => flushed.push((partition, end)),
                    (_, _, Err(AppendError::Deleted)) => {}
                    (partition, _, Err(error)) => {
                        error!(?partition, %error, "records of a transaction cannot be brought to disk; its end is tried again");
                        return Err(ErrorCode::CoordinatorNotAvailable);
                    }
                }
            }
            Ok(flushed)
        }
    }

    /// Writes the end into every partition that still exists.
    pub(super) fn write_markers(&self, id: &str, transaction: &Transaction, outcome: Outcome) -> Result<Vec<OwedMarker>, ErrorCode> {
        let mut markers = Vec::new();
        for partition in &transaction.partitions {
            let marker = OwedMarker { partition: partition.clone(), offset: 0, producer: transaction.producer, outcome };
            match self.write_marker(&marker) {
                Ok(Some(offset)) => markers.push(OwedMarker { offset, ..marker }),
                Ok(None) => debug!(id, ?partition, "a partition of the transaction is deleted; its end is not written there"),
                Err(error) => {
                    error!(id, ?partition, %error, "the end of a transaction cannot be written; it is tried again");
                    return Err(ErrorCode::CoordinatorNotAvailable);
                }
            }
        }
        Ok(markers)
    }

    /// Writes one marker; none if there is nowhere to write it.
    pub(super) fn write_marker(&self, marker: &OwedMarker) -> Result<Option<i64>, AppendError> {
        let Some(log) = self.shared.logs.partition(&marker.partition.topic, marker.partition.partition) else { return Ok(None) };
        let how = match marker.outcome {
            Outcome::Commit => Marker::Commit,
            Outcome::Abort => Marker::Abort,
        };
        match log.append_marker(marker.producer.id, marker.producer.epoch, how, COORDINATOR_EPOCH) {
            Ok(offset) => Ok(Some(offset)),
            Err(AppendError::Deleted) => Ok(None),
            Err(error @ AppendError::InvalidProducerEpoch { .. }) => {
                // A younger producer of the id already wrote there, so this transaction is not open there any more.
                warn!(partition = ?marker.partition, %error, "the end of a transaction is not written where it has ended already");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
