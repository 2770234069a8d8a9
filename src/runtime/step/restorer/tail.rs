//! Reading what stands in changelogs behind the offsets that the last marker names, where transactions do not hide it.

use std::collections::VecDeque;

use super::{Failure, Half, Job, Opened, READ_WAIT, Stage, StateRestorer};
use crate::ports::ChangelogReader;
use crate::record::{Offset, TopicPartition};
use crate::runtime::step::Guarantee;
use crate::task::{LogTail, PlannedStore};

/// The tails of a task's changelogs, one after the other.
pub(super) struct ReadingTail {
    half: Half,
    tail: LogTail,
    /// What was not read yet, and from where on.
    stores: VecDeque<(PlannedStore, Offset)>,
    /// The changelog at the front is open.
    reading: bool,
}

impl ReadingTail {
    pub(super) fn is_done(&self) -> bool {
        self.stores.is_empty()
    }

    pub(super) fn open_changelog(&self) -> Option<&TopicPartition> {
        self.stores.front().filter(|_| self.reading).map(|(store, _)| &store.changelog)
    }

    /// The changelog at the front was read up to its end.
    fn ended(&mut self, end: Offset, guarantee: Guarantee) {
        if let Some((store, _)) = self.stores.pop_front()
            && guarantee == Guarantee::AtLeastOnce
        {
            self.tail.changelog_ends(&store.name, end);
        }
    }
}

impl<R: ChangelogReader> StateRestorer<R> {
    /// Transactions leave nothing behind a marker that anybody sees.
    pub(super) fn needs_tail(job: &Job) -> bool {
        job.request.guarantee == Guarantee::AtLeastOnce || job.log.without_transaction
    }

    /// The rows up to the marker are here.
    pub(super) fn begin_tail(&mut self, job: &mut Job, half: Half) -> Result<Option<Opened>, Failure> {
        let mut tail = LogTail::default();
        if job.request.guarantee == Guarantee::AtLeastOnce {
            tail.markers_end(job.log.end);
            if !job.log.without_transaction {
                tail.announce();
            }
        }
        let last = |store: &PlannedStore| half.marker.as_ref().and_then(|marker| marker.changelogs.get(&store.name).copied().flatten());
        // Those that are new are read to their ends in any case, and filled.
        let is_new = |store: &PlannedStore| half.new_stores.iter().any(|(new, _)| new.name == store.name);
        let stores = job.request.plan.stores.iter().filter(|store| !is_new(store));
        let stores = stores.map(|store| (store.clone(), last(store).map_or(Offset(0), Offset::next))).collect();
        job.stage = Stage::Tail(Box::new(ReadingTail { half, tail, stores, reading: false }));
        Ok(None)
    }

    pub(super) fn read_tail(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let guarantee = job.request.guarantee;
        let Stage::Tail(reading) = &mut job.stage else { return Ok(None) };
        let Some((store, from)) = reading.stores.front().cloned() else { return Ok(None) };
        if !reading.reading {
            let bounds = self.reader.bounds(&store.changelog)?;
            if bounds.end <= from {
                reading.ended(bounds.end, guarantee);
                return Ok(None);
            }
            self.reader.open(&store.changelog, from)?;
            reading.reading = true;
        }
        let chunk = self.reader.read(&store.changelog, READ_WAIT)?;
        for record in chunk.records.iter().filter(|record| record.offset >= from) {
            reading.tail.note_unfinished(store.column, record.key.as_deref().unwrap_or_default());
        }
        if !chunk.at_end {
            return Ok(None);
        }
        // A transaction may be open: of a process that still works, or did, under the other guarantee.
        if self.reader.bounds(&store.changelog)?.end > chunk.position {
            return Err(Failure::Later);
        }
        self.reader.close(&store.changelog);
        reading.reading = false;
        reading.ended(chunk.position, guarantee);
        Ok(None)
    }

    pub(super) fn finish_tail(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let Stage::Tail(done) = std::mem::replace(&mut job.stage, Stage::Locate) else { return Ok(None) };
        let ReadingTail { mut half, tail, .. } = *done;
        if tail.unfinished() > 0 {
            tracing::info!(
                task = job.request.plan.name(),
                rows = tail.unfinished(),
                "changelogs have rows behind the last marker; its next commit writes over them"
            );
        }
        half.tail = Some(tail);
        self.begin_index(job, half)
    }
}
