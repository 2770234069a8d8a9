//! Where in a segment an offset or a time is found, and which aborted transactions ended in it.

use std::fs;
use std::io;
use std::path::Path;

use bytes::{Buf, BufMut};

use crate::broker::log::batch::BatchHeader;

/// So many bytes of batches lie between two entries.
pub const INTERVAL_BYTES: u64 = 16 << 10;
const MAGIC: &[u8; 8] = b"VMINDEX1";
const ENTRY_BYTES: usize = 24;
const ABORTED_BYTES: usize = 32;

/// What is known of a segment without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of whole batches.
    pub size: u64,
    /// The offset after its last batch.
    pub next_offset: i64,
    /// Greatest time of its records; -1: none.
    pub max_timestamp: i64,
    /// Greatest time of its first batch; -1: none.
    pub first_timestamp: i64,
    /// When it was made, in ms.
    pub created_ms: i64,
    /// When a batch was added last, in ms.
    pub modified_ms: i64,
    /// Aborted transactions whose marker stands in it.
    pub aborted: usize,
}

/// A place in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    base_offset: i64,
    position: u64,
    /// Of all batches before `position`.
    max_timestamp_before: i64,
}

/// A transaction whose records do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: i64,
    /// Of its first record.
    pub first_offset: i64,
    /// Of its marker.
    pub last_offset: i64,
    /// The log's last stable offset after the marker: a reader that stops before it need not look further.
    pub last_stable: i64,
}

/// The index of one segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SegmentIndex {
    entries: Vec<Entry>,
    /// In the order of their markers.
    pub aborted: Vec<AbortedTransaction>,
}

impl Summary {
    /// Of an empty segment.
    pub fn empty(base_offset: i64, now: i64) -> Self {
        Summary { size: 0, next_offset: base_offset, max_timestamp: -1, first_timestamp: -1, created_ms: now, modified_ms: now, aborted: 0 }
    }

    /// The time that retention goes by.
    pub fn largest_timestamp(&self) -> i64 {
        if self.max_timestamp >= 0 { self.max_timestamp } else { self.modified_ms }
    }
}

impl SegmentIndex {
    /// Notes a batch that is written behind all that the summary tells.
    pub fn add(&mut self, summary: &mut Summary, header: &BatchHeader, now: i64) {
        let last = self.entries.last().map_or(0, |entry| entry.position);
        if summary.size - last >= INTERVAL_BYTES {
            let entry = Entry { base_offset: header.base_offset, position: summary.size, max_timestamp_before: summary.max_timestamp };
            self.entries.push(entry);
        }
        if summary.size == 0 {
            summary.first_timestamp = header.max_timestamp;
        }
        summary.size += header.size as u64;
        summary.next_offset = header.next_offset();
        summary.max_timestamp = summary.max_timestamp.max(header.max_timestamp);
        summary.modified_ms = now;
        summary.aborted = self.aborted.len();
    }

    /// A batch boundary at or before the batch with that offset.
    pub fn position_of_offset(&self, offset: i64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.base_offset <= offset);
        after.checked_sub(1).map_or(0, |at| self.entries[at].position)
    }

    /// A batch boundary before which all is older than `timestamp`.
    pub fn position_of_time(&self, timestamp: i64) -> u64 {
        let after = self.entries.partition_point(|entry| entry.max_timestamp_before < timestamp);
        after.checked_sub(1).map_or(0, |at| self.entries[at].position)
    }

    /// Aborted transactions that overlap `from..to`; true when no later segment can hold more of them.
    pub fn aborted_between(&self, from: i64, to: i64, found: &mut Vec<(i64, i64)>) -> bool {
        let first = self.aborted.partition_point(|aborted| aborted.last_offset < from);
        for aborted in &self.aborted[first..] {
            if aborted.first_offset < to {
                found.push((aborted.producer_id, aborted.first_offset));
            }
            if aborted.last_stable >= to {
                return true;
            }
        }
        false
    }

    /// As bytes, with the summary.
    pub fn encode(&self, summary: &Summary) -> Vec<u8> {
        let mut out = Vec::with_capacity(80 + self.entries.len() * ENTRY_BYTES + self.aborted.len() * ABORTED_BYTES);
        out.put_slice(MAGIC);
        out.put_u64(summary.size);
        out.put_i64(summary.next_offset);
        out.put_i64(summary.max_timestamp);
        out.put_i64(summary.first_timestamp);
        out.put_i64(summary.created_ms);
        out.put_i64(summary.modified_ms);
        out.put_u64(self.entries.len() as u64);
        out.put_u64(self.aborted.len() as u64);
        for entry in &self.entries {
            out.put_i64(entry.base_offset);
            out.put_u64(entry.position);
            out.put_i64(entry.max_timestamp_before);
        }
        for aborted in &self.aborted {
            out.put_i64(aborted.producer_id);
            out.put_i64(aborted.first_offset);
            out.put_i64(aborted.last_offset);
            out.put_i64(aborted.last_stable);
        }
        out.put_u32(crc32c::crc32c(&out));
        out
    }

    /// From bytes; `None`: damaged.
    pub fn decode(bytes: &[u8]) -> Option<(Summary, SegmentIndex)> {
        let (mut bytes, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if crc32c::crc32c(bytes) != u32::from_be_bytes(*crc.first_chunk()?) || !bytes.starts_with(MAGIC) {
            return None;
        }
        bytes.advance(MAGIC.len());
        let mut summary = Summary {
            size: bytes.try_get_u64().ok()?,
            next_offset: bytes.try_get_i64().ok()?,
            max_timestamp: bytes.try_get_i64().ok()?,
            first_timestamp: bytes.try_get_i64().ok()?,
            created_ms: bytes.try_get_i64().ok()?,
            modified_ms: bytes.try_get_i64().ok()?,
            aborted: 0,
        };
        let entries = usize::try_from(bytes.try_get_u64().ok()?).ok()?;
        let aborted = usize::try_from(bytes.try_get_u64().ok()?).ok()?;
        summary.aborted = aborted;
        if entries.checked_mul(ENTRY_BYTES)?.checked_add(aborted.checked_mul(ABORTED_BYTES)?)? != bytes.len() {
            return None;
        }
        let mut index = SegmentIndex { entries: Vec::with_capacity(entries), aborted: Vec::with_capacity(aborted) };
        for _ in 0..entries {
            index.entries.push(Entry { base_offset: bytes.get_i64(), position: bytes.get_u64(), max_timestamp_before: bytes.get_i64() });
        }
        for _ in 0..aborted {
            index.aborted.push(AbortedTransaction {
                producer_id: bytes.get_i64(),
                first_offset: bytes.get_i64(),
                last_offset: bytes.get_i64(),
                last_stable: bytes.get_i64(),
            });
        }
        Some((summary, index))
    }

    /// Reads an index file; `None`: damaged.
    pub fn load(path: &Path) -> io::Result<Option<(Summary, SegmentIndex)>> {
        Ok(Self::decode(&fs::read(path)?))
    }
}
