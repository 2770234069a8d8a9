//! Reading: raw batches, with the list of aborted transactions for who wants only what counts.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Isolation, PartitionLog, Progress, ReadResult, ReadRoom, View};
use crate::broker::log::ReadError;
use crate::broker::log::batch::BatchHeader;
use crate::broker::log::segment::{Closed, SegmentFile};

/// Between an index entry and the wanted batch lies at most about so much.
const BEFORE_BYTES: usize = 16 << 10;

/// Part of a segment that can be read.
pub(super) struct Window {
    pub file: Arc<SegmentFile>,
    pub from: u64,
    pub limit: u64,
}

impl PartitionLog {
    /// Batches from `offset` on: as many whole ones as fit into `max_bytes`, but at least one if there is any.
    pub fn read(&self, offset: i64, max_bytes: usize, isolation: Isolation) -> Result<ReadResult, ReadError> {
        self.read_within(offset, ReadRoom { bytes: max_bytes, first_batch: usize::MAX }, isolation)
    }

    /// Batches from `offset` on: as many whole ones as fit; what is returned takes at most twice the memory.
    pub fn read_within(&self, offset: i64, room: ReadRoom, isolation: Isolation) -> Result<ReadResult, ReadError> {
        #[cfg(test)]
        self.files.reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        // A segment may be deleted or replaced between looking it up and opening it; then it is looked up again.
        let mut result = self.try_read(offset, room, isolation);
        for _ in 0..3 {
            match &result {
                Err(ReadError::Storage { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    if self.is_deleted() {
                        return Err(ReadError::Deleted);
                    }
                    result = self.try_read(offset, room, isolation);
                }
                _ => break,
            }
        }
        result
    }

    fn try_read(&self, offset: i64, room: ReadRoom, isolation: Isolation) -> Result<ReadResult, ReadError> {
        let (progress, mut at) = {
            let view = self.view();
            let progress = view.progress();
            if offset < progress.log_start || offset > progress.high_watermark {
                let (start, end) = (progress.log_start, progress.high_watermark);
                return Err(ReadError::OffsetOutOfRange { offset, start, end });
            }
            (progress, view.segment_of(offset))
        };
        let upper = progress.upper(isolation);
        let storage = |source| ReadError::Storage { action: "reading records", source };
        let mut result = ReadResult { records: Bytes::new(), aborted: Vec::new(), progress, too_large: None };
        while offset < upper && result.records.is_empty() && result.too_large.is_none() {
            let Some(window) = self.window(
                at,
                |closed| Ok(closed.file.index()?.position_of_offset(offset)),
                |view| view.active.index.position_of_offset(offset),
            ) else {
                return Err(storage(io::ErrorKind::NotFound.into()));
            };
            let window = window.map_err(storage)?;
            match read_batches(&window, offset, upper, room).map_err(storage)? {
                Batches::Given(records) => result.records = records,
                Batches::TooLarge(size) => result.too_large = Some(size),
            }
            at = match self.view().segment_after(at) {
                Some(next) => next,
                None => break,
            };
        }
        if isolation == Isolation::ReadCommitted && !result.records.is_empty() {
            result.aborted = self.aborted_in(&result.records, offset).map_err(storage)?;
        }
        Ok(result)
    }

    /// What can be read of the segment with that base offset (`None`: it is gone), from where the index says.
    pub(super) fn window(
        &self,
        base_offset: i64,
        closed_at: impl FnOnce(&Closed) -> io::Result<u64>,
        active_at: impl FnOnce(&View) -> u64,
    ) -> Option<io::Result<Window>> {
        let closed = {
            let view = self.view();
            if view.active.base_offset == base_offset {
                let active = &view.active;
                return Some(Ok(Window { file: Arc::clone(&active.file), from: active_at(&view), limit: active.summary.size }));
            }
            let index = view.closed.binary_search_by_key(&base_offset, |segment| segment.base_offset).ok()?;
            Arc::clone(&view.closed[index])
        };
        Some(closed_at(&closed).map(|from| Window { file: Arc::clone(&closed.file), from, limit: closed.summary.size }))
    }

    fn aborted_in(&self, records: &Bytes, offset: i64) -> io::Result<Vec<(i64, i64)>> {
        let (mut found, mut in_active) = (Vec::new(), Vec::new());
        let Some(to) = Headers(records).last().map(|header| header.next_offset()) else { return Ok(found) };
        let closed: Vec<_> = {
            let view = self.view();
            let first = view.segment_of(offset);
            view.active.index.aborted_between(offset, to, &mut in_active);
            view.closed.iter().filter(|segment| segment.base_offset >= first && segment.summary.aborted > 0).map(Arc::clone).collect()
        };
        for segment in closed {
            if segment.file.index()?.aborted_between(offset, to, &mut found) {
                return Ok(found);
            }
        }
        found.extend(in_active);
        Ok(found)
    }
}

impl View {
    /// The base offset of the segment that has an offset, or would have it.
    pub(super) fn segment_of(&self, offset: i64) -> i64 {
        if offset >= self.active.base_offset {
            return self.active.base_offset;
        }
        let after = self.closed.partition_point(|segment| segment.base_offset <= offset);
        self.closed.get(after.saturating_sub(1)).map_or(self.active.base_offset, |segment| segment.base_offset)
    }

