//! What a client's batch must satisfy, as in Kafka's `LogValidator`.

use super::compression::MAX_UNFOLDED_BYTES;
use super::{BatchHeader, HEADER_BYTES, NO_PRODUCER, Records, RecordsError};
use crate::broker::log::AppendError;

/// Records unfold to so many times `max.message.bytes` at most, if that is more than what any topic allows.
const USUAL_RATIO: usize = 16;
const USUAL_UNFOLDED_BYTES: usize = 32 << 20;

/// What a topic asks of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `max.message.bytes`
    pub max_bytes: usize,
    /// `segment.bytes`
    pub segment_bytes: usize,
    /// Compacted: each record needs a key.
    pub keys_required: bool,
    /// `message.timestamp.before.max.ms` and `.after.max.ms` around now; `None` when the broker gives the time.
    pub timestamps: Option<(i64, i64)>,
}

/// Checks everything that does not need the log: exactly one batch, its checksum, its records. The greatest time in the header that is
/// returned is that of the records, whatever the sender wrote there.
pub fn validate(bytes: &[u8], limits: Limits) -> Result<BatchHeader, AppendError> {
    if let Some(&magic) = bytes.get(16)
        && magic != 2
    {
        return Err(AppendError::UnsupportedFormat(magic as i8));
    }
    let corrupt = || AppendError::CorruptMessage(format!("{} bytes are no record batch", bytes.len()));
    let header = BatchHeader::read(bytes).ok_or_else(corrupt)?;
    if header.size > bytes.len() {
        return Err(corrupt());
    }
    if header.size < bytes.len() {
        return Err(AppendError::InvalidRecord("a produce request holds exactly one record batch a partition".to_owned()));
    }
    if header.size > limits.max_bytes {
        return Err(AppendError::MessageTooLarge { size: header.size, max: limits.max_bytes });
    }
    if !header.checks(bytes) {
        return Err(AppendError::CorruptMessage(format!("checksum of a record batch of {} bytes is wrong", header.size)));
    }
    if header.size > limits.segment_bytes {
        return Err(AppendError::RecordListTooLarge { size: header.size, max: limits.segment_bytes });
    }
    check_header(&header)?;
    if limits.timestamps.is_some() && header.is_log_append_time() {
        return Err(AppendError::InvalidTimestamp("a producer may not say that the broker gave the time (LogAppendTime)".to_owned()));
    }
    let max_timestamp = check_records(&header, bytes, limits)?;
    Ok(BatchHeader { max_timestamp, ..header })
}

fn check_header(header: &BatchHeader) -> Result<(), AppendError> {
    let invalid = |what: String| Err(AppendError::InvalidRecord(what));
    if header.base_offset != 0 {
        return invalid(format!("base offset of a sent batch must be 0, not {}", header.base_offset));
    }
    if header.count == 0 {
        return invalid("record batch without records".to_owned());
    }
    if i64::from(header.last_offset_delta) + 1 != i64::from(header.count) {
        return invalid(format!("record batch of {} records has last offset delta {}", header.count, header.last_offset_delta));
    }
    if header.is_control() {
        return invalid("clients may not write control records".to_owned());
    }
    if header.producer_id > NO_PRODUCER && header.base_sequence < 0 {
        return invalid(format!("sequence {} with producer id {}", header.base_sequence, header.producer_id));
    }
    if header.is_transactional() && header.producer_id <= NO_PRODUCER {
        return invalid("transactional record batch without a producer id".to_owned());
    }
    if header.delete_horizon().is_some() {
        return invalid("clients may not set a delete horizon".to_owned());
    }
    if header.size <= HEADER_BYTES { invalid("record batch without records".to_owned()) } else { Ok(()) }
}

fn check_records(header: &BatchHeader, batch: &[u8], limits: Limits) -> Result<i64, AppendError> {
    let unfolded = limits.max_bytes.saturating_mul(USUAL_RATIO).clamp(USUAL_UNFOLDED_BYTES, MAX_UNFOLDED_BYTES);
    let mut records = Records::within(*header, batch, unfolded).map_err(refuse)?;
    let (mut expected, mut max_timestamp) = (0, -1);
    while let Some(record) = records.next_outline().map_err(refuse)? {
        if record.offset != expected {
            return Err(AppendError::InvalidRecord(format!("record {expected} has offset delta {}", record.offset)));
        }
        if limits.keys_required && !record.has_key {
            return Err(AppendError::InvalidRecord(format!("record {expected} has no key, which a compacted topic needs")));
        }
        if let Some((oldest, newest)) = limits.timestamps
            && !(oldest..=newest).contains(&record.timestamp)
            && record.timestamp != -1
        {
            return Err(AppendError::InvalidTimestamp(format!(
                "timestamp {} of record {expected} is outside of {oldest}..={newest}",
                record.timestamp
            )));
        }
        max_timestamp = max_timestamp.max(record.timestamp);
        expected += 1;
    }
    Ok(max_timestamp)
}

fn refuse(error: RecordsError) -> AppendError {
    match error {
        RecordsError::UnknownCompression(kind) => AppendError::UnsupportedCompression(kind),
        RecordsError::Decompress(_) => AppendError::CorruptMessage(error.to_string()),
        RecordsError::Malformed { .. } => AppendError::InvalidRecord(error.to_string()),
    }
}
