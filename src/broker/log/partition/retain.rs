//! What may go from the front of a log: by `retention.ms`, `retention.bytes`, and what DeleteRecords asked for.

use std::fs;
use std::io;
use std::sync::{Arc, TryLockError};

use super::{PartitionLog, State};
use crate::broker::log::segment::Closed;
use crate::broker::log::{AppendError, ReadError, TopicConfig};

impl PartitionLog {
    /// Makes `before` (-1: the end) the first offset; returns what it is now. It is on disk then. Space is given back with the next cleaning.
    pub fn delete_records(&self, before: i64) -> Result<i64, ReadError> {
        if !self.config().delete {
            return Err(ReadError::PolicyViolation);
        }
        let mut maintenance = self.maintenance();
        let log_start = {
            let writer = self.writer();
            if writer.state == State::Deleted {
                return Err(ReadError::Deleted);
            }
            let mut view = self.view_mut();
            let (start, end) = (view.log_start, view.end());
            let before = if before == -1 { end } else { before };
            if before < 0 || before > end {
                return Err(ReadError::OffsetOutOfRange { offset: before, start, end });
            }
            view.log_start = start.max(before);
            view.last_stable = view.stable(&writer.producers.first_open());
            self.publish(&view);
            view.log_start
        };
        match self.checkpoint(&mut maintenance) {
            Ok(()) => Ok(log_start),
            Err(AppendError::Storage { action, source }) => Err(ReadError::Storage { action, source }),
            Err(_) => Err(ReadError::Deleted),
        }
    }

    /// Deletes the segments at the front that nobody may read any more; says how many.
    pub(in crate::broker::log) fn retain(&self) -> Result<usize, AppendError> {
        let config = self.config();
        let now = self.settings.now_ms();
        let _cleaning = match self.cleaning.try_lock() {
            Ok(cleaning) => cleaning,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // It is being compacted, which may take long; others must not wait for it.
            Err(TryLockError::WouldBlock) => return Ok(0),
        };
        // On a full disk nothing can be written, but space must be given back all the same.
        let rolled = self.roll_expired(&config, now);
        let count = self.deletable(&config, now);
        if count == 0 {
            return rolled.map(|()| 0);
        }
        let gone = {
            let writer = self.writer();
            writer.check_open()?;
            let mut view = self.view_mut();
            let gone: Vec<Arc<Closed>> = view.closed.drain(..count).collect();
            let first = view.closed.first().map_or(view.active.base_offset, |segment| segment.base_offset);
            view.log_start = view.log_start.max(first);
            view.last_stable = view.stable(&writer.producers.first_open());
            self.publish(&view);
            gone
        };
        // Without a checkpoint the next start reads what is left from its beginning.
        let checkpointed = self.checkpoint_behind(&mut self.maintenance(), &gone);
        let removed: Vec<_> = gone.iter().map(|segment| remove(segment)).collect();
        rolled.and(checkpointed)?;
        let removed: io::Result<()> = removed.into_iter().collect();
        removed.map(|()| count).map_err(|source| AppendError::Storage { action: "deleting a segment", source })
    }

    /// When all records are too old, the last segment goes as well, and for that it must be closed.
    fn roll_expired(&self, config: &TopicConfig, now: i64) -> Result<(), AppendError> {
        let mut writer = self.writer();
        let expired = {
            let view = self.view();
            let by_time = config.delete && config.retention_ms.is_some_and(|ms| now - view.active.summary.largest_timestamp() > ms);
            view.active.summary.size > 0 && (by_time || view.log_start >= view.end())
        };
        if !expired {
            return Ok(());
        }
        writer.check_open()?;
        self.roll(&mut writer, now)
    }

    #[cfg(test)]
    pub(in crate::broker::log) fn roll_now(&self) -> Result<(), AppendError> {
        self.roll(&mut self.writer(), self.settings.now_ms())
    }

    fn deletable(&self, config: &TopicConfig, now: i64) -> usize {
        let view = self.view();
        let mut size = view.size_bytes();
        let too_many = |size: u64, segment: u64| config.retention_bytes.is_some_and(|most| size.saturating_sub(segment) >= most);
        let too_old = |segment: &Closed| config.retention_ms.is_some_and(|ms| now - segment.summary.largest_timestamp() > ms);
        let mut count = 0;
        for (index, segment) in view.closed.iter().enumerate() {
            let next = view.closed.get(index + 1).map_or(view.active.base_offset, |next| next.base_offset);
            let by_policy = config.delete && (too_old(segment) || too_many(size, segment.summary.size));
            if !by_policy && next > view.log_start {
                break;
            }
            size -= segment.summary.size;
            count += 1;
        }
        count
    }
}

fn remove(segment: &Closed) -> io::Result<()> {
    for path in [segment.file.log_path()?, segment.file.index_path()?] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
