//! The restorer: opens tasks. It locates the last marker, decides how to start, and reads changelogs into the database.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, TryRecvError};
use uuid::Uuid;

use super::restore_error::{Failure, RestoreError};
use super::{OpenRequest, OpenedTask};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::ports::ChangelogReader;
use crate::record::{Offset, TopicPartition};
use crate::state::{Batch, Marker, StateDirectory, TaskLease, TaskPosition};
use crate::task::{LogView, PlannedStore, StartDecision, TaskPlan, decide_start};

/// How long a restorer without work waits for a request before it looks whether anybody is left to ask.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// How far an opening is.
enum Stage {
    /// The last marker must be located.
    Locate,
    /// The task log is read to its stable end.
    ReadLog { committed: Option<Offset>, from: Offset, position: Offset, marker: Option<(Offset, Marker)> },
    /// Changelogs are read up to the target.
    Restore(Box<Restoring>),
}

/// Changelogs are read up to what a marker names.
struct Restoring {
    lease: TaskLease,
    target: TaskPosition,
    /// What remains: the store, where to go on, and the last offset to apply.
    remaining: VecDeque<Remaining>,
    /// A changelog is open at the front of `remaining`.
    reading: bool,
    records: u64,
}

struct Remaining {
    store: PlannedStore,
    from: Offset,
    last: Offset,
    /// It was read from its beginning already because its end lay below the marker's offset.
    whole: bool,
}

struct Job {
    request: OpenRequest,
    stage: Stage,
    failures: u32,
}

/// Opens tasks, one piece of work a step.
pub struct StateRestorer<R> {
    reader: R,
    directory: StateDirectory,
    task_log: Arc<str>,
    requests: Receiver<OpenRequest>,
    jobs: VecDeque<Job>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

impl<R: ChangelogReader> StateRestorer<R> {
    /// A restorer that serves these requests.
    pub fn new(
        reader: R,
        directory: StateDirectory,
        task_log: impl Into<Arc<str>>,
        requests: Receiver<OpenRequest>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        StateRestorer { reader, directory, task_log: task_log.into(), requests, jobs: VecDeque::new(), clock, metrics }
    }

    /// Does a piece of work; answers how long to wait before the next, `None` when all senders of requests are gone.
    pub fn step(&mut self) -> Option<Duration> {
        loop {
            match self.requests.try_recv() {
                Ok(request) => self.jobs.push_back(Job { request, stage: Stage::Locate, failures: 0 }),
                Err(TryRecvError::Empty) => break,
                // Nobody is left to take an answer.
                Err(TryRecvError::Disconnected) => return None,
            }
        }
        let Some(mut job) = self.jobs.pop_front() else {
            return Some(IDLE_WAIT);
        };
        if job.request.opening.is_cancelled() {
            self.let_go(&job);
            return Some(Duration::ZERO);
        }
        let mut wait = Duration::ZERO;
        match self.advance(&mut job) {
            Ok(None) => self.jobs.push_back(job),
            Ok(Some(opened)) => self.answer(job, Ok(opened)),
            Err(Failure::Later) => {
                job.failures += 1;
                // The others get their turn; a single one does not spin.
                wait = Duration::from_millis(if self.jobs.is_empty() { u64::from(job.failures.min(10)) * 10 } else { 1 });
                self.jobs.push_back(job);
            }
            Err(Failure::Final(error)) => {
                self.let_go(&job);
                self.metrics.task_starts.with_label_values(&["refused"]).inc();
                self.answer(job, Err(error));
            }
        }
        Some(wait)
    }

    /// Waits as a step asked for; a request ends the wait.
    pub fn wait(&mut self, at_most: Duration) {
        if let Ok(request) = self.requests.recv_timeout(at_most) {
            self.jobs.push_back(Job { request, stage: Stage::Locate, failures: 0 });
        }
    }

    fn answer(&mut self, job: Job, result: Result<(TaskLease, Vec<Offset>, Uuid), RestoreError>) {
        let Job { request: OpenRequest { opening, reply, wake, .. }, .. } = job;
        // The thread may be gone; then the lease goes back with the message.
        let _ = reply.try_send(OpenedTask { opening, result });
        wake();
    }

    /// Stops reading for a job that ends early.
    fn let_go(&mut self, job: &Job) {
        match &job.stage {
            Stage::Locate => {}
            Stage::ReadLog { .. } => self.reader.close(&self.token_partition(job)),
            Stage::Restore(restoring) if restoring.reading => {
                if let Some(remaining) = restoring.remaining.front() {
                    self.reader.close(&remaining.store.changelog);
                }
            }
            Stage::Restore(_) => {}
        }
    }

