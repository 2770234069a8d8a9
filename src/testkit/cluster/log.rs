//! The log of one partition: data and transaction markers, each at an offset of its own.
//!
//! ```text
//!  start            stable end           end (high watermark)
//!    │ d d · d C d A d │ o d o o d         │      d data · gap (compaction)  o data of an open transaction
//! ```
//! The stable end is the first offset of the earliest open transaction. Read-committed readers stop there and never see data of
//! an aborted transaction, nor markers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::refusal::Refusal;
use crate::ports::LogBounds;
use crate::record::{Headers, Offset, OutputRecord, Timestamp};

/// What a reader gets to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Only what is committed, up to the last stable offset.
    ReadCommitted,
    /// Everything up to the high watermark, of aborted and open transactions too.
    ReadUncommitted,
}

/// What a compaction does with tombstones and with the markers of ended transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tombstones {
    /// They stay: `delete.retention.ms` is not over.
    Keep,
    /// They go.
    Drop,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Commit,
    Abort,
}

/// A record as it stands in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Where it stands.
    pub offset: Offset,
    /// The key, `None` for Kafka's null.
    pub key: Option<Vec<u8>>,
    /// The value, `None` for Kafka's null.
    pub value: Option<Vec<u8>>,
    /// The record's time.
    pub timestamp: Timestamp,
    /// The record's headers.
    pub headers: Headers,
    /// Who wrote it in a transaction; `None` for a plain write.
    pub producer_id: Option<i64>,
}

/// What became of a record's transaction; a plain write is settled at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Settled,
    Aborted,
}

enum Entry {
    Data { record: Arc<StoredRecord>, fate: Fate },
    Marker,
}

/// What one read brought.
pub(super) struct Slice {
    pub(super) records: Vec<Arc<StoredRecord>>,
    /// Where to read on.
    pub(super) next: i64,
    pub(super) stable_end: i64,
    /// True when `next` is the end of what this reader may see; a reader above it is not at it.
    pub(super) at_end: bool,
}

/// One partition's log.
#[derive(Default)]
pub(super) struct PartitionLog {
    start: i64,
    end: i64,
    entries: BTreeMap<i64, Entry>,
    /// The first offset of each producer's open transaction.
    open: BTreeMap<i64, i64>,
}

impl PartitionLog {
    /// Appends a record, as part of the producer's open transaction if there is one.
    pub(super) fn append(&mut self, record: &OutputRecord<'_>, timestamp: Timestamp, producer_id: Option<i64>) -> Offset {
        let offset = Offset(self.end);
        if let Some(producer_id) = producer_id {
            self.open.entry(producer_id).or_insert(self.end);
        }
        let fate = if producer_id.is_some() { Fate::Open } else { Fate::Settled };
        let stored = StoredRecord {
            offset,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            timestamp,
            headers: record.headers.clone(),
            producer_id,
        };
        self.entries.insert(self.end, Entry::Data { record: Arc::new(stored), fate });
        self.end += 1;
        offset
    }

    /// Writes the marker that ends a producer's transaction, also when nothing of it stands here.
    pub(super) fn end_transaction(&mut self, producer_id: i64, outcome: Outcome) {
        if let Some(first) = self.open.remove(&producer_id) {
            let end = if outcome == Outcome::Commit { Fate::Settled } else { Fate::Aborted };
            for entry in self.entries.range_mut(first..).map(|(_, entry)| entry) {
                match entry {
                    Entry::Data { record, fate } if *fate == Fate::Open && record.producer_id == Some(producer_id) => *fate = end,
                    Entry::Data { .. } | Entry::Marker => {}
                }
            }
        }
        self.entries.insert(self.end, Entry::Marker);
        self.end += 1;
    }

    pub(super) fn bounds(&self) -> LogBounds {
        LogBounds { start: Offset(self.start), stable_end: Offset(self.stable_end()), end: Offset(self.end) }
    }

    fn stable_end(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(self.end).max(self.start)
    }

    /// At most `max` visible records from an offset on.
    pub(super) fn read(&self, from: i64, max: usize, isolation: Isolation) -> Result<Slice, Refusal> {
        if from < self.start || from > self.end {
            return Err(Refusal::OffsetOutOfRange);
        }
        let stable_end = self.stable_end();
        let limit = if isolation == Isolation::ReadCommitted { stable_end } else { self.end };
        let mut slice = Slice { records: Vec::new(), next: from, stable_end, at_end: false };
        if from > limit {
            return Ok(slice);
        }
        for (offset, entry) in self.entries.range(from..limit) {
            let Entry::Data { record, fate } = entry else { continue };
            if isolation == Isolation::ReadCommitted && *fate != Fate::Settled {
                continue;
            }
            if slice.records.len() == max {
                return Ok(slice);
            }
            slice.records.push(record.clone());
            slice.next = offset + 1;
        }
        slice.next = limit;
        slice.at_end = true;
        Ok(slice)
    }

    /// Below the stable end, keeps of each key the last record that counts; the rest leaves gaps.
    pub(super) fn compact(&mut self, tombstones: Tombstones) {
        let stable_end = self.stable_end();
        let mut last: HashMap<Vec<u8>, i64> = HashMap::new();
        for (offset, entry) in self.entries.range(..stable_end) {
            if let Entry::Data { record, fate: Fate::Settled } = entry
                && let Some(key) = &record.key
            {
                last.insert(key.clone(), *offset);
            }
        }
        self.entries.retain(|offset, entry| match entry {
            _ if *offset >= stable_end => true,
            Entry::Marker => tombstones == Tombstones::Keep,
            Entry::Data { fate: Fate::Aborted, .. } => false,
            Entry::Data { record, .. } => match &record.key {
                Some(key) if last.get(key) != Some(offset) => false,
                _ => record.value.is_some() || tombstones == Tombstones::Keep,
            },
        });
    }

