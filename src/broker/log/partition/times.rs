//! Offsets by time: ListOffsets.

use std::io;
use std::sync::Arc;

use super::read::Window;
use super::{Isolation, PartitionLog, TimedOffset};
use crate::broker::log::ReadError;
use crate::broker::log::batch::{BatchHeader, Records};
use crate::broker::log::segment::Scanner;

impl PartitionLog {
    /// The first record that is not older than `timestamp` (ms), if a reader of that isolation may see it.
    pub fn offset_for_time(&self, timestamp: i64, isolation: Isolation) -> Result<Option<TimedOffset>, ReadError> {
        let upper = self.progress().upper(isolation);
        let found = self.first_not_older(timestamp)?;
        Ok(found.filter(|found| found.offset < upper))
    }

    /// The first record with the greatest timestamp.
    pub fn max_timestamp(&self) -> Result<Option<TimedOffset>, ReadError> {
        let greatest = {
            let view = self.view();
            let closed = view.closed.iter().map(|segment| segment.summary.max_timestamp);
            closed.chain([view.active.summary.max_timestamp]).max().unwrap_or(-1)
        };
        if greatest < 0 { Ok(None) } else { self.first_not_older(greatest) }
    }

    fn first_not_older(&self, timestamp: i64) -> Result<Option<TimedOffset>, ReadError> {
        let (log_start, candidates) = {
            let view = self.view();
            let closed = view.closed.iter().map(|segment| (segment.base_offset, segment.summary.max_timestamp));
            let all = closed.chain([(view.active.base_offset, view.active.summary.max_timestamp)]);
            let not_older = all.filter(|(_, max)| *max >= timestamp).map(|(base, _)| base);
            (view.log_start, not_older.collect::<Vec<_>>())
        };
        for base_offset in candidates {
            let in_active = |index: &crate::broker::log::segment::SegmentIndex| index.position_of_time(timestamp);
            let window = self.window(base_offset, |closed| Ok(in_active(&*closed.file.index()?)), |view| in_active(&view.active.index));
            let found = match window {
                None => Ok(None),
                Some(window) => window.and_then(|window| scan(&window, timestamp, log_start)),
            };
            match found {
                Ok(None) => {}
                // Deleted or replaced meanwhile; what is left of it lies in a later one, or is compacted away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(found) => return Ok(found),
                Err(source) => return Err(ReadError::Storage { action: "looking for a time", source }),
            }
        }
        Ok(None)
    }
}

fn scan(window: &Window, timestamp: i64, log_start: i64) -> io::Result<Option<TimedOffset>> {
    let mut scanner = Scanner::new(Arc::clone(&window.file).open()?, window.from, window.limit);
    while let Some(header) = scanner.peek()? {
        if header.max_timestamp >= timestamp && header.last_offset() >= log_start {
            let found = in_batch(header, scanner.batch(&header)?, timestamp, log_start);
            if found.is_some() {
                return Ok(found);
            }
        }
        scanner.skip(&header);
    }
    Ok(None)
}

fn in_batch(header: BatchHeader, batch: &[u8], timestamp: i64, log_start: i64) -> Option<TimedOffset> {
    let mut records = Records::new(header, batch).ok()?;
    while let Ok(Some(record)) = records.next_outline() {
        if record.timestamp >= timestamp && record.offset >= log_start {
            return Some(TimedOffset { offset: record.offset, timestamp: record.timestamp });
        }
    }
    None
}
