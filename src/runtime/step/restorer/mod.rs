//! Opens tasks: finds the last marker, decides how to start, reads changelogs, makes indexes and fills stores that are new.
//!
//! ```text
//!  Locate ──► ReadLog ──► decide ──► Restore ──► Tail ──► Index ──► Replay ──► opened
//!  committed   task log     │        changelogs   behind   new       new
//!  offset      to its end   └► refused            marker   indexes   stores
//! ```
//!
//! A machine like the stream thread: each step does one piece of work and tells how long to wait before the next. It runs on a
//! thread of its own, because it asks Kafka questions that take time.

mod changelogs;
mod kept_place;
mod locate;
mod pace;
mod rebuilding;
mod remaining;
mod replaying;
mod tail;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, TryRecvError};

use self::changelogs::{MAX_COLLECTED_BYTES, Restoring};
use self::locate::ReadingLog;
use self::pace::Pace;
use self::replaying::Replaying;
use self::tail::ReadingTail;
use super::restore_error::{Failure, RestoreError};
use super::{OpenRequest, Opened, OpenedTask};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::ports::{ChangelogReader, Located};
use crate::record::{Offset, TopicPartition};
use crate::runtime::InstanceStatus;
use crate::state::{Marker, StateDirectory, TaskDatabase, TaskLease};
use crate::task::{Fill, IndexBuild, LogTail, PlannedStore, RebuildReason, TaskPlan};

/// How long a restorer without work waits for a request before it looks whether anybody is left to ask.
const IDLE_WAIT: Duration = Duration::from_secs(1);

/// How long one read of a source waits.
const READ_WAIT: Duration = Duration::from_millis(100);

/// How often one opening rebuilds its database before a person must look.
const MAX_REBUILDS: u32 = 3;

/// How long a restorer waits when nothing has come for any of its tasks: what comes ends the wait, but a request does not.
const NOTHING_HERE_WAIT: Duration = Duration::from_millis(10);

/// How far an opening is.
enum Stage {
    /// The last marker must be located.
    Locate,
    /// It was asked where the task log is to be read.
    Located(Located),
    /// The task log is read to its stable end.
    ReadLog(Box<ReadingLog>),
    /// Changelogs are read up to what the marker names.
    Restore(Box<Restoring>),
    /// Changelogs are read from there to their ends.
    Tail(Box<ReadingTail>),
    /// Indexes are made.
    Index(VecDeque<IndexBuild>, Box<Half>),
    /// Sources are replayed for stores that are new.
    Replay(Box<Replaying>),
}

/// A task whose rows are here.
struct Half {
    lease: TaskLease,
    /// What is being rebuilt beside the task's own database.
    beside: Option<Arc<TaskDatabase>>,
    /// The last marker of the task, if it ever committed.
    marker: Option<Marker>,
    /// Stores that the marker does not name, with the end of what their changelogs hold of an earlier time.
    new_stores: Vec<(PlannedStore, Option<Offset>)>,
    /// What stands behind the marker; `None` while that was not read.
    tail: Option<LogTail>,
}

/// What was found of the task log.
#[derive(Default)]
struct FoundLog {
    /// How far it was read.
    end: Offset,
    /// The last marker was written without a transaction.
    without_transaction: bool,
}

impl Half {
    /// The database that will be the task's.
    fn database(&self) -> &Arc<TaskDatabase> {
        self.beside.as_ref().unwrap_or_else(|| self.lease.database())
    }
}

struct Job {
    request: OpenRequest,
    stage: Stage,
    log: FoundLog,
    failures: u32,
    /// Why all rows are read again.
    rebuild: Option<RebuildReason>,
    rebuilds: u32,
}

impl Job {
    fn new(request: OpenRequest) -> Self {
        Job { request, stage: Stage::Locate, log: FoundLog::default(), failures: 0, rebuild: None, rebuilds: 0 }
    }

    /// It has begun, and holds what no second job for its token may have.
    fn has_begun(&self) -> bool {
        !matches!(self.stage, Stage::Locate)
    }

    /// It takes CPU and disk, rather than answers of Kafka.
    fn is_heavy(&self) -> bool {
        matches!(self.stage, Stage::Restore(_) | Stage::Index(..) | Stage::Replay(_))
    }

    /// Holds index rows that are not written yet.
    fn builds_index(&self) -> bool {
        matches!(&self.stage, Stage::Index(pending, _) if pending.front().is_some_and(IndexBuild::has_begun))
    }

    fn restoring(&self) -> Option<&Restoring> {
        match &self.stage {
            Stage::Restore(restoring) => Some(restoring),
            _ => None,
        }
    }
}

