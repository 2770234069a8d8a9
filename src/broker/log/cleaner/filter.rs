//! What compaction leaves of a batch.

use std::collections::HashMap;
use std::io;

use super::{CleanedTransactions, KeyMap};
use crate::broker::log::batch::{BatchBuilder, BatchHeader, NO_PRODUCER, Record, Records};

/// Decides batch by batch, in the order of the log.
pub struct Filter<'a> {
    /// Keys of the dirty part.
    pub keys: &'a KeyMap,
    /// The last offset that is in the map; what is behind it stays.
    pub keys_to: i64,
    /// Carried from segment to segment.
    pub transactions: CleanedTransactions,
    /// Of each known producer: the last offset of its last batch of records (`None`: only a marker is known), and its epoch.
    pub last_of_producers: HashMap<i64, (Option<i64>, i16)>,
    /// The first offset that is not cleaned: the batch before it stays, if only as a header, so that the end is not lost.
    pub upper: i64,
    /// When the run began, in ms.
    pub now: i64,
    /// `delete.retention.ms`
    pub delete_retention_ms: i64,
}

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left.
    Drop,
    /// It stays as it is.
    Keep,
    /// This stays of it.
    Replace(Vec<u8>),
}

impl Filter<'_> {
    /// Looks at the next batch.
    pub fn apply(&mut self, header: BatchHeader, batch: &[u8]) -> io::Result<Outcome> {
        let is_control = header.is_control();
        let is_over = match is_control {
            true => self.transactions.on_marker(&header, Records::control(header, batch).map_err(io::Error::other)?),
            false => self.transactions.on_batch(&header),
        };
        let horizon_passed = header.delete_horizon().is_some_and(|horizon| horizon <= self.now);
        let discards_all = is_over && (!is_control || horizon_passed);
        let keeps_header = self.is_last_of_producer(&header) || header.next_offset() == self.upper;
        if discards_all && !keeps_header {
            return Ok(Outcome::Drop);
        }
        let mut kept = Vec::new();
        let mut tombstones = false;
        let mut records = Records::new(header, batch).map_err(io::Error::other)?;
        while let Some(record) = records.next_record().map_err(io::Error::other)? {
            let keep = !discards_all && (is_control || self.keeps(record, horizon_passed));
            tombstones |= keep && record.value.is_none();
            kept.push(keep);
        }
        if !kept.contains(&true) {
            return match keeps_header {
                true if header.count == 0 => Ok(Outcome::Keep),
                true => BatchBuilder::like(header).finish().map(Outcome::Replace),
                false => Ok(Outcome::Drop),
            };
        }
        let wants_horizon = (tombstones || (is_control && is_over)) && header.delete_horizon().is_none();
        if !wants_horizon && !kept.contains(&false) {
            return Ok(Outcome::Keep);
        }
        let mut left = header;
        if wants_horizon {
            left.set_delete_horizon(self.now.saturating_add(self.delete_retention_ms));
        }
        let mut builder = BatchBuilder::like(left);
        let mut records = Records::new(header, batch).map_err(io::Error::other)?;
        let mut kept = kept.into_iter();
        while let Some(record) = records.next_record().map_err(io::Error::other)? {
            if kept.next() == Some(true) {
                builder.push(record);
            }
        }
        builder.finish().map(Outcome::Replace)
    }

    fn keeps(&self, record: Record<'_>, horizon_passed: bool) -> bool {
        if record.offset > self.keys_to {
            return true;
        }
        let Some(key) = record.key else { return false };
        let is_last = self.keys.get(key).is_none_or(|last| record.offset >= last);
        is_last && (record.value.is_some() || !horizon_passed)
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        if header.producer_id <= NO_PRODUCER {
            return false;
        }
        self.last_of_producers.get(&header.producer_id).is_some_and(|(last_offset, epoch)| match last_offset {
            Some(last_offset) => header.last_offset() == *last_offset,
            None => header.is_control() && header.producer_epoch == *epoch,
        })
    }
}
