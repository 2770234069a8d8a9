//! Finding the last marker of a task, and deciding how it starts.

use std::time::Duration;

use super::changelogs::Restoring;
use super::rebuilding::OpenedDatabase;
use super::remaining::Remaining;
use super::{Failure, FoundLog, Half, Job, Opened, Stage, StateRestorer};
use crate::faults::{Sabotage, Sabotaged};
use crate::ports::{ChangelogReader, Chunk, Located, LogBounds};
use crate::record::{Offset, Timestamp, TopicPartition};
use crate::runtime::step::{Guarantee, RestoreError};
use crate::state::{Marker, Origin, RestoreProgress, TaskPosition};
use crate::task::{LogView, PlannedStore, RebuildReason, StartDecision, StartRefusal, TaskPlan, decide_start, refuse_origin};

/// The task log as far as it was read.
pub(super) struct ReadingLog {
    committed: Option<Offset>,
    /// As they were told last.
    bounds: LogBounds,
    from: Offset,
    position: Offset,
    marker: Option<(Offset, Marker)>,
    /// What stands beside the marker.
    origin: Origin,
    /// That marker was written without a transaction.
    without_transaction: bool,
}

impl ReadingLog {
    /// It was read up to the end that was told last, and no transaction was open then.
    fn is_whole(&self) -> bool {
        self.bounds.stable_end == self.bounds.end && self.position == self.bounds.end
    }

    fn take_markers(&mut self, token: &TopicPartition, chunk: crate::ports::Chunk) -> Result<(), RestoreError> {
        for record in chunk.records.iter().filter(|record| record.key.as_deref() == Some(Marker::KEY)) {
            let read = Marker::decode(record.value.as_deref().unwrap_or_default());
            let failed = |e: crate::codec::CodecError| RestoreError::Marker {
                partition: token.clone(),
                offset: record.offset,
                detail: e.to_string(),
            };
            self.marker = Some((record.offset, read.map_err(failed)?));
            self.origin = record.headers.last(Origin::KEY).map(Origin::decode).unwrap_or_default();
            self.without_transaction = record.headers.last(Guarantee::HEADER.0) == Some(Guarantee::HEADER.1);
        }
        self.position = chunk.position.max(self.position);
        Ok(())
    }
}

impl<R: ChangelogReader> StateRestorer<R> {
    /// Asks where the last marker of a task lies, and of all others that wait for the same.
    pub(super) fn locate(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let mut logs = vec![self.token_partition(job)];
        let mut others = Vec::new();
        for (at, other) in self.jobs.iter().enumerate() {
            let log = self.token_partition(other);
            if matches!(other.stage, Stage::Locate) && !self.is_taken(other) && !logs.contains(&log) {
                logs.push(log);
                others.push(at);
            }
        }
        let mut answers = self.reader.locate(&logs).into_iter();
        let own = answers.next();
        for (at, answer) in others.into_iter().zip(answers) {
            // What failed is asked again when its turn comes.
            if let Ok(located) = answer {
                self.jobs[at].stage = Stage::Located(located);
            }
        }
        self.open_log(job, own.ok_or(Failure::Later)??)
    }

    pub(super) fn open_log(&mut self, job: &mut Job, Located { committed, bounds }: Located) -> Result<Option<Opened>, Failure> {
        if committed.is_some_and(|offset| bounds.end < offset) {
            job.stage = Stage::Locate;
            return self.start(job, LogView { committed, marker: None, bounds }, Origin::default());
        }
        let from = committed.map_or(Offset(0), |offset| Offset((offset.0 - 1).max(0))).max(bounds.start);
        self.reader.open_within(&self.token_partition(job), from)?;
        job.stage = Stage::ReadLog(Box::new(ReadingLog {
            committed,
            bounds,
            from,
            position: from,
            marker: None,
            origin: Origin::default(),
            without_transaction: false,
        }));
        Ok(None)
    }

    pub(super) fn read_log(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let token = self.token_partition(job);
        let Stage::ReadLog(log) = &mut job.stage else { return Ok(None) };
        let chunk = self.reader.read(&token, Duration::ZERO)?;
        let (at_end, nothing) = (chunk.at_end, chunk.records.is_empty());
        let chunk = sabotage_chunk(job.request.sabotaged, log.marker.is_some(), chunk);
        log.take_markers(&token, chunk)?;
        if !at_end {
            return if nothing { Err(Failure::NothingHere) } else { Ok(None) };
        }
        // A marker may lie above the last stable offset, for an instant after its commit or while somebody's transaction
        // is open; and the committed offset may be an older one than its, since a late copy can move it back.
        if !log.is_whole() {
            log.bounds = self.reader.bounds(&token)?;
            if log.position < log.bounds.stable_end || log.bounds.stable_end < log.bounds.end {
                return Err(Failure::Later);
            }
        }
        let bounds = log.bounds;
        self.reader.close(&token);
        if log.marker.is_none() && log.from > bounds.start {
            // A late offset commit of an aborted transaction pointed at its marker: the last one lies further back.
            self.reader.open_within(&token, bounds.start)?;
            (log.from, log.position) = (bounds.start, bounds.start);
            return Ok(None);
        }
        job.log = FoundLog { end: log.position, without_transaction: log.without_transaction };
        let (view, origin) = (LogView { committed: log.committed, marker: log.marker.take(), bounds }, std::mem::take(&mut log.origin));
        job.stage = Stage::Locate;
        crate::faults::point("restore-log-read");
        self.start(job, view, origin)
    }

