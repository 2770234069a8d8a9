//! What goes into a task and what comes out of it.

use std::collections::BTreeMap;

use crate::processor::{Emitted, ProcessorError};
use crate::record::{Headers, Offset, Timestamp, TopicName};
use crate::state::{Batch, BatchEntry};

/// The largest record that is produced, in bytes: below Kafka's default `message.max.bytes` (1,048,588) with room for headers.
pub const MAX_RECORD_BYTES: usize = 1_000_000;

/// A source record as bytes.
#[derive(Clone, Debug)]
pub struct InputRecord<'a> {
    /// Where it stands.
    pub offset: Offset,
    /// The record's time.
    pub timestamp: Timestamp,
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers,
}

/// The outputs of records that are done, for Kafka.
pub type OutputBuffer = Vec<Output>;

/// One output with its declared topic name.
#[derive(Clone, Debug)]
pub struct Output(pub(crate) Emitted);

impl Output {
    /// Topic, key and value.
    pub fn parts(&self) -> (&TopicName, Option<&[u8]>, Option<&[u8]>) {
        (&self.0.topic, self.0.key.as_deref(), self.0.value.as_deref())
    }
}

/// What was counted since the last commit; it counts once that commit is made, so that a record which is processed again counts once.
#[derive(Debug, Default)]
pub struct Counts {
    /// What processors counted.
    pub events: BTreeMap<&'static str, u64>,
    /// Records at fault.
    pub dropped: BTreeMap<Dropped, u64>,
}

/// Why a record was passed over, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dropped {
    /// The error's stable word.
    pub reason: &'static str,
    /// It went to a dead-letter topic.
    pub dead_letter: bool,
}

/// How the processing of one record ended.
#[derive(Debug)]
pub enum Processed {
    /// Its changes wait for the commit.
    Done,
    /// It is at fault: nothing of it remains, and the task still stands before it.
    Poisoned(ProcessorError),
}

/// What one commit of a task consists of; nothing of it is in the database yet.
#[derive(Debug)]
pub struct Prepared {
    /// The changed rows, and what follows from them for the indexes.
    pub batch: Batch,
    pub(super) changelog_rows: usize,
    /// Records of positioned sinks. They are sent when it is known where all lies that was produced before.
    pub(crate) held: Vec<Emitted>,
}

impl Prepared {
    /// What the changelogs get: the rows without those of indexes.
    pub fn changelog(&self) -> impl Iterator<Item = BatchEntry<'_>> {
        self.batch.iter().take(self.changelog_rows)
    }
}

/// What an output weighs, without headers.
pub(super) fn size_bytes(output: &Emitted) -> usize {
    output.key.as_ref().map_or(0, Vec::len) + output.value.as_ref().map_or(0, Vec::len)
}