    fn token_partition(&self, job: &Job) -> TopicPartition {
        TopicPartition::new(self.task_log.clone(), job.request.opening.token)
    }

    fn advance(&mut self, job: &mut Job) -> Result<Option<(TaskLease, Vec<Offset>, Uuid)>, Failure> {
        let token = self.token_partition(job);
        match &mut job.stage {
            Stage::Locate => {
                // The offset first: what is read of the log afterwards is at least as new.
                let committed = self.reader.committed(&token)?;
                let bounds = self.reader.bounds(&token)?;
                if committed.is_some_and(|offset| bounds.end < offset) {
                    return self.start(job, LogView { committed, marker: None, bounds });
                }
                let from = committed.map_or(Offset(0), |offset| Offset((offset.0 - 1).max(0)));
                self.reader.open(&token, from)?;
                job.stage = Stage::ReadLog { committed, from, position: from, marker: None };
                Ok(None)
            }
            Stage::ReadLog { committed, from, position, marker } => {
                let chunk = self.reader.read(&token, Duration::from_millis(100))?;
                for record in &chunk.records {
                    if record.key == Marker::KEY {
                        let value = record.value.as_deref().unwrap_or_default();
                        let read = Marker::decode(value).map_err(|e| RestoreError::Marker {
                            partition: token.clone(),
                            offset: record.offset,
                            detail: e.to_string(),
                        })?;
                        *marker = Some((record.offset, read));
                    }
                }
                *position = chunk.position.max(*position);
                if !chunk.at_end {
                    return Ok(None);
                }
                let bounds = self.reader.bounds(&token)?;
                // A marker may lie above the last stable offset, for an instant after its commit or while somebody's transaction
                // is open; and the committed offset may be an older one than its, since a late copy can move it back.
                if *position < bounds.stable_end || bounds.stable_end < bounds.end {
                    return Err(Failure::Later);
                }
                self.reader.close(&token);
                if marker.is_none() && *from > bounds.start {
                    // A late offset commit of an aborted transaction pointed at its marker: the last one lies further back.
                    self.reader.open(&token, bounds.start)?;
                    (*from, *position) = (bounds.start, bounds.start);
                    return Ok(None);
                }
                let log = LogView { committed: *committed, marker: marker.take(), bounds };
                job.stage = Stage::Locate;
                self.start(job, log)
            }
            Stage::Restore(restoring) => {
                if !restoring.remaining.is_empty() {
                    Self::restore_some(&mut self.reader, &self.metrics, restoring)?;
                    return Ok(None);
                }
                let Stage::Restore(done) = std::mem::replace(&mut job.stage, Stage::Locate) else { return Ok(None) };
                let Restoring { lease, target, records, .. } = *done;
                let next = self.next_offsets(&job.request.plan, Some(&target.marker))?;
                lease.database().finish_restore(target)?;
                tracing::info!(task = job.request.plan.name(), records, "task restored");
                Ok(Some((lease, next, Uuid::nil())))
            }
        }
    }

    fn start(&mut self, job: &mut Job, log: LogView) -> Result<Option<(TaskLease, Vec<Offset>, Uuid)>, Failure> {
        let plan = job.request.plan.clone();
        let (name, columns) = (plan.name(), plan.columns());
        // Held by another thread of this process until that has closed the task.
        let Some(mut lease) = self.directory.lease(&name, &columns)? else { return Err(Failure::Later) };
        let mut local = lease.database().position();
        let decision = decide_start(local.as_ref(), &log);
        tracing::debug!(task = name, ?decision, "start decided");
        let decided = match decision {
            StartDecision::UseAsIs => "as_is",
            StartDecision::CatchUp => "catch_up",
            StartDecision::RestoreAll => "restore",
            StartDecision::FirstStart => "first_start",
            StartDecision::SetAside => {
                tracing::error!(task = name, "local state belongs to another history; it is put aside and restored from the changelog");
                let Some(new) = self.directory.start_over(lease, &name, &columns, true)? else { return Err(Failure::Later) };
                (lease, local) = (new, None);
                "set_aside"
            }
            StartDecision::Refuse(refusal) => return Err(Failure::Final(refusal.into())),
        };
        if let Some((offset, marker)) = &log.marker {
            check_stores(&plan, marker)?;
            check_sources(&plan, marker)?;
            if log.committed != Some(offset.next()) {
                tracing::warn!(task = name, committed = ?log.committed, marker = %offset, "the last marker is not where the committed offset points; the marker counts");
            }
        }
        let Some((marker_offset, marker)) = log.marker.filter(|_| decision != StartDecision::UseAsIs) else {
            let next = self.next_offsets(&plan, local.as_ref().map(|position| &position.marker))?;
            self.metrics.task_starts.with_label_values(&[decided]).inc();
            return Ok(Some((lease, next, Uuid::new_v4())));
        };
        let remaining = plan.stores.iter().filter_map(|store| remaining(store, local.as_ref(), &marker)).collect();
        let target = TaskPosition { marker, marker_offset, applied_at: self.clock.now() };
        job.stage = Stage::Restore(Box::new(Restoring { lease, target, remaining, reading: false, records: 0 }));
        self.metrics.task_starts.with_label_values(&[decided]).inc();
        Ok(None)
    }

