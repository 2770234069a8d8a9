//! Batches that the broker writes itself: markers, and what compaction leaves of a batch.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{BatchHeader, Compression, HEADER_BYTES, Record};
use crate::broker::log::Marker;

/// Collects the records of a new batch.
pub struct BatchBuilder {
    header: BatchHeader,
    records: Vec<u8>,
    count: i32,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// A batch with the ids, attributes, times and offsets of `header`, but for what the records say.
    pub fn like(header: BatchHeader) -> Self {
        BatchBuilder { header, records: Vec::new(), count: 0, max_timestamp: -1 }
    }

    /// Adds a record; its offset must lie within the header's.
    pub fn push(&mut self, record: Record<'_>) {
        let mut body = vec![0];
        put_varint(&mut body, record.timestamp.wrapping_sub(self.header.base_timestamp));
        put_varint(&mut body, record.offset - self.header.base_offset);
        put_field(&mut body, record.key);
        put_field(&mut body, record.value);
        body.extend_from_slice(record.headers);
        put_varint(&mut self.records, body.len() as i64);
        self.records.append(&mut body);
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
    }

    /// The batch, compressed as its header says. Without records nothing but the header is left.
    pub fn finish(mut self) -> io::Result<Vec<u8>> {
        let compression = self.header.compression().unwrap_or(Compression::None);
        let records = match compression {
            _ if self.count == 0 => Vec::new(),
            Compression::None => self.records,
            compression => match folded(compression, &self.records, |records| compression.compress(records)) {
                Some(folded) => folded,
                None => {
                    self.header.set_uncompressed();
                    self.records
                }
            },
        };
        if self.count == 0 {
            self.header.empty();
        } else if !self.header.is_log_append_time() {
            self.header.max_timestamp = self.max_timestamp;
        }
        self.header.count = self.count;
        self.header.size = HEADER_BYTES + records.len();
        let mut batch = self.header.sealed(&records).to_vec();
        batch.extend(records);
        Ok(batch)
    }
}

/// `None`: it does not unfold to what it was made of, which may be the only copy.
fn folded(compression: Compression, records: &[u8], compress: impl FnOnce(&[u8]) -> io::Result<Vec<u8>>) -> Option<Vec<u8>> {
    let attempt = || -> io::Result<Option<Vec<u8>>> {
        let folded = compress(records)?;
        let mut unfolded = Vec::with_capacity(records.len());
        compression.reader(&folded, records.len() + 1)?.read_to_end(&mut unfolded)?;
        Ok((unfolded == records).then_some(folded))
    };
    // An encoder may panic over records that a client has chosen.
    let folded = catch_unwind(AssertUnwindSafe(attempt)).ok().and_then(Result::ok).flatten();
    if folded.is_none() {
        tracing::warn!("{compression:?} cannot fold {} bytes of records; they stay unfolded", records.len());
    }
    folded
}

/// A marker that ends a producer's transaction.
pub fn marker_batch(
    producer_id: i64,
    epoch: i16,
    marker: Marker,
    coordinator_epoch: i32,
    base_offset: i64,
    now: i64,
) -> io::Result<Vec<u8>> {
    let mut builder = BatchBuilder::like(BatchHeader {
        base_offset,
        size: 0,
        leader_epoch: 0,
        crc: 0,
        attributes: BatchHeader::control_attributes(),
        last_offset_delta: 0,
        base_timestamp: now,
        max_timestamp: now,
        producer_id,
        producer_epoch: epoch,
        base_sequence: -1,
        count: 1,
    });
    let kind: i16 = match marker {
        Marker::Abort => 0,
        Marker::Commit => 1,
    };
    let key = [0_i16.to_be_bytes(), kind.to_be_bytes()].concat();
    let value = [&0_i16.to_be_bytes()[..], &coordinator_epoch.to_be_bytes()].concat();
    builder.push(Record { offset: base_offset, timestamp: now, key: Some(&key), value: Some(&value), headers: &[0] });
    builder.finish()
}

fn put_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => put_varint(out, -1),
        Some(field) => {
            put_varint(out, field.len() as i64);
            out.extend_from_slice(field);
        }
    }
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_an_encoder_fails_on_stay_unfolded() {
        let records = vec![7; 1000];
        let fold = |compress: fn(&[u8]) -> io::Result<Vec<u8>>| folded(Compression::Zstd, &records, compress);
        assert!(fold(|records| Compression::Zstd.compress(records)).is_some());
        assert_eq!(fold(|_| panic!("an encoder's")), None);
        assert_eq!(fold(|_| Compression::Zstd.compress(b"others")), None);
        assert_eq!(fold(|_| Ok(Vec::new())), None);
    }
}
