//! Writing: checks, offsets, the file, what follows for readers.

use std::io;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{Appended, Marker, PartitionLog, State, View, Writer};
use crate::broker::log::batch::{BatchHeader, ControlRecord, HEADER_BYTES, Limits, marker_batch, validate};
use crate::broker::log::segment::Active;
use crate::broker::log::{AppendError, TopicConfig};

/// A segment is closed when so many transactions were aborted in it, so that lists of them stay short.
const MAX_ABORTED_PER_SEGMENT: usize = 50_000;

impl PartitionLog {
    /// Checks a client's batch (exactly one, format 2), gives it offsets and writes it. Not yet on disk: see [`PartitionLog::acknowledge`].
    pub fn append(&self, records: Bytes) -> Result<Appended, AppendError> {
        let config = self.config();
        let now = self.settings.now_ms();
        let sent = validate(&records, limits(&config, now))?;
        let mut writer = self.writer();
        writer.check_open()?;
        if let Some(before) = writer.producers.check(&sent)? {
            let log_append_time = if config.log_append_time { before.timestamp } else { -1 };
            let log_start = self.view().log_start;
            return Ok(Appended { base_offset: before.base_offset, last_offset: before.last_offset, log_append_time, log_start });
        }
        let mut header = sent;
        header.leader_epoch = self.leader_epoch();
        if config.log_append_time {
            header.set_log_append_time(now);
        }
        self.roll_if_due(&mut writer, &config, header.size, header.max_timestamp, now)?;
        header.base_offset = self.view().end();
        let body = &records[HEADER_BYTES..];
        let resealed =
            (header.attributes, header.max_timestamp) != (sent.attributes, BatchHeader::read(&records).map_or(-1, |h| h.max_timestamp));
        let bytes = if resealed { header.sealed(body) } else { header.bytes() };
        self.write(&mut writer, &bytes, body)?;
        writer.producers.record(&header, now);
        let log_start = self.written(&mut writer, &header, None, now);
        let log_append_time = if config.log_append_time { now } else { -1 };
        Ok(Appended { base_offset: header.base_offset, last_offset: header.last_offset(), log_append_time, log_start })
    }

    /// Says that the coordinator knows this partition to be part of the producer's transaction. A transactional batch without it (and without
    /// an open transaction here) is refused with INVALID_TXN_STATE. Not remembered over a restart: the coordinator says it again.
    pub fn begin_transaction(&self, producer_id: i64, epoch: i16) {
        self.writer().producers.announce(producer_id, epoch);
    }

    /// Ends a producer's transaction here; returns the marker's offset. Fences older epochs, also when no transaction is open. The marker is
    /// on disk after [`PartitionLog::flush`] of the offset behind it.
    pub fn append_marker(&self, producer_id: i64, epoch: i16, marker: Marker, coordinator_epoch: i32) -> Result<i64, AppendError> {
        let config = self.config();
        let now = self.settings.now_ms();
        let mut writer = self.writer();
        writer.check_open()?;
        writer.producers.check_marker(producer_id, epoch, coordinator_epoch)?;
        let batch = |offset| {
            let batch = marker_batch(producer_id, epoch, marker, coordinator_epoch, offset, now);
            batch.map_err(|source| AppendError::Storage { action: "making a marker", source })
        };
        self.roll_if_due(&mut writer, &config, batch(0)?.len(), now, now)?;
        let batch = batch(self.view().end())?;
        let header = BatchHeader::read(&batch).ok_or_else(|| AppendError::CorruptMessage("a marker is no batch".to_owned()))?;
        self.write(&mut writer, &batch, &[])?;
        let control = match marker {
            Marker::Commit => ControlRecord::Commit { coordinator_epoch },
            Marker::Abort => ControlRecord::Abort { coordinator_epoch },
        };
        self.written(&mut writer, &header, Some(control), now);
        Ok(header.base_offset)
    }