    /// Applies the next chunk of the changelog at the front.
    fn restore_some(reader: &mut R, metrics: &Metrics, restoring: &mut Restoring) -> Result<(), Failure> {
        let Some(remaining) = restoring.remaining.front_mut() else { return Ok(()) };
        let changelog = remaining.store.changelog.clone();
        if !restoring.reading {
            reader.open(&changelog, remaining.from)?;
            restoring.reading = true;
        }
        let chunk = reader.read(&changelog, Duration::from_millis(100))?;
        let mut batch = Batch::default();
        for record in chunk.records.iter().filter(|record| record.offset <= remaining.last) {
            match &record.value {
                Some(value) => batch.put(remaining.store.column, &record.key, value),
                None => batch.delete(remaining.store.column, &record.key),
            }
        }
        if !batch.is_empty() {
            restoring.lease.database().restore(&batch)?;
            restoring.records += batch.len() as u64;
            metrics.restore_records.inc_by(batch.len() as u64);
            metrics.restore_bytes.inc_by(batch.size_bytes() as u64);
        }
        if chunk.position > remaining.last {
            reader.close(&changelog);
            restoring.reading = false;
            restoring.remaining.pop_front();
            return Ok(());
        }
        if chunk.at_end {
            return Self::below_target(reader, restoring);
        }
        Ok(())
    }

    /// The stable log ends before the offset that the marker names: an open transaction holds it back, or the log is torn.
    fn below_target(reader: &mut R, restoring: &mut Restoring) -> Result<(), Failure> {
        let Some(remaining) = restoring.remaining.front_mut() else { return Ok(()) };
        let changelog = remaining.store.changelog.clone();
        let bounds = reader.bounds(&changelog)?;
        if bounds.end > remaining.last {
            return Err(Failure::Later);
        }
        if remaining.whole {
            return Err(RestoreError::Torn { partition: changelog, wanted: remaining.last, end: bounds.end }.into());
        }
        tracing::error!(%changelog, wanted = %remaining.last, end = %bounds.end, "changelog ends before the marker's offset; read once more from its beginning");
        reader.close(&changelog);
        restoring.reading = false;
        remaining.from = Offset(0);
        remaining.whole = true;
        Ok(())
    }

    /// Where each source partition goes on: from the marker, else from the log's beginning.
    fn next_offsets(&mut self, plan: &TaskPlan, marker: Option<&Marker>) -> Result<Vec<Offset>, Failure> {
        plan.source_partitions()
            .map(|partition| match marker.and_then(|marker| marker.sources.get(partition)) {
                Some(next) => Ok(*next),
                None => Ok(self.reader.bounds(partition)?.start),
            })
            .collect()
    }
}

fn remaining(store: &PlannedStore, local: Option<&TaskPosition>, target: &Marker) -> Option<Remaining> {
    let last = target.changelogs.get(&store.name).copied().flatten()?;
    let applied = local.and_then(|position| position.marker.changelogs.get(&store.name).copied().flatten());
    let from = applied.map_or(Offset(0), Offset::next);
    (from <= last).then(|| Remaining { store: store.clone(), from, last, whole: from == Offset(0) })
}

/// A source that is new begins at its beginning; one that is gone would leave rows that nothing explains.
fn check_sources(plan: &TaskPlan, marker: &Marker) -> Result<(), RestoreError> {
    let removed = marker.sources.keys().find(|read| plan.source_partitions().all(|planned| planned != *read));
    removed.map_or(Ok(()), |found| Err(RestoreError::SourceRemoved { found: found.clone() }))
}

fn check_stores(plan: &TaskPlan, marker: &Marker) -> Result<(), RestoreError> {
    let mut wanted: Vec<&str> = plan.stores.iter().map(|store| store.name.as_str()).collect();
    wanted.sort_unstable();
    let found: Vec<&str> = marker.changelogs.keys().map(String::as_str).collect();
    match wanted == found {
        true => Ok(()),
        false => Err(RestoreError::StoresDiffer { found: found.join(", "), wanted: wanted.join(", ") }),
    }
}
