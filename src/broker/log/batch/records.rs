//! The records in a batch, one after the other, with no trust in any length.

use std::io::{self, Read};

use thiserror::Error;

use super::{BatchHeader, Compression, HEADER_BYTES};

/// A record as it stands in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its time in ms.
    pub timestamp: i64,
    /// `None`: null.
    pub key: Option<&'a [u8]>,
    /// `None`: null, a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers' count and bytes, as stored.
    pub headers: &'a [u8],
}

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRecord {
    /// The transaction counts.
    Commit {
        /// Of the coordinator that wrote it.
        coordinator_epoch: i32,
    },
    /// The transaction does not count.
    Abort {
        /// Of the coordinator that wrote it.
        coordinator_epoch: i32,
    },
    /// Another kind, of no concern here.
    Other,
}

/// The bytes are no records.
#[derive(Debug, Error)]
pub enum RecordsError {
    /// They do not unfold.
    #[error("records do not decompress: {0}")]
    Decompress(#[from] io::Error),
    /// Compressed by nobody knows what.
    #[error("unknown compression type {0}")]
    UnknownCompression(i16),
    /// A length or number that cannot be.
    #[error("record {index}: {what}")]
    Malformed {
        /// Which, from 0.
        index: i32,
        /// What is wrong.
        what: &'static str,
    },
}

/// Goes through the records of a batch.
pub struct Records<'a> {
    header: BatchHeader,
    source: Source<'a>,
    body: Vec<u8>,
    index: i32,
}

enum Source<'a> {
    Slice(&'a [u8]),
    Stream(Box<dyn Read + 'a>),
}

impl<'a> Records<'a> {
    /// For a whole batch with its header.
    pub fn new(header: BatchHeader, batch: &'a [u8]) -> Result<Records<'a>, RecordsError> {
        let bytes = batch.get(HEADER_BYTES..header.size).ok_or(RecordsError::Malformed { index: 0, what: "the batch is cut off" })?;
        let source = match header.compression() {
            None => return Err(RecordsError::UnknownCompression(header.attributes & 7)),
            Some(Compression::None) => Source::Slice(bytes),
            Some(_) if header.count == 0 => Source::Slice(&[]),
            Some(compression) => Source::Stream(compression.reader(bytes)?),
        };
        Ok(Records { header, source, body: Vec::new(), index: 0 })
    }

    /// The next one; `None` after the last that the header counts, if nothing follows it.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, RecordsError> {
        let index = self.index;
        let malformed = |what| RecordsError::Malformed { index, what };
        if index == self.header.count {
            return match self.source.is_at_end()? {
                true => Ok(None),
                false => Err(malformed("bytes behind the last record")),
            };
        }
        self.index += 1;
        let header = self.header;
        let body: &[u8] = match &mut self.source {
            Source::Slice(rest) => {
                let length =
                    slice_varint(rest).and_then(|length| usize::try_from(length).ok()).ok_or(malformed("its length is malformed"))?;
                let (body, after) = rest.split_at_checked(length).ok_or(malformed("it is longer than its batch"))?;
                *rest = after;
                body
            }
            Source::Stream(reader) => {
                let length =
                    stream_varint(reader)?.and_then(|length| u64::try_from(length).ok()).ok_or(malformed("its length is malformed"))?;
                self.body.clear();
                reader.take(length).read_to_end(&mut self.body)?;
                if self.body.len() as u64 != length {
                    return Err(malformed("it is longer than its batch"));
                }
                &self.body
            }
        };
        parse(header, body).ok_or(malformed("a field is malformed")).map(Some)
    }

    /// What a marker's first record says; `None` when compaction emptied it.
    pub fn control(header: BatchHeader, batch: &[u8]) -> Result<Option<ControlRecord>, RecordsError> {
        let mut records = Records::new(header, batch)?;
        Ok(records.next_record()?.map(|record| control_record(record).unwrap_or(ControlRecord::Other)))
    }
}

impl Source<'_> {
    fn is_at_end(&mut self) -> io::Result<bool> {
        match self {
            Source::Slice(rest) => Ok(rest.is_empty()),
            Source::Stream(reader) => Ok(reader.read(&mut [0])? == 0),
        }
    }
}

fn control_record(record: Record<'_>) -> Option<ControlRecord> {
    let kind = i16::from_be_bytes(*record.key?.get(2..)?.first_chunk()?);
    let coordinator_epoch = i32::from_be_bytes(*record.value?.get(2..)?.first_chunk()?);
    match kind {
        0 => Some(ControlRecord::Abort { coordinator_epoch }),
        1 => Some(ControlRecord::Commit { coordinator_epoch }),
        _ => None,
    }
}

fn parse(header: BatchHeader, body: &[u8]) -> Option<Record<'_>> {
    let mut rest = body.get(1..)?;
    let timestamp_delta = slice_varlong(&mut rest)?;
    let offset_delta = slice_varint(&mut rest)?;
    if offset_delta < 0 || offset_delta > header.last_offset_delta {
        return None;
    }
    let key = field(&mut rest)?;
    let value = field(&mut rest)?;
    let headers = rest;
    let count = slice_varint(&mut rest)?;
    if count < 0 {
        return None;
    }
    for _ in 0..count {
        field(&mut rest)??;
        field(&mut rest)?;
    }
    let offset = header.base_offset.checked_add(i64::from(offset_delta))?;
    let record = Record { offset, timestamp: header.timestamp(timestamp_delta), key, value, headers };
    rest.is_empty().then_some(record)
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = slice_varint(rest)?;
    if length == -1 {
        return Some(None);
    }
    let (field, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(Some(field))
}

fn slice_varint(rest: &mut &[u8]) -> Option<i32> {
    let raw = slice_unsigned(rest, 5)?;
    let raw = u32::try_from(raw).ok()?;
    Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

fn slice_varlong(rest: &mut &[u8]) -> Option<i64> {
    let raw = slice_unsigned(rest, 10)?;
    Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

fn slice_unsigned(rest: &mut &[u8], most: usize) -> Option<u64> {
    let mut value = 0;
    for (index, byte) in rest.iter().take(most).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Some(value);
        }
    }
    None
}

fn stream_varint(reader: &mut dyn Read) -> io::Result<Option<i32>> {
    let mut bytes = [0; 5];
    for index in 0..bytes.len() {
        reader.read_exact(&mut bytes[index..=index])?;
        if bytes[index] & 0x80 == 0 {
            return Ok(slice_varint(&mut &bytes[..=index]));
        }
    }
    Ok(None)
}