    fn start(&mut self, job: &mut Job, log: LogView, log_origin: Origin) -> Result<Option<Opened>, Failure> {
        let plan = job.request.plan.clone();
        let name = plan.name();
        if let Some(refusal) = refuse_origin(&log_origin, &plan.origin(&job.request.facts)) {
            return Err(Failure::Final(refusal.into()));
        }
        // Held by another thread of this process until that has closed the task.
        let Some(found) = self.look_at_database(job, &log)? else { return Err(Failure::Later) };
        let outdated = self.outdated_at(&plan, &job.request.facts);
        let decision = sabotage_decision(job.request.sabotaged, decide_start(found.local(), &log, outdated));
        let decision = match (decision, job.rebuild) {
            (StartDecision::UseAsIs | StartDecision::CatchUp, Some(reason)) => StartDecision::Rebuild(reason),
            (decision, _) => decision,
        };
        crate::faults::point("restore-decided");
        tracing::debug!(task = name, ?decision, "start decided");
        let uses_as_is = decision == StartDecision::UseAsIs;
        if !uses_as_is && !matches!(decision, StartDecision::Refuse(_)) {
            job.request.hide();
        }
        let (decided, opened) = match decision {
            StartDecision::UseAsIs => ("as_is", found.use_it()?),
            StartDecision::CatchUp => ("catch_up", found.use_it()?),
            StartDecision::RestoreAll => ("restore", self.without_leftovers(job, found.use_it()?, &log, outdated)?),
            StartDecision::FirstStart => {
                let opened = found.use_it()?;
                if let Some(RestoreProgress { sequence: local, .. }) = opened.lease.database().restore_progress()? {
                    // Rows without a position are local state too.
                    return Err(Failure::Final(StartRefusal::LocalWithoutLog { local }.into()));
                }
                ("first_start", opened)
            }
            StartDecision::Rebuild(reason) => {
                let Some(opened) = self.begin_rebuild(job, found, reason)? else { return Err(Failure::Later) };
                (if reason == RebuildReason::Foreign { "set_aside" } else { "rebuild" }, opened)
            }
            StartDecision::Refuse(refusal) => return Err(Failure::Final(refusal.into())),
        };
        let OpenedDatabase { lease, beside, position: local } = opened;
        let Some((marker_offset, marker)) = log.marker else {
            self.metrics.processing.task_starts.with_label_values(&[decided]).inc();
            let marker = self.kept_place(job)?;
            let new_stores = marker.as_ref().map_or(Ok(Vec::new()), |marker| self.new_stores(&plan, marker))?;
            return self.begin_index(job, Half { lease, beside, marker, new_stores, tail: None });
        };
        check_sources(&plan, &marker)?;
        // Without transactions the marker comes first, and a process may have ended before it committed the offset.
        if log.committed != Some(marker_offset.next()) && !job.log.without_transaction {
            tracing::warn!(task = name, committed = ?log.committed, marker = %marker_offset, "the last marker is not where the committed offset points; the marker counts");
        }
        let new_stores = self.new_stores(&plan, &marker)?;
        let begun = beside.as_ref().unwrap_or(lease.database()).restore_progress()?.filter(|begun| continues(begun, &marker, outdated));
        let known = plan.stores.iter().filter_map(|store| Remaining::known(store, local.as_ref(), begun.as_ref(), &marker));
        let known: Vec<Remaining> = known.collect();
        self.check_bounds(&known)?;
        let left_over = new_stores.iter().filter_map(|(store, last)| Some(Remaining::whole(store, (*last)?, local.as_ref())));
        let remaining = known.into_iter().chain(left_over).filter(|_| !job.request.sabotaged.is(Sabotage::RestoreNothing)).collect();
        let now = self.clock.now();
        let progress = RestoreProgress {
            lineage: marker.lineage,
            sequence: marker.sequence,
            began_at: begun.as_ref().map_or(now, |begun| begun.began_at),
            next: begun.map(|begun| begun.next).unwrap_or_default(),
        };
        let target = (!uses_as_is).then(|| TaskPosition { marker: marker.clone(), marker_offset, applied_at: now });
        let half = Half { lease, beside, marker: Some(marker), new_stores, tail: None };
        job.stage = Stage::Restore(Box::new(Restoring::new(&plan, half, target, progress, remaining, &self.metrics)?));
        self.metrics.processing.task_starts.with_label_values(&[decided]).inc();
        Ok(None)
    }

