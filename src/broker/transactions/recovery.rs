//! After a start: what a power cut may have taken from the logs, though the journal remembers it.

use std::collections::HashSet;

use super::super::journal::Append;
use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{Outcome, OwedMarker, Producer, State, TopicPartition, Transaction, Transactions, entry};

/// How far logs go on disk.
pub trait LogEnds {
    /// The partition's end; none if it is not there any more.
    fn end_of(&self, partition: &TopicPartition) -> Option<i64>;
}

impl Transactions {
    /// Turns commits whose records are not all there any more into aborts: they were not answered, because an answer waits for the disk.
    /// Returns the ids.
    pub fn abort_uncovered(&mut self, journal: &mut impl Append, now: Moment, logs: &impl LogEnds) -> Result<Vec<String>, ErrorCode> {
        let lost = |(partition, end): &(TopicPartition, i64)| logs.end_of(partition).is_some_and(|there| there < *end);
        let ids: Vec<String> = self
            .by_id
            .iter()
            .filter(|(_, transaction)| transaction.state == State::PrepareCommit && transaction.covers.iter().any(lost))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &ids {
            let mut next = self.by_id[id].clone().prepared(now, Outcome::Abort, |_| None);
            next.covers.clear();
            self.store(journal, id, next)?;
        }
        Ok(ids)
    }

    /// No producer goes on: it may have been told of partitions, records and offsets that a power cut took, and would commit the rest. Open
    /// transactions are aborted. Returns whether the journal took it; it is so in any case.
    pub fn fence_all(&mut self, journal: &mut impl Append, now: Moment) -> bool {
        let mut journaled = true;
        for (id, transaction) in &mut self.by_id {
            if transaction.producer.epoch == Producer::NO_EPOCH {
                continue;
            }
            let next = if transaction.state == State::Ongoing { transaction.clone().fenced(now) } else { transaction.clone().orphaned() };
            journaled &= journal.append(&entry::stored(id, &next)).is_ok();
            *transaction = next;
        }
        journaled
    }

    /// Aborts, by fencing it, the open transaction of this producer, if there is one. Returns its id.
    pub fn fence_open(&mut self, journal: &mut impl Append, now: Moment, producer_id: i64) -> Option<String> {
        let of_producer =
            |(_, transaction): &(&String, &Transaction)| transaction.producer.id == producer_id && transaction.state == State::Ongoing;
        let (id, next) = self.by_id.iter().find(of_producer).map(|(id, transaction)| (id.clone(), transaction.clone().fenced(now)))?;
        self.store(journal, &id, next).is_ok().then_some(id)
    }

    /// The markers that were written and are not there any more.
    pub fn lost_markers(&self, logs: &impl LogEnds) -> Vec<OwedMarker> {
        let lost = |marker: &&OwedMarker| logs.end_of(&marker.partition).is_some_and(|end| end <= marker.offset);
        let mut markers: Vec<OwedMarker> = self.by_id.values().flat_map(|transaction| &transaction.owed).filter(lost).cloned().collect();
        markers.sort_by(|one, other| (&one.partition, one.offset).cmp(&(&other.partition, other.offset)));
        markers
    }

    /// The markers that are perhaps not on disk.
    pub fn owed(&self) -> Vec<OwedMarker> {
        self.by_id.values().flat_map(|transaction| transaction.owed.iter().cloned()).collect()
    }

    /// These markers are on disk. Not journaled: to believe it owed is harmless, and the next record of the id says it.
    pub fn on_disk(&mut self, markers: &[OwedMarker]) {
        let there: HashSet<(&TopicPartition, i64)> = markers.iter().map(|marker| (&marker.partition, marker.offset)).collect();
        for transaction in self.by_id.values_mut() {
            transaction.owed.retain(|owed| !there.contains(&(&owed.partition, owed.offset)));
        }
    }

    /// Whether an open transaction of this producer in this partition is known here. One that is not can only be what a power cut left.
    pub fn knows_open(&self, producer_id: i64, partition: &TopicPartition) -> bool {
        self.by_id.values().any(|transaction| {
            transaction.producer.id == producer_id
                && matches!(transaction.state, State::Ongoing | State::PrepareCommit | State::PrepareAbort)
                && transaction.partitions.contains(partition)
        })
    }
}