    /// The base offset of the segment after that one.
    pub(super) fn segment_after(&self, base_offset: i64) -> Option<i64> {
        let after = self.closed.partition_point(|segment| segment.base_offset <= base_offset);
        let next = self.closed.get(after).map_or(self.active.base_offset, |segment| segment.base_offset);
        (next > base_offset).then_some(next)
    }
}

/// Headers of the whole batches in some bytes.
struct Headers<'a>(&'a [u8]);

impl Iterator for Headers<'_> {
    type Item = BatchHeader;

    fn next(&mut self) -> Option<BatchHeader> {
        let header = BatchHeader::read(self.0)?;
        self.0 = self.0.get(header.size..)?;
        Some(header)
    }
}

/// What a segment has of what was asked for.
enum Batches {
    /// Maybe none.
    Given(Bytes),
    /// The first one, of so many bytes, is more than may be read.
    TooLarge(usize),
}

fn read_batches(window: &Window, offset: i64, upper: i64, room: ReadRoom) -> io::Result<Batches> {
    let file = window.file.open()?;
    let mut from = window.from;
    while from < window.limit {
        let wanted = (room.bytes.saturating_add(BEFORE_BYTES) as u64).min(window.limit - from);
        let bytes = read_at(&file, from, wanted as usize)?;
        let mut start = 0;
        for header in Headers(&bytes) {
            if header.last_offset() >= offset {
                break;
            }
            start += header.size;
        }
        let rest = &bytes[start..];
        let mut size = 0;
        for header in Headers(rest) {
            if header.base_offset >= upper || (size > 0 && size + header.size > room.bytes) {
                return Ok(Batches::Given(part(bytes, start, size)));
            }
            if size == 0 && header.size > room.bytes.max(room.first_batch) {
                return Ok(Batches::TooLarge(header.size));
            }
            size += header.size;
        }
        if size > 0 {
            return Ok(Batches::Given(part(bytes, start, size)));
        }
        from += start as u64;
        if let Some(header) = BatchHeader::read(rest).filter(|header| header.size > rest.len()) {
            if header.last_offset() >= offset {
                return first_batch(&file, from, window.limit, header, upper, room);
            }
            from += header.size as u64;
        } else if start == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no record batch at byte {from} of {}", window.file.log_path()?.display()),
            ));
        }
    }
    Ok(Batches::Given(Bytes::new()))
}

/// A batch that is larger than what was asked for: a reader must get on.
fn first_batch(file: &File, from: u64, limit: u64, header: BatchHeader, upper: i64, room: ReadRoom) -> io::Result<Batches> {
    if header.base_offset >= upper || from + header.size as u64 > limit {
        return Ok(Batches::Given(Bytes::new()));
    }
    if header.size > room.bytes.max(room.first_batch) {
        return Ok(Batches::TooLarge(header.size));
    }
    read_at(file, from, header.size).map(|bytes| Batches::Given(bytes.into()))
}

/// A small part of what was read does not keep all of it in memory.
fn part(bytes: Vec<u8>, start: usize, size: usize) -> Bytes {
    if size < bytes.len() / 2 { Bytes::copy_from_slice(&bytes[start..start + size]) } else { Bytes::from(bytes).slice(start..start + size) }
}

fn read_at(file: &File, from: u64, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}

impl Progress {
    /// Where a reader of that isolation must stop.
    pub fn upper(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::ReadUncommitted => self.high_watermark,
            Isolation::ReadCommitted => self.last_stable,
        }
    }
}