    /// A changelog whose first records were deleted does not hold the rows that they brought (compaction never moves a log's start), and one
    /// that ends before the task begins to read is torn.
    fn check_bounds(&mut self, remaining: &[Remaining]) -> Result<(), Failure> {
        for (changelog, from) in remaining.iter().map(Remaining::needs) {
            let bounds = self.reader.bounds(changelog)?;
            if bounds.end < from {
                tracing::error!(%changelog, %from, end = %bounds.end, "changelog ends before the local position; read once more from its beginning");
                return Err(Failure::Rebuild(RebuildReason::Torn));
            }
            if bounds.start > from {
                return Err(Failure::Final(RestoreError::Beheaded { partition: changelog.clone(), start: bounds.start, from }));
            }
        }
        Ok(())
    }

    /// A database without rows of a restore that cannot be continued: those that were deleted since would stay.
    fn without_leftovers(
        &mut self,
        job: &Job,
        opened: OpenedDatabase,
        log: &LogView,
        outdated: Option<Timestamp>,
    ) -> Result<OpenedDatabase, Failure> {
        let database = opened.lease.database();
        let plan = &job.request.plan;
        // Progress that led to a torn changelog leads there again.
        let may = job.rebuild.is_none();
        let continues = |begun: RestoreProgress| log.marker.as_ref().is_some_and(|(_, marker)| may && continues(&begun, marker, outdated));
        if database.restore_progress()?.is_some_and(continues) || !database.has_rows(plan.row_columns())? {
            return Ok(opened);
        }
        tracing::warn!(task = plan.name(), "rows of an earlier restore that cannot be continued are removed");
        let new = self.directory.start_over(opened.lease, &plan.name(), &plan.columns(), false)?;
        Ok(OpenedDatabase { lease: new, beside: None, position: None })
    }

    /// The stores that the marker does not name: added since, or not filled to the end. With each the last offset of its changelog,
    /// if an earlier time left something there.
    fn new_stores(&mut self, plan: &TaskPlan, marker: &Marker) -> Result<Vec<(PlannedStore, Option<Offset>)>, Failure> {
        let removed = marker.changelogs.keys().filter(|name| plan.stores.iter().all(|store| store.name != **name));
        removed.for_each(|store| {
            tracing::warn!(task = plan.name(), store, "the topology does not have this store any more; its changelog stays")
        });
        let mut new = Vec::new();
        for store in plan.stores.iter().filter(|store| !marker.changelogs.contains_key(&store.name)) {
            let bounds = self.reader.bounds(&store.changelog)?;
            new.push((store.clone(), (bounds.end > bounds.start).then(|| Offset(bounds.end.0 - 1))));
        }
        Ok(new)
    }
}

/// Whether rows of a restore that was not finished may stay: of this history, and so young that the changelogs still have the tombstones
/// of all rows that were deleted since.
fn continues(begun: &RestoreProgress, marker: &Marker, outdated: Option<Timestamp>) -> bool {
    begun.lineage == marker.lineage && outdated.is_none_or(|outdated| begun.began_at > outdated)
}

/// A source that is new begins at its beginning; one that is gone would leave rows that nothing explains.
fn check_sources(plan: &TaskPlan, marker: &Marker) -> Result<(), RestoreError> {
    let removed = marker.sources.keys().find(|read| plan.source_partitions().all(|planned| planned != *read));
    removed.map_or(Ok(()), |found| Err(RestoreError::SourceRemoved { found: found.clone() }))
}

/// A wrong decision, on purpose.
fn sabotage_decision(sabotaged: Sabotaged, right: StartDecision) -> StartDecision {
    match right {
        StartDecision::CatchUp if sabotaged.is(Sabotage::UseStaleState) => StartDecision::UseAsIs,
        StartDecision::CatchUp if sabotaged.is(Sabotage::WipeOnCatchUp) => StartDecision::Rebuild(RebuildReason::Foreign),
        StartDecision::Refuse(StartRefusal::LocalAhead { .. }) if sabotaged.is(Sabotage::TakeIndefiniteForCommitted) => {
            StartDecision::Rebuild(RebuildReason::Foreign)
        }
        StartDecision::Refuse(_) if sabotaged.is(Sabotage::StartAnyway) => StartDecision::FirstStart,
        right => right,
    }
}

/// A part of the task log, without later markers if that is the sabotage.
fn sabotage_chunk(sabotaged: Sabotaged, has_marker: bool, mut chunk: Chunk) -> Chunk {
    if sabotaged.is(Sabotage::TrustCommittedOffset) {
        chunk.records.truncate(usize::from(!has_marker));
    }
    chunk
}
