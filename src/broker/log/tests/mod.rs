//! Laws and promises of the logs, on real files.

mod appending;
mod compaction;
mod failures;
mod flushing;
mod full_disk;
mod recovery;
mod topics;
mod transactions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::batch::{BatchBuilder, BatchHeader, Record, Records};
use super::{Isolation, LogSettings, Logs, PartitionLog};
use crate::clock::ManualClock;
use crate::record::Timestamp;

/// Some time in 2026.
pub const NOW: i64 = 1_790_000_000_000;

/// A key or a value.
pub type Field = Option<Vec<u8>>;

/// A directory that goes with the test.
pub struct Place(PathBuf);

impl Place {
    pub fn new() -> Self {
        Place(std::env::temp_dir().join(format!("viewmill-log-{}", uuid::Uuid::new_v4())))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The directory of a topic's partition.
    pub fn partition(&self, topic: &str, index: i32) -> PathBuf {
        let mut topics =
            std::fs::read_dir(self.0.join("topics")).expect("there are topics").map(|entry| entry.expect("can be read").path());
        let starts = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{topic}~")));
        topics.find(starts).expect("the topic is there").join(index.to_string())
    }

    /// The segments of a partition, in order.
    pub fn segments(&self, topic: &str, index: i32) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.partition(topic, index)).expect("can be listed");
        let mut logs: Vec<_> = entries.map(|entry| entry.expect("can be read").path()).collect();
        logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.sort();
        logs
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Logs whose time and background work the test drives.
pub struct Bench {
    pub place: Place,
    pub clock: ManualClock,
    pub settings: LogSettings,
    logs: Option<Logs>,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut LogSettings)) -> Self {
        let clock = ManualClock::at(Timestamp(NOW));
        let mut settings = LogSettings { background: false, clock: Arc::new(clock.clone()), ..LogSettings::default() };
        change(&mut settings);
        let place = Place::new();
        let logs = Logs::open(place.path(), settings.clone()).expect("opens");
        Bench { place, clock, settings, logs: Some(logs) }
    }

    pub fn logs(&self) -> &Logs {
        self.logs.as_ref().expect("is open")
    }

    pub fn topic(&self, name: &str, configs: &[(&str, &str)]) -> Arc<PartitionLog> {
        self.logs().create_topic(name, 1, configs_of(configs)).expect("is made").partitions[0].clone()
    }

    pub fn partition(&self, name: &str) -> Arc<PartitionLog> {
        self.logs().partition(name, 0).expect("is there")
    }

    pub fn advance(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    /// Opens again as after a kill: nothing is closed, only what was written is there.
    pub fn crash(&mut self) {
        let logs = self.logs.take().expect("is open");
        logs.abandon();
        self.logs = Some(Logs::open(self.place.path(), self.settings.clone()).expect("opens again"));
    }

    /// As a crash, and something happens to the files meanwhile.
    pub fn crash_and(&mut self, meanwhile: impl FnOnce(&Place)) {
        self.logs.take().expect("is open").abandon();
        meanwhile(&self.place);
        self.logs = Some(Logs::open(self.place.path(), self.settings.clone()).expect("opens again"));
    }

    /// Opens again after a clean end.
    pub fn restart(&mut self) {
        drop(self.logs.take());
        self.logs = Some(Logs::open(self.place.path(), self.settings.clone()).expect("opens again"));
    }
}

