//! Replaying a task's sources for stores that are new: from the beginning of their logs up to where the task stands.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Failure, Half, Job, Opened, READ_WAIT, Stage, StateRestorer};
use crate::ports::{ChangelogReader, LogRecord};
use crate::record::{Offset, TopicPartition};
use crate::runtime::step::RestoreError;
use crate::task::{Fill, InputRecord, Replay};

/// Records that one step processes.
const STEP_RECORDS: usize = 2_000;

/// A replay with what was read for it.
pub(super) struct Replaying {
    half: Half,
    replay: Replay,
    /// In the order of the plan's sources.
    sources: Vec<Source>,
    /// The name of the scratch database.
    scratch: String,
}

/// A source partition that is replayed.
struct Source {
    partition: TopicPartition,
    /// The next offset of the task.
    until: Offset,
    position: Offset,
    open: bool,
    records: VecDeque<LogRecord>,
}

impl Source {
    /// Nothing is left to read.
    fn is_read(&self) -> bool {
        self.position >= self.until
    }
}

impl Replaying {
    pub(super) fn is_done(&self) -> bool {
        self.sources.iter().all(|source| source.is_read() && source.records.is_empty())
    }

    pub(super) fn open_sources(&self) -> impl Iterator<Item = &TopicPartition> {
        self.sources.iter().filter(|source| source.open).map(|source| &source.partition)
    }

    /// The source whose next record is the oldest; `None` while a record may still come that is older.
    fn next(&self) -> Option<usize> {
        let awaited = |source: &Source| source.records.is_empty() && !source.is_read();
        if self.sources.iter().any(awaited) {
            return None;
        }
        let heads = self.sources.iter().enumerate().filter_map(|(at, source)| Some((source.records.front()?.timestamp, at)));
        heads.min().map(|(_, at)| at)
    }
}

impl<R: ChangelogReader> StateRestorer<R> {
    pub(super) fn begin_replay(&mut self, job: &mut Job, half: Half) -> Result<Option<Opened>, Failure> {
        let plan = job.request.plan.clone();
        let scratch = format!("{}.fill", plan.name());
        // A leftover of an attempt that was killed.
        self.directory.remove(&scratch)?;
        let Some(lease) = self.directory.lease(&scratch, &plan.columns())? else { return Err(Failure::Later) };
        let mut sources = Vec::new();
        for partition in plan.source_partitions() {
            let start = self.reader.bounds(partition)?.start;
            let until = half.marker.as_ref().and_then(|marker| marker.sources.get(partition)).copied().unwrap_or(start);
            if start > Offset(0) {
                tracing::warn!(task = plan.name(), %partition, %start, "stores are filled from what the source still has; its beginning is gone");
            }
            sources.push(Source { partition: partition.clone(), until, position: start, open: false, records: VecDeque::new() });
        }
        let stores: Vec<&str> = half.new_stores.iter().map(|(store, _)| store.name.as_str()).collect();
        tracing::info!(task = plan.name(), ?stores, "filling added stores from the sources");
        let beginnings = sources.iter().map(|source| source.position).collect();
        let replay = Replay::new(plan, lease, beginnings).map_err(RestoreError::Task)?;
        job.stage = Stage::Replay(Box::new(Replaying { half, replay, sources, scratch }));
        Ok(None)
    }

    pub(super) fn replay_some(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let Stage::Replay(replaying) = &mut job.stage else { return Ok(None) };
        for source in replaying.sources.iter_mut().filter(|source| source.records.is_empty() && !source.is_read()) {
            Self::read_source(&mut self.reader, source)?;
        }
        crate::faults::point("restore-replay-step");
        for _ in 0..STEP_RECORDS {
            let Some(at) = replaying.next() else { break };
            let Some(record) = replaying.sources[at].records.pop_front() else { break };
            let input = InputRecord {
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                headers: record.headers,
            };
            replaying.replay.process(at, input).map_err(RestoreError::Task)?;
        }
        Ok(None)
    }

    fn read_source(reader: &mut R, source: &mut Source) -> Result<(), Failure> {
        if !source.open {
            reader.open(&source.partition, source.position)?;
            source.open = true;
        }
        let chunk = reader.read(&source.partition, READ_WAIT)?;
        source.position = chunk.position.max(source.position);
        source.records.extend(chunk.records.into_iter().filter(|record| record.offset < source.until));
        if source.is_read() {
            reader.close(&source.partition);
            source.open = false;
        } else if chunk.at_end && source.records.is_empty() {
            // The stable end lies below what the task has read, for an instant after a commit or while a transaction is open.
            return Err(Failure::Later);
        }
        Ok(())
    }

    pub(super) fn finish_replay(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let Stage::Replay(done) = std::mem::replace(&mut job.stage, Stage::Locate) else { return Ok(None) };
        let Replaying { mut half, replay, scratch, .. } = *done;
        let (processed, skipped) = replay.counts();
        tracing::info!(task = job.request.plan.name(), processed, skipped, "sources replayed");
        let database = replay.finish().map_err(RestoreError::Task)?;
        let directory = self.directory.clone();
        let remove_scratch = move || {
            if let Err(error) = directory.remove(&scratch) {
                tracing::warn!(%error, "a scratch database stays on disk");
            }
        };
        let plan = Arc::clone(&job.request.plan);
        let fill = Fill::new(&plan, std::mem::take(&mut half.new_stores), database, remove_scratch);
        self.opened(job, half, Some(fill)).map(Some)
    }
}