    /// Moves the log's start up to an offset (at most to the end).
    pub(super) fn delete_before(&mut self, before: i64) {
        self.start = before.clamp(self.start, self.end);
        self.entries = self.entries.split_off(&self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(key: &'a str, value: Option<&'a str>) -> OutputRecord<'a> {
        OutputRecord {
            topic: "t",
            partition: Some(0),
            key: Some(key.as_bytes()),
            value: value.map(str::as_bytes),
            timestamp: None,
            headers: Headers::default(),
        }
    }

    fn put(log: &mut PartitionLog, key: &str, value: &str, producer: Option<i64>) -> i64 {
        log.append(&record(key, Some(value)), Timestamp(0), producer).0
    }

    fn seen(log: &PartitionLog, isolation: Isolation) -> Vec<i64> {
        let slice = log.read(log.start, usize::MAX, isolation).expect("the start is in range");
        slice.records.iter().map(|record| record.offset.0).collect()
    }

    #[test]
    fn aborted_records_are_never_seen() {
        let mut log = PartitionLog::default();
        put(&mut log, "a", "1", Some(1));
        put(&mut log, "a", "2", Some(2));
        put(&mut log, "a", "3", Some(1));
        log.end_transaction(1, Outcome::Abort);
        log.end_transaction(2, Outcome::Commit);
        assert_eq!(seen(&log, Isolation::ReadCommitted), [1]);
        assert_eq!(seen(&log, Isolation::ReadUncommitted), [0, 1, 2]);
        assert_eq!(log.bounds().end, Offset(5), "markers occupy offsets");
    }

    #[test]
    fn the_stable_end_holds_back_what_stands_behind_an_open_transaction() {
        let mut log = PartitionLog::default();
        put(&mut log, "a", "1", None);
        put(&mut log, "b", "1", Some(1));
        put(&mut log, "c", "1", None);
        put(&mut log, "d", "1", Some(2));
        log.end_transaction(2, Outcome::Commit);
        let slice = log.read(0, 10, Isolation::ReadCommitted).expect("in range");
        assert_eq!((slice.records.len(), slice.next, slice.at_end, slice.stable_end), (1, 1, true, 1));
        log.end_transaction(1, Outcome::Abort);
        assert_eq!(seen(&log, Isolation::ReadCommitted), [0, 2, 3]);
        assert_eq!(log.bounds().stable_end, Offset(6));
    }

    #[test]
    fn a_read_above_the_stable_end_brings_nothing_and_no_end() {
        let mut log = PartitionLog::default();
        put(&mut log, "a", "1", Some(1));
        put(&mut log, "a", "2", Some(1));
        let slice = log.read(1, 10, Isolation::ReadCommitted).expect("below the high watermark");
        assert!(slice.records.is_empty() && !slice.at_end && slice.next == 1);
        assert_eq!(log.read(3, 10, Isolation::ReadCommitted).err(), Some(Refusal::OffsetOutOfRange));
    }

    #[test]
    fn a_bounded_read_goes_on_where_it_stopped() {
        let mut log = PartitionLog::default();
        for i in 0..5 {
            put(&mut log, "k", &i.to_string(), Some(1));
        }
        log.end_transaction(1, Outcome::Commit);
        let first = log.read(0, 3, Isolation::ReadCommitted).expect("in range");
        assert_eq!((first.records.len(), first.next, first.at_end), (3, 3, false));
        let second = log.read(first.next, 3, Isolation::ReadCommitted).expect("in range");
        assert_eq!((second.records.len(), second.next, second.at_end), (2, 6, true), "the marker is passed over");
    }

    #[test]
    fn compaction_keeps_the_last_of_each_key_below_the_stable_end() {
        let mut log = PartitionLog::default();
        put(&mut log, "a", "1", None);
        put(&mut log, "b", "1", None);
        put(&mut log, "a", "2", None);
        put(&mut log, "b", "aborted", Some(1));
        log.end_transaction(1, Outcome::Abort);
        put(&mut log, "a", "open", Some(2));
        put(&mut log, "b", "behind", None);
        log.compact(Tombstones::Keep);
        assert_eq!(seen(&log, Isolation::ReadUncommitted), [1, 2, 5, 6]);
        assert_eq!(seen(&log, Isolation::ReadCommitted), [1, 2]);
    }

    #[test]
    fn tombstones_go_only_when_told() {
        let mut log = PartitionLog::default();
        put(&mut log, "a", "1", None);
        log.append(&record("a", None), Timestamp(0), None);
        log.compact(Tombstones::Keep);
        assert_eq!(seen(&log, Isolation::ReadCommitted), [1]);
        log.compact(Tombstones::Drop);
        assert!(seen(&log, Isolation::ReadCommitted).is_empty());
        assert_eq!(log.bounds().end, Offset(2));
    }

    #[test]
    fn deleted_records_are_out_of_range() {
        let mut log = PartitionLog::default();
        (0..4).for_each(|_| _ = put(&mut log, "a", "1", None));
        log.delete_before(3);
        assert_eq!(log.bounds().start, Offset(3));
        assert_eq!(log.read(2, 1, Isolation::ReadCommitted).err(), Some(Refusal::OffsetOutOfRange));
        log.delete_before(99);
        assert_eq!(log.bounds(), LogBounds { start: Offset(4), stable_end: Offset(4), end: Offset(4) });
    }
}