pub fn configs_of(configs: &[(&str, &str)]) -> BTreeMap<String, String> {
    configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A batch as a client sends it.
#[derive(Clone)]
pub struct Sent {
    pub header: BatchHeader,
    pub records: Vec<(Field, Field, i64)>,
}

impl Sent {
    /// Values without keys, at [`NOW`].
    pub fn values(values: &[&str]) -> Self {
        Self::records(values.iter().map(|value| (None, Some(value.as_bytes().to_vec()), NOW)).collect())
    }

    /// A keyed record; no value: a tombstone.
    pub fn keyed(key: &str, value: Option<&str>) -> Self {
        Self::records(vec![(Some(key.as_bytes().to_vec()), value.map(|value| value.as_bytes().to_vec()), NOW)])
    }

    pub fn records(records: Vec<(Field, Field, i64)>) -> Self {
        let header = BatchHeader {
            base_offset: 0,
            size: 0,
            leader_epoch: -1,
            crc: 0,
            attributes: 0,
            last_offset_delta: records.len() as i32 - 1,
            base_timestamp: records[0].2,
            max_timestamp: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: 0,
        };
        Sent { header, records }
    }

    pub fn at(mut self, timestamp: i64) -> Self {
        self.header.base_timestamp = timestamp;
        self.records.iter_mut().for_each(|record| record.2 = timestamp);
        self
    }

    pub fn from(mut self, producer_id: i64, epoch: i16, sequence: i32) -> Self {
        (self.header.producer_id, self.header.producer_epoch, self.header.base_sequence) = (producer_id, epoch, sequence);
        self
    }

    pub fn transactional(mut self) -> Self {
        self.header.attributes |= 1 << 4;
        self
    }

    pub fn compressed(mut self, kind: i16) -> Self {
        self.header.attributes |= kind;
        self
    }

    pub fn bytes(&self) -> Bytes {
        let mut builder = BatchBuilder::like(self.header);
        for (delta, (key, value, timestamp)) in self.records.iter().enumerate() {
            builder.push(Record {
                offset: delta as i64,
                timestamp: *timestamp,
                key: key.as_deref(),
                value: value.as_deref(),
                headers: &[0],
            });
        }
        Bytes::from(builder.finish().expect("is built"))
    }
}

/// What a consumer makes of a log: offset, key and value of all records that it is given, in order.
pub fn consume(log: &PartitionLog, isolation: Isolation) -> Vec<(i64, Field, Field)> {
    consume_with(log, isolation, 4096)
}

pub fn consume_with(log: &PartitionLog, isolation: Isolation, max_bytes: usize) -> Vec<(i64, Field, Field)> {
    let mut consumed = Vec::new();
    let mut offset = log.progress().log_start;
    loop {
        let read = log.read(offset, max_bytes, isolation).expect("is readable");
        if read.records.is_empty() {
            return consumed;
        }
        let mut aborted = read.aborted.clone();
        aborted.sort_unstable_by_key(|(_, first)| std::cmp::Reverse(*first));
        let mut skipped = std::collections::BTreeSet::new();
        for (header, batch) in batches(&read.records) {
            while aborted.last().is_some_and(|(_, first)| *first <= header.last_offset()) {
                skipped.insert(aborted.pop().expect("is there").0);
            }
            let next = header.next_offset();
            if header.is_control() {
                skipped.remove(&header.producer_id);
            } else if !(header.is_transactional() && skipped.contains(&header.producer_id)) {
                let mut records = Records::new(header, batch).expect("are records");
                while let Some(record) = records.next_record().expect("is a record") {
                    if record.offset >= offset {
                        consumed.push((record.offset, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec)));
                    }
                }
            }
            offset = next;
        }
    }
}

/// The values of all records, as text.
pub fn values(log: &PartitionLog, isolation: Isolation) -> Vec<String> {
    let text = |value: Option<Vec<u8>>| String::from_utf8(value.unwrap_or_default()).expect("is text");
    consume(log, isolation).into_iter().map(|(_, _, value)| text(value)).collect()
}

/// Whole batches in some bytes.
pub fn batches(mut bytes: &[u8]) -> Vec<(BatchHeader, &[u8])> {
    let mut batches = Vec::new();
    while let Some(header) = BatchHeader::read(bytes) {
        let (batch, rest) = bytes.split_at(header.size);
        assert!(header.checks(batch), "what is served has a right checksum");
        batches.push((header, batch));
        bytes = rest;
    }
    assert!(bytes.is_empty(), "only whole batches are served");
    batches
}
