//! The records in a batch, one after the other, with no trust in any length.

use std::io::{self, BufRead, Read};

use thiserror::Error;

use super::compression::MAX_UNFOLDED_BYTES;
use super::varint::{slice_varint, slice_varlong, stream_varint, stream_varlong};
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

/// What can be told of a record without having it in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// Its offset.
    pub offset: i64,
    /// Its time in ms.
    pub timestamp: i64,
    /// Its key is not null.
    pub has_key: bool,
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

const BAD_LENGTH: &str = "its length is malformed";
const BAD_FIELD: &str = "a field is malformed";
const TOO_LONG: &str = "it is longer than its batch";

/// Goes through the records of a batch.
pub struct Records<'a> {
    header: BatchHeader,
    source: Source<'a>,
    /// Of a compressed record that was asked for as a whole.
    body: Vec<u8>,
    index: i32,
}

enum Source<'a> {
    Slice(&'a [u8]),
    Stream(Box<dyn BufRead + 'a>),
}

impl<'a> Records<'a> {
    /// For a whole batch with its header.
    pub fn new(header: BatchHeader, batch: &'a [u8]) -> Result<Records<'a>, RecordsError> {
        Self::within(header, batch, MAX_UNFOLDED_BYTES)
    }

    /// As [`Records::new`], for records that may unfold to so many bytes.
    pub fn within(header: BatchHeader, batch: &'a [u8], most: usize) -> Result<Records<'a>, RecordsError> {
        let bytes = batch.get(HEADER_BYTES..header.size).ok_or(RecordsError::Malformed { index: 0, what: "the batch is cut off" })?;
        let source = match header.compression() {
            None => return Err(RecordsError::UnknownCompression(header.attributes & 7)),
            Some(Compression::None) => Source::Slice(bytes),
            Some(_) if header.count == 0 => Source::Slice(&[]),
            Some(compression) => Source::Stream(compression.reader(bytes, most)?),
        };
        Ok(Records { header, source, body: Vec::new(), index: 0 })
    }

    /// The next one; `None` after the last that the header counts, if nothing follows it. It is in memory as a whole.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, RecordsError> {
        let Some(index) = self.next_index()? else { return Ok(None) };
        let malformed = |what| RecordsError::Malformed { index, what };
        let body: &[u8] = match &mut self.source {
            Source::Slice(rest) => slice_body(rest).map_err(malformed)?,
            Source::Stream(reader) => {
                let length = stream_length(reader)?.ok_or(malformed(BAD_LENGTH))?;
                self.body.clear();
                reader.take(length).read_to_end(&mut self.body)?;
                if self.body.len() as u64 != length {
                    return Err(malformed(TOO_LONG));
                }
                &self.body
            }
        };
        parse(self.header, body).ok_or(malformed(BAD_FIELD)).map(Some)
    }

    /// As [`Records::next_record`], but nothing of the record is kept in memory, however large it is.
    pub fn next_outline(&mut self) -> Result<Option<Outline>, RecordsError> {
        let Some(index) = self.next_index()? else { return Ok(None) };
        let malformed = |what| RecordsError::Malformed { index, what };
        let outline = match &mut self.source {
            Source::Slice(rest) => parse(self.header, slice_body(rest).map_err(malformed)?).map(Outline::from),
            Source::Stream(reader) => {
                let length = stream_length(reader)?.ok_or(malformed(BAD_LENGTH))?;
                let buffered = reader.fill_buf()?;
                match usize::try_from(length).ok().and_then(|length| buffered.get(..length)) {
                    Some(body) => {
                        let outline = parse(self.header, body).map(Outline::from);
                        reader.consume(length as usize);
                        outline
                    }
                    None => match skim(self.header, &mut reader.take(length)) {
                        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(malformed(TOO_LONG)),
                        skimmed => skimmed?,
                    },
                }
            }
        };
        outline.ok_or(malformed(BAD_FIELD)).map(Some)
    }

    /// `None`: there are no more.
    fn next_index(&mut self) -> Result<Option<i32>, RecordsError> {
        let index = self.index;
        if index < self.header.count {
            self.index += 1;
            return Ok(Some(index));
        }
        match self.source.is_at_end()? {
            true => Ok(None),
            false => Err(RecordsError::Malformed { index, what: "bytes behind the last record" }),
        }
    }

    /// What a marker's first record says; `None` when compaction emptied it.
    pub fn control(header: BatchHeader, batch: &[u8]) -> Result<Option<ControlRecord>, RecordsError> {
        let mut records = Records::new(header, batch)?;
        Ok(records.next_record()?.map(|record| control_record(record).unwrap_or(ControlRecord::Other)))
    }

    /// Bytes of memory that the last record took.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.body.capacity()
    }
}

impl From<Record<'_>> for Outline {
    fn from(record: Record<'_>) -> Self {
        Outline { offset: record.offset, timestamp: record.timestamp, has_key: record.key.is_some() }
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
    let timestamp = header.timestamp(slice_varlong(&mut rest)?);
    let offset = offset(header, slice_varint(&mut rest)?)?;
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
    rest.is_empty().then_some(Record { offset, timestamp, key, value, headers })
}

/// As [`parse`], of a record that is not in memory; `None` as there. An error: it ends too early.
fn skim(header: BatchHeader, body: &mut io::Take<impl BufRead>) -> io::Result<Option<Outline>> {
    skip(body, 1)?;
    let Some(timestamp_delta) = stream_varlong(body)? else { return Ok(None) };
    let Some(offset) = stream_varint(body)?.and_then(|delta| offset(header, delta)) else { return Ok(None) };
    let Some(has_key) = skim_field(body)? else { return Ok(None) };
    if skim_field(body)?.is_none() {
        return Ok(None);
    }
    let Some(headers) = stream_varint(body)?.filter(|count| *count >= 0) else { return Ok(None) };
    for _ in 0..headers {
        let (Some(true), Some(_)) = (skim_field(body)?, skim_field(body)?) else { return Ok(None) };
    }
    let outline = Outline { offset, timestamp: header.timestamp(timestamp_delta), has_key };
    Ok((body.limit() == 0).then_some(outline))
}

fn offset(header: BatchHeader, delta: i32) -> Option<i64> {
    if delta < 0 || delta > header.last_offset_delta {
        return None;
    }
    header.base_offset.checked_add(i64::from(delta))
}

/// Whether it is there, or null; `None`: malformed.
fn skim_field(body: &mut impl BufRead) -> io::Result<Option<bool>> {
    match stream_varint(body)? {
        Some(-1) => Ok(Some(false)),
        Some(length @ 0..) => skip(body, u64::from(length.unsigned_abs())).map(|()| Some(true)),
        _ => Ok(None),
    }
}

fn skip(reader: &mut impl BufRead, mut bytes: u64) -> io::Result<()> {
    while bytes > 0 {
        let there = reader.fill_buf()?.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
        if there == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        reader.consume(there);
        bytes -= there as u64;
    }
    Ok(())
}

/// The next record's bytes.
fn slice_body<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let length = slice_varint(rest).and_then(|length| usize::try_from(length).ok()).ok_or(BAD_LENGTH)?;
    let (body, after) = rest.split_at_checked(length).ok_or(TOO_LONG)?;
    *rest = after;
    Ok(body)
}

/// How many bytes the next record has; `None`: a number that cannot be.
fn stream_length(reader: &mut impl Read) -> io::Result<Option<u64>> {
    Ok(stream_varint(reader)?.and_then(|length| u64::try_from(length).ok()))
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