/// Opens tasks, one piece of work a step.
pub struct StateRestorer<R> {
    reader: R,
    directory: StateDirectory,
    task_log: Arc<str>,
    requests: Receiver<OpenRequest>,
    jobs: VecDeque<Job>,
    /// So many turns in a row brought nothing.
    idle_turns: usize,
    /// How many serve the requests, this one included.
    restorers: usize,
    max_collected_bytes: usize,
    pace: Pace,
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
        StateRestorer {
            task_log: task_log.into(),
            jobs: VecDeque::new(),
            pace: Pace::default(),
            idle_turns: 0,
            restorers: 1,
            max_collected_bytes: MAX_COLLECTED_BYTES,
            reader,
            directory,
            requests,
            clock,
            metrics,
        }
    }

    /// It serves its requests beside others, and uses its part of the memory.
    pub fn one_of(self, restorers: usize) -> Self {
        let restorers = restorers.max(1);
        StateRestorer { restorers, max_collected_bytes: MAX_COLLECTED_BYTES / restorers, ..self }
    }

    /// It takes a part of its time only while tasks of this instance are at work.
    pub fn paced_by(self, status: InstanceStatus) -> Self {
        StateRestorer { pace: Pace::by(status), ..self }
    }

    /// Does a piece of work; answers how long to wait before the next, `None` when all senders of requests are gone.
    pub fn step(&mut self) -> Option<Duration> {
        // Its share of what came at once; the other restorers take theirs.
        for _ in 0..self.requests.len().div_ceil(self.restorers).max(1) {
            match self.requests.try_recv() {
                Ok(request) => self.jobs.push_back(Job::new(request)),
                Err(TryRecvError::Empty) => break,
                // Nobody is left to take an answer.
                Err(TryRecvError::Disconnected) => return None,
            }
        }
        let began = self.clock.monotonic();
        let rest = self.pace.rest(began);
        // Locating goes on while heavy work rests: it is short, and somebody waits for the task.
        // One index at a time: each holds many rows in memory.
        let building = self.jobs.iter().any(Job::builds_index);
        let may_work = |job: &Job| rest.is_zero() && (!building || job.builds_index());
        let at = self.jobs.iter().position(|job| !job.is_heavy() || may_work(job) || job.request.opening.is_cancelled());
        let Some(mut job) = at.and_then(|at| self.jobs.remove(at)) else {
            return Some(if self.jobs.is_empty() { IDLE_WAIT } else { rest });
        };
        if job.request.opening.is_cancelled() {
            self.let_go(&job);
            return Some(Duration::ZERO);
        }
        let heavy = job.is_heavy();
        let advanced = self.advance(&mut job);
        if heavy && !matches!(advanced, Err(Failure::NothingHere)) {
            self.pace.worked(began, &*self.clock);
        }
        self.idle_turns = if matches!(advanced, Err(Failure::NothingHere)) { self.idle_turns + 1 } else { 0 };
        let mut wait = Duration::ZERO;
        match advanced {
            Ok(None) => self.jobs.push_back(job),
            Ok(Some(opened)) => self.answer(job, Ok(opened)),
            Err(Failure::NothingHere) => {
                self.jobs.push_back(job);
                if self.idle_turns >= self.jobs.len() {
                    wait = NOTHING_HERE_WAIT;
                }
            }
            Err(Failure::Later) => {
                job.failures += 1;
                // The others get their turn; a single one does not spin.
                wait = Duration::from_millis(if self.jobs.is_empty() { u64::from(job.failures.min(10)) * 10 } else { 1 });
                self.jobs.push_back(job);
            }
            Err(Failure::Rebuild(reason)) if job.rebuilds < MAX_REBUILDS => {
                self.let_go(&job);
                (job.stage, job.rebuild, job.rebuilds) = (Stage::Locate, Some(reason), job.rebuilds + 1);
                self.jobs.push_back(job);
            }
            Err(failure) => {
                let error = match failure {
                    Failure::Final(error) => error,
                    Failure::Later | Failure::NothingHere | Failure::Rebuild(_) => RestoreError::DamagedAgain,
                };
                self.let_go(&job);
                self.metrics.processing.task_starts.with_label_values(&["refused"]).inc();
                self.answer(job, Err(error));
            }
        }
        Some(wait)
    }

    /// Waits as a step asked for. Without work a request ends the wait, with work what comes from Kafka does.
    pub fn wait(&mut self, at_most: Duration) {
        if !self.jobs.is_empty() {
            // Only a broken client refuses; its next call says so.
            if let Err(error) = self.reader.wait(at_most.min(NOTHING_HERE_WAIT)) {
                tracing::warn!(%error, "waiting for changelogs");
            }
        } else if let Ok(request) = self.requests.recv_timeout(at_most) {
            self.jobs.push_back(Job::new(request));
        }
    }

    fn answer(&mut self, job: Job, result: Result<Opened, RestoreError>) {
        let Job { request: OpenRequest { opening, reply, wake, .. }, .. } = job;
        // The thread may be gone; then the lease goes back with the message.
        let _ = reply.try_send(OpenedTask { opening, result });
        wake();
    }

    /// Stops reading for a job that ends early.
    fn let_go(&mut self, job: &Job) {
        let open: Vec<TopicPartition> = match &job.stage {
            Stage::Locate | Stage::Located(_) | Stage::Index(..) => Vec::new(),
            Stage::ReadLog(_) => vec![self.token_partition(job)],
            Stage::Restore(restoring) => restoring.open_changelogs().cloned().collect(),
            Stage::Tail(reading) => reading.open_changelog().cloned().into_iter().collect(),
            Stage::Replay(replaying) => replaying.open_sources().cloned().collect(),
        };
        open.iter().for_each(|partition| self.reader.close(partition));
    }

    fn token_partition(&self, job: &Job) -> TopicPartition {
        TopicPartition::new(self.task_log.clone(), job.request.opening.token)
    }

    /// Another job holds this one's token.
    fn is_taken(&self, job: &Job) -> bool {
        self.jobs.iter().any(|other| other.has_begun() && other.request.opening.token == job.request.opening.token)
    }

    /// One piece of work for a job; answers the task when it is open. A stage that fails for now is left as it was.
    fn advance(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let is_taken = self.is_taken(job);
        match &mut job.stage {
            // Another thread of this process that has lost the token, and does not know it yet, lets go when it hears of it.
            Stage::Locate if is_taken => Err(Failure::Later),
            Stage::Locate => self.locate(job),
            Stage::Located(located) => {
                let located = *located;
                self.open_log(job, located)
            }
            Stage::ReadLog(_) => self.read_log(job),
            Stage::Restore(restoring) if !restoring.is_done() => self.restore_some(job),
            Stage::Restore(_) => self.finish_restore(job),
            Stage::Tail(reading) if !reading.is_done() => self.read_tail(job),
            Stage::Tail(_) => self.finish_tail(job),
            Stage::Index(..) => self.index_some(job),
            Stage::Replay(replaying) if !replaying.is_done() => self.replay_some(job),
            Stage::Replay(_) => self.finish_replay(job),
        }
    }

    /// The rows are here: what is derived from them comes next.
    fn begin_index(&mut self, job: &mut Job, half: Half) -> Result<Option<Opened>, Failure> {
        if half.tail.is_none() && Self::needs_tail(job) {
            return self.begin_tail(job, half);
        }
        let pending = IndexBuild::pending(&job.request.plan, half.lease.database())?;
        job.stage = Stage::Index(pending, Box::new(half));
        Ok(None)
    }

    fn index_some(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let Stage::Index(pending, half) = &mut job.stage else { return Ok(None) };
        if let Some(build) = pending.front_mut() {
            crate::faults::point("restore-index-step");
            if build.step(half.database())? {
                tracing::info!(task = job.request.plan.name(), indexes = ?build.names(), "indexes are whole");
                pending.pop_front();
            }
            return Ok(None);
        }
        let must_replay = half.marker.is_some() && !half.new_stores.is_empty();
        // Two tasks may read the same partition, which the reader opens once.
        if must_replay && self.jobs.iter().any(|other| matches!(other.stage, Stage::Replay(_))) {
            return Err(Failure::Later);
        }
        let Stage::Index(_, half) = std::mem::replace(&mut job.stage, Stage::Locate) else { return Ok(None) };
        match must_replay {
            true => self.begin_replay(job, *half),
            false => self.opened(job, *half, None).map(Some),
        }
    }

    /// The task is open.
    fn opened(&mut self, job: &Job, half: Half, fill: Option<Fill>) -> Result<Opened, Failure> {
        crate::faults::point("restore-opened");
        let plan = &job.request.plan;
        let origin = &plan.origin(&job.request.facts);
        half.lease.database().set_origin(origin)?;
        let next = self.next_offsets(plan, half.marker.as_ref())?;
        Ok(Opened { lease: half.lease, next, lineage: uuid::Uuid::new_v4(), fill, tail: half.tail.unwrap_or_default() })
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