    /// All of it, or nothing and an error.
    fn write(&self, writer: &mut Writer, header: &[u8], body: &[u8]) -> Result<(), AppendError> {
        let (file, size) = {
            let view = self.view();
            (view.active.file.clone(), view.active.summary.size)
        };
        let storage = |action| move |source| AppendError::Storage { action, source };
        if writer.torn {
            file.cut(size).map_err(storage("cutting off a half-written batch"))?;
            writer.torn = false;
        }
        let Err(source) = file.write(header, body) else { return Ok(()) };
        if source.kind() == io::ErrorKind::NotFound && writer.state == State::Deleted {
            return Err(AppendError::Deleted);
        }
        writer.torn = file.cut(size).is_err();
        tracing::warn!(partition = %self.name, error = %source, "records could not be written; the log is as it was before");
        Err(AppendError::Storage { action: "writing records", source })
    }

    /// Lets readers see what was written.
    fn written(&self, writer: &mut Writer, header: &BatchHeader, control: Option<ControlRecord>, now: i64) -> i64 {
        writer.unchecked_bytes += header.size as u64;
        self.appended_bytes.fetch_add(header.size as u64, Ordering::SeqCst);
        let mut view = self.view_mut();
        let Active { summary, index, .. } = &mut view.active;
        if let Some(control) = control {
            index.aborted.extend(writer.producers.end(header, control, now));
        }
        index.add(summary, header, now);
        view.last_stable = view.stable(&writer.producers.first_open());
        self.publish(&view);
        view.log_start
    }

    fn roll_if_due(&self, writer: &mut Writer, config: &TopicConfig, size: usize, timestamp: i64, now: i64) -> Result<(), AppendError> {
        let due = {
            let active = &self.view().active;
            let summary = &active.summary;
            // By the records' time where there is one, as Kafka does it: so that segments of old records are not kept for ever.
            let age =
                if summary.first_timestamp >= 0 { timestamp.saturating_sub(summary.first_timestamp) } else { now - summary.created_ms };
            let full = summary.size + size as u64 > config.segment_bytes || active.index.aborted.len() >= MAX_ABORTED_PER_SEGMENT;
            summary.size > 0 && (full || age > config.segment_ms)
        };
        if due { self.roll(writer, now) } else { Ok(()) }
    }

    /// Closes the active segment, unless it is empty, and begins the next.
    pub(super) fn roll(&self, writer: &mut Writer, now: i64) -> Result<(), AppendError> {
        let mut rolled = || -> io::Result<()> {
            if self.view().active.summary.size == 0 {
                return Ok(());
            }
            let (file, size, end, index) = {
                let view = self.view();
                (view.active.file.clone(), view.active.summary.size, view.end(), view.active.index.encode(&view.active.summary))
            };
            if writer.torn {
                file.cut(size)?;
                writer.torn = false;
            }
            std::fs::write(file.index_path()?, index)?;
            let next = Active::create(&self.dir, end, &self.files, now)?;
            if let Err(error) = self.settings.sync_dir(&self.dir) {
                // A start would take it for the end of the log, while the old segment is written on.
                std::fs::remove_file(next.file.log_path()?)?;
                return Err(error);
            }
            let mut view = self.view_mut();
            let closed = std::mem::replace(&mut view.active, next).closed();
            view.closed.push(closed.into());
            Ok(())
        };
        rolled().map_err(|source| AppendError::Storage { action: "beginning a segment", source })
    }
}

impl View {
    pub(super) fn stable(&self, first_open: &Option<i64>) -> i64 {
        first_open.unwrap_or(self.end()).max(self.log_start)
    }
}

fn limits(config: &TopicConfig, now: i64) -> Limits {
    let oldest = now.saturating_sub(config.timestamp_before_max_ms);
    let newest = now.saturating_add(config.timestamp_after_max_ms);
    Limits {
        max_bytes: config.max_message_bytes,
        segment_bytes: usize::try_from(config.segment_bytes).unwrap_or(usize::MAX),
        keys_required: config.compact,
        timestamps: (!config.log_append_time).then_some((oldest, newest)),
    }
}
