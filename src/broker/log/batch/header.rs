//! The 61 bytes at the front of a batch.
//!
//! ```text
//!  0 base offset 8 │ 8 length 4 │ 12 leader epoch 4 │ 16 magic 1 │ 17 crc 4 │ 21 attributes 2 │ 23 last offset delta 4
//! 27 base time 8 │ 35 max time 8 │ 43 producer id 8 │ 51 producer epoch 2 │ 53 base sequence 4 │ 57 count 4 │ 61 records
//! ```
//! The length counts from byte 12, the crc (Castagnoli) covers byte 21 to the end: so a broker may set offset and epoch and leave the crc.

use super::Compression;

/// Bytes before the records.
pub const HEADER_BYTES: usize = 61;
/// The producer id of who has none.
pub const NO_PRODUCER: i64 = -1;
const LENGTH_FROM: usize = 12;
const CRC_FROM: usize = 21;

const TIMESTAMP_TYPE: i16 = 1 << 3;
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;
const DELETE_HORIZON: i16 = 1 << 6;

/// A batch's header, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record, also when compaction took it.
    pub base_offset: i64,
    /// Bytes of the whole batch.
    pub size: usize,
    /// Of the records' leader.
    pub leader_epoch: i32,
    /// As stored.
    pub crc: u32,
    /// Compression, time type, transactional, control, delete horizon.
    pub attributes: i16,
    /// Last offset minus base offset.
    pub last_offset_delta: i32,
    /// What the records' times are relative to; with a delete horizon: that.
    pub base_timestamp: i64,
    /// Greatest time.
    pub max_timestamp: i64,
    /// Of an idempotent producer, else -1.
    pub producer_id: i64,
    /// Of that producer.
    pub producer_epoch: i16,
    /// Of the first record.
    pub base_sequence: i32,
    /// Records in it now.
    pub count: i32,
}

impl BatchHeader {
    /// Takes a header apart. `None`: too short, not format 2, or lengths that cannot be.
    pub fn read(bytes: &[u8]) -> Option<BatchHeader> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let length = i32::from_be_bytes(at(bytes, 8));
        let size = usize::try_from(length).ok()?.checked_add(LENGTH_FROM)?;
        let header = BatchHeader {
            base_offset: i64::from_be_bytes(at(bytes, 0)),
            size,
            leader_epoch: i32::from_be_bytes(at(bytes, 12)),
            crc: u32::from_be_bytes(at(bytes, 17)),
            attributes: i16::from_be_bytes(at(bytes, 21)),
            last_offset_delta: i32::from_be_bytes(at(bytes, 23)),
            base_timestamp: i64::from_be_bytes(at(bytes, 27)),
            max_timestamp: i64::from_be_bytes(at(bytes, 35)),
            producer_id: i64::from_be_bytes(at(bytes, 43)),
            producer_epoch: i16::from_be_bytes(at(bytes, 51)),
            base_sequence: i32::from_be_bytes(at(bytes, 53)),
            count: i32::from_be_bytes(at(bytes, 57)),
        };
        let sound = bytes[16] == 2 && size >= HEADER_BYTES && header.last_offset_delta >= 0 && header.count >= 0;
        (sound && header.base_offset >= 0).then_some(header)
    }

    /// Puts it together again; the crc as it stands in `self`.
    pub fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let length = i32::try_from(self.size - LENGTH_FROM).unwrap_or(i32::MAX);
        bytes[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        bytes[16] = 2;
        bytes[17..21].copy_from_slice(&self.crc.to_be_bytes());
        bytes[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        bytes[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        bytes[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        bytes[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        bytes[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        bytes[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        bytes[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        bytes[57..61].copy_from_slice(&self.count.to_be_bytes());
        bytes
    }

    /// The header with the crc that goes with it and `records`.
    pub fn sealed(mut self, records: &[u8]) -> [u8; HEADER_BYTES] {
        self.crc = crc32c::crc32c_append(crc32c::crc32c(&self.bytes()[CRC_FROM..]), records);
        self.bytes()
    }

    /// Whether the checksum of a whole batch is right.
    pub fn checks(&self, batch: &[u8]) -> bool {
        batch.get(CRC_FROM..self.size).is_some_and(|covered| crc32c::crc32c(covered) == self.crc)
    }

    /// Offset of the last record, also when compaction took it.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// What the next batch may begin with.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// Sequence of the last record; -1 without sequences.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 { self.base_sequence } else { increment_sequence(self.base_sequence, self.last_offset_delta) }
    }

    /// How the records are compressed.
    pub fn compression(&self) -> Option<Compression> {
        Compression::from_attributes(self.attributes)
    }

    /// The broker gave the time, the same to all records: `max_timestamp`.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & TIMESTAMP_TYPE != 0
    }

    /// Part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// A marker, not for consumers.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// From when on compaction may drop the tombstones (or the marker) in it, once it has seen them.
    pub fn delete_horizon(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Sets it. The records' times must be written relative to it.
    pub fn set_delete_horizon(&mut self, at: i64) {
        self.attributes |= DELETE_HORIZON;
        self.base_timestamp = at;
    }

    /// Nothing is left for compression or a delete horizon.
    pub fn empty(&mut self) {
        self.attributes &= !(7 | DELETE_HORIZON);
        self.base_timestamp = -1;
    }

    /// Its records stand there as they are.
    pub fn set_uncompressed(&mut self) {
        self.attributes &= !7;
    }

    /// Gives all records the broker's time. The crc must be sealed anew.
    pub fn set_log_append_time(&mut self, now: i64) {
        self.attributes |= TIMESTAMP_TYPE;
        self.max_timestamp = now;
    }

    /// The attributes of a marker.
    pub fn control_attributes() -> i16 {
        TRANSACTIONAL | CONTROL
    }

    /// A record's time, from its delta.
    pub fn timestamp(&self, delta: i64) -> i64 {
        if self.is_log_append_time() { self.max_timestamp } else { self.base_timestamp.wrapping_add(delta) }
    }
}

/// Sequences count to `i32::MAX` and begin again at 0.
pub fn increment_sequence(sequence: i32, by: i32) -> i32 {
    if sequence > i32::MAX - by { by - (i32::MAX - sequence) - 1 } else { sequence + by }
}

fn at<const N: usize>(bytes: &[u8; HEADER_BYTES], from: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[from..from + N]);
    out
}
