//! What a partition remembers of the producers that wrote to it: epochs, sequences, open transactions. As Kafka's `ProducerStateManager`.

mod producer;
mod snapshot;

use std::collections::{BTreeMap, HashMap};

use super::AppendError;
use super::batch::{BatchHeader, ControlRecord, NO_PRODUCER};
use super::partition::ActiveProducer;
use super::segment::AbortedTransaction;
pub use producer::{Producer, WrittenBatch};

/// All producers of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Producers {
    known: HashMap<i64, Producer>,
    /// First offset of each open transaction, and whose it is.
    open: BTreeMap<i64, i64>,
    /// What the coordinator told of transactions that may begin here.
    announced: HashMap<i64, i16>,
}

impl Producers {
    /// Whether a client's batch may follow what its producer wrote before. `Some`: it is here already.
    pub fn check(&self, header: &BatchHeader) -> Result<Option<WrittenBatch>, AppendError> {
        if header.producer_id <= NO_PRODUCER {
            return Ok(None);
        }
        let unknown = Producer::default();
        let producer = self.known.get(&header.producer_id).unwrap_or(&unknown);
        if let Some(duplicate) = producer.duplicate_of(header) {
            return Ok(Some(duplicate));
        }
        producer.check_epoch(header.producer_id, header.producer_epoch)?;
        if header.is_transactional() {
            self.check_announced(producer, header)?;
        } else if producer.transaction_start.is_some() {
            let what = "a record outside of its open transaction";
            return Err(AppendError::InvalidTxnState { producer_id: header.producer_id, what });
        }
        producer.check_sequence(header)?;
        Ok(None)
    }

    fn check_announced(&self, producer: &Producer, header: &BatchHeader) -> Result<(), AppendError> {
        let producer_id = header.producer_id;
        let epoch = header.producer_epoch;
        if producer.transaction_start.is_some() && producer.epoch == epoch {
            return Ok(());
        }
        match self.announced.get(&producer_id) {
            Some(announced) if *announced == epoch => Ok(()),
            Some(&current) if current > epoch => Err(AppendError::InvalidProducerEpoch { producer_id, epoch, current }),
            _ => Err(AppendError::InvalidTxnState { producer_id, what: "the partition was not added to its transaction" }),
        }
    }

    /// Whether a marker may be written.
    pub fn check_marker(&self, producer_id: i64, epoch: i16, coordinator_epoch: i32) -> Result<(), AppendError> {
        let Some(producer) = self.known.get(&producer_id) else { return Ok(()) };
        producer.check_epoch(producer_id, epoch)?;
        if producer.coordinator_epoch > coordinator_epoch {
            let current = producer.coordinator_epoch;
            return Err(AppendError::CoordinatorFenced { producer_id, epoch: coordinator_epoch, current });
        }
        Ok(())
    }

    /// The coordinator says that a transaction may write here.
    pub fn announce(&mut self, producer_id: i64, epoch: i16) {
        self.announced.insert(producer_id, epoch);
    }

    /// Notes a batch of records that was written.
    pub fn record(&mut self, header: &BatchHeader, now: i64) {
        if header.producer_id <= NO_PRODUCER {
            return;
        }
        let producer = self.known.entry(header.producer_id).or_default();
        producer.add(header, now);
        if header.is_transactional() && producer.transaction_start.is_none() {
            producer.transaction_start = Some(header.base_offset);
            self.open.insert(header.base_offset, header.producer_id);
        }
    }

    /// Notes a marker that was written; tells of the transaction if it is an aborted one with records.
    pub fn end(&mut self, header: &BatchHeader, control: ControlRecord, now: i64) -> Option<AbortedTransaction> {
        let (coordinator_epoch, aborts) = match control {
            ControlRecord::Commit { coordinator_epoch } => (coordinator_epoch, false),
            ControlRecord::Abort { coordinator_epoch } => (coordinator_epoch, true),
            ControlRecord::Other => return None,
        };
        let producer_id = header.producer_id;
        self.announced.remove(&producer_id);
        let producer = self.known.entry(producer_id).or_default();
        producer.move_to_epoch(header.producer_epoch);
        producer.coordinator_epoch = coordinator_epoch;
        producer.last_timestamp = header.max_timestamp;
        producer.last_seen_ms = now;
        let first_offset = producer.transaction_start.take()?;
        self.open.remove(&first_offset);
        let last_stable = self.first_open().unwrap_or(header.next_offset());
        aborts.then_some(AbortedTransaction { producer_id, first_offset, last_offset: header.last_offset(), last_stable })
    }

    /// Where the earliest open transaction begins.
    pub fn first_open(&self) -> Option<i64> {
        self.open.first_key_value().map(|(offset, _)| *offset)
    }

    /// Forgets who wrote nothing since `before`, and who wrote longest ago when there are more than `most`. Never who has a transaction open.
    pub fn expire(&mut self, before: i64, most: usize) {
        self.known.retain(|_, producer| producer.transaction_start.is_some() || producer.last_seen_ms >= before);
        let Some(surplus) = self.known.len().checked_sub(most).filter(|surplus| *surplus > 0) else { return };
        let mut idle: Vec<_> = self.known.iter().filter(|(_, producer)| producer.transaction_start.is_none()).collect();
        idle.sort_unstable_by_key(|(_, producer)| producer.last_seen_ms);
        let gone: Vec<i64> = idle.iter().take(surplus).map(|(id, _)| **id).collect();
        for id in gone {
            self.known.remove(&id);
        }
    }

    /// What compaction must leave of each producer: the batch with that last offset, or if none is known, a marker of that epoch.
    pub fn last_of_all(&self) -> HashMap<i64, (Option<i64>, i16)> {
        let last = |producer: &Producer| (producer.batches.back().map(|batch| batch.last_offset), producer.epoch);
        self.known.iter().map(|(id, producer)| (*id, last(producer))).collect()
    }

    /// For DescribeProducers.
    pub fn describe(&self) -> Vec<ActiveProducer> {
        let mut all: Vec<_> = self.known.iter().map(|(id, producer)| producer.describe(*id)).collect();
        all.sort_unstable_by_key(|producer| producer.producer_id);
        all
    }
}
