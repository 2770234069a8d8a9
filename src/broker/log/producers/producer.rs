//! One producer in one partition.

use std::collections::VecDeque;

use crate::broker::log::AppendError;
use crate::broker::log::batch::{BatchHeader, increment_sequence};
use crate::broker::log::partition::ActiveProducer;

/// A client may have so many requests under way to a partition; each may come twice.
pub const REMEMBERED_BATCHES: usize = 5;
const NO_EPOCH: i16 = -1;

/// What is known of a producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Producer {
    /// The newest epoch seen; -1: none.
    pub epoch: i16,
    /// Of the last marker; -1: none.
    pub coordinator_epoch: i32,
    /// The last ones of the epoch, oldest first.
    pub batches: VecDeque<WrittenBatch>,
    /// Greatest time of its last batch, in ms.
    pub last_timestamp: i64,
    /// When it wrote last by this machine's clock, in ms.
    pub last_seen_ms: i64,
    /// First offset of its open transaction.
    pub transaction_start: Option<i64>,
}

/// A batch that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenBatch {
    /// Of its first record.
    pub first_sequence: i32,
    /// Of its last record.
    pub last_sequence: i32,
    /// Of its first record.
    pub base_offset: i64,
    /// Of its last record.
    pub last_offset: i64,
    /// Greatest time of its records.
    pub timestamp: i64,
}

impl Default for Producer {
    fn default() -> Self {
        Producer {
            epoch: NO_EPOCH,
            coordinator_epoch: -1,
            batches: VecDeque::new(),
            last_timestamp: -1,
            last_seen_ms: 0,
            transaction_start: None,
        }
    }
}

impl Producer {
    pub(super) fn duplicate_of(&self, header: &BatchHeader) -> Option<WrittenBatch> {
        if header.producer_epoch != self.epoch {
            return None;
        }
        let last_sequence = header.last_sequence();
        let same = |batch: &&WrittenBatch| batch.first_sequence == header.base_sequence && batch.last_sequence == last_sequence;
        self.batches.iter().find(same).copied()
    }

    pub(super) fn check_epoch(&self, producer_id: i64, epoch: i16) -> Result<(), AppendError> {
        if epoch < self.epoch {
            return Err(AppendError::InvalidProducerEpoch { producer_id, epoch, current: self.epoch });
        }
        Ok(())
    }

    pub(super) fn check_sequence(&self, header: &BatchHeader) -> Result<(), AppendError> {
        // Of a producer that is not known (any more) all is accepted: its records may be gone by retention.
        let fits = if self.epoch == NO_EPOCH {
            true
        } else if header.producer_epoch != self.epoch {
            header.base_sequence == 0
        } else {
            header.base_sequence == self.last_sequence().map_or(0, |last| increment_sequence(last, 1))
        };
        if fits {
            return Ok(());
        }
        Err(AppendError::OutOfOrderSequence {
            producer_id: header.producer_id,
            epoch: header.producer_epoch,
            sequence: header.base_sequence,
            last: self.last_sequence().unwrap_or(-1),
            last_epoch: self.epoch,
        })
    }

    pub(super) fn add(&mut self, header: &BatchHeader, now: i64) {
        self.move_to_epoch(header.producer_epoch);
        if self.batches.len() == REMEMBERED_BATCHES {
            self.batches.pop_front();
        }
        self.batches.push_back(WrittenBatch {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            timestamp: header.max_timestamp,
        });
        self.last_timestamp = header.max_timestamp;
        self.last_seen_ms = now;
    }

    pub(super) fn move_to_epoch(&mut self, epoch: i16) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    fn last_sequence(&self) -> Option<i32> {
        self.batches.back().map(|batch| batch.last_sequence)
    }

    pub(super) fn describe(&self, producer_id: i64) -> ActiveProducer {
        ActiveProducer {
            producer_id,
            epoch: self.epoch,
            last_sequence: self.last_sequence().unwrap_or(-1),
            last_timestamp: self.last_timestamp,
            coordinator_epoch: self.coordinator_epoch,
            transaction_start: self.transaction_start.unwrap_or(-1),
        }
    }
}
