//! What of transactions stands in the journal: after each change, all that is known of the id.

use super::super::journal::fields::{Put, Take, Unreadable};
use super::{Outcome, OwedMarker, Producer, State, TopicPartition, Transaction, Transactions};

/// Kinds of records; those of groups begin at 64.
const PRODUCER_IDS: u8 = 1;
const STORED: u8 = 2;
const FORGOTTEN: u8 = 3;

/// A record of this coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionEntry {
    /// Producer ids below this are given out.
    ProducerIds(i64),
    /// This is the state of the id now.
    Stored(String, Box<Transaction>),
    /// The id expired.
    Forgotten(String),
}

pub(super) fn producer_ids(reserved: i64) -> Vec<u8> {
    let mut put = Put::kind(PRODUCER_IDS);
    put.i64(reserved);
    put.done()
}

pub(super) fn forgotten(id: &str) -> Vec<u8> {
    let mut put = Put::kind(FORGOTTEN);
    put.text(id);
    put.done()
}

pub(super) fn stored(id: &str, transaction: &Transaction) -> Vec<u8> {
    let mut put = Put::kind(STORED);
    put.text(id).i64(transaction.producer.id).i16(transaction.producer.epoch);
    put.i64(transaction.previous_producer_id).i16(transaction.last_epoch).i32(transaction.timeout_ms);
    put.u8(transaction.state as u8).i64(transaction.started_ms).i64(transaction.updated_ms);
    put.count(transaction.partitions.len());
    for partition in &transaction.partitions {
        put_partition(&mut put, partition);
    }
    put.count(transaction.groups.len());
    for group in &transaction.groups {
        put.text(group);
    }
    put.count(transaction.covers.len());
    for (partition, end) in &transaction.covers {
        put_partition(&mut put, partition);
        put.i64(*end);
    }
    put.count(transaction.owed.len());
    for marker in &transaction.owed {
        put_partition(&mut put, &marker.partition);
        put.i64(marker.offset).i64(marker.producer.id).i16(marker.producer.epoch).u8((marker.outcome == Outcome::Commit).into());
    }
    put.done()
}

impl TransactionEntry {
    /// Reads a record; none if it is of another kind.
    pub fn read(record: &[u8]) -> Result<Option<TransactionEntry>, Unreadable> {
        let mut take = Take::new(record);
        Ok(Some(match take.u8()? {
            PRODUCER_IDS => TransactionEntry::ProducerIds(take.i64()?),
            STORED => {
                let id = take.text()?;
                TransactionEntry::Stored(id, Box::new(take_transaction(&mut take)?))
            }
            FORGOTTEN => TransactionEntry::Forgotten(take.text()?),
            _ => return Ok(None),
        }))
    }
}

impl Transactions {
    /// Believes a record of an earlier process.
    pub fn replay(&mut self, entry: TransactionEntry) {
        match entry {
            TransactionEntry::ProducerIds(reserved) => {
                // Which of them were given out is not known: none of them is again.
                self.reserved = self.reserved.max(reserved);
                self.next_producer_id = self.reserved;
            }
            TransactionEntry::Stored(id, transaction) => {
                self.by_id.insert(id, *transaction);
            }
            TransactionEntry::Forgotten(id) => {
                self.by_id.remove(&id);
            }
        }
    }

    /// All that is known, as records that lead to it.
    pub fn snapshot(&self) -> Vec<Vec<u8>> {
        let ids = (self.reserved > 0).then(|| producer_ids(self.reserved));
        ids.into_iter().chain(self.by_id.iter().map(|(id, transaction)| stored(id, transaction))).collect()
    }
}

fn put_partition(put: &mut Put, partition: &TopicPartition) {
    put.text(&partition.topic).i32(partition.partition);
}

fn take_partition(take: &mut Take<'_>) -> Result<TopicPartition, Unreadable> {
    Ok(TopicPartition { topic: take.text()?, partition: take.i32()? })
}

fn take_transaction(take: &mut Take<'_>) -> Result<Transaction, Unreadable> {
    let producer = Producer { id: take.i64()?, epoch: take.i16()? };
    let (previous_producer_id, last_epoch, timeout_ms) = (take.i64()?, take.i16()?, take.i32()?);
    let state = take.u8()?;
    let state = State::ALL.into_iter().find(|known| *known as u8 == state).ok_or(Unreadable { what: "the state" })?;
    let (started_ms, updated_ms) = (take.i64()?, take.i64()?);
    Ok(Transaction {
        producer,
        previous_producer_id,
        last_epoch,
        timeout_ms,
        state,
        started_ms,
        updated_ms,
        partitions: take.list(take_partition)?.into_iter().collect(),
        groups: take.list(|take| take.text())?.into_iter().collect(),
        covers: take.list(|take| Ok((take_partition(take)?, take.i64()?)))?,
        owed: take.list(|take| {
            let partition = take_partition(take)?;
            let (offset, id, epoch) = (take.i64()?, take.i64()?, take.i16()?);
            let outcome = if take.u8()? == 1 { Outcome::Commit } else { Outcome::Abort };
            Ok(OwedMarker { partition, offset, producer: Producer { id, epoch }, outcome })
        })?,
    })
}
