//! Reading changelogs into a task's database: those of all its stores side by side.

use super::remaining::Remaining;
use super::{Failure, Half, Job, Opened, Stage, StateRestorer};
use crate::faults::{self, Sabotage, Sabotaged};
use crate::metrics::{Metrics, RestoreMeter};
use crate::ports::ChangelogReader;
use crate::record::TopicPartition;
use crate::runtime::step::RestoreError;
use crate::state::{RestoreProgress, StoreError, TaskPosition};
use crate::task::{RebuildReason, TaskPlan};

/// Changelogs that are open at the same time, of all tasks: each has a queue in memory.
const MAX_OPEN: usize = 16;

/// A turn takes about so much of one changelog of the task that has collected most, and of others: so that each of them is loaded in
/// few, large parts, one after the other, while all come forward.
const TURN_BYTES: (usize, usize) = (4 << 20, 256 << 10);

/// Rows that are collected for loads, of all tasks of the process together; few in tests, so that a load takes several.
pub(super) const MAX_COLLECTED_BYTES: usize = if cfg!(test) { 1 << 10 } else { 64 << 20 };

/// Changelogs are read up to what a marker names.
pub(super) struct Restoring {
    half: Half,
    /// What the database will say of itself afterwards; `None`: it says so already.
    target: Option<TaskPosition>,
    progress: RestoreProgress,
    remaining: Vec<Remaining>,
    /// Whose turn is next.
    turn: usize,
    records: u64,
    bytes: u64,
    meter: RestoreMeter,
}

impl Restoring {
    pub(super) fn new(
        plan: &TaskPlan,
        half: Half,
        target: Option<TaskPosition>,
        progress: RestoreProgress,
        mut remaining: Vec<Remaining>,
        metrics: &Metrics,
    ) -> Result<Self, StoreError> {
        let database = half.database();
        let is_empty = database.position().is_none() && database.restore_progress()?.is_none();
        if target.is_some() && !remaining.is_empty() {
            if database.position().is_none() {
                // Loads leave indexes behind.
                database.forget_other_indexes(&[])?;
            }
            database.begin_restore(&progress)?;
        }
        remaining.iter_mut().try_for_each(|part| part.prepare(plan, database, is_empty))?;
        let meter = metrics.restore.begin(&plan.name(), remaining.iter().map(|part| (part.store.name.as_str(), part.left())));
        Ok(Restoring { half, target, progress, remaining, turn: 0, records: 0, bytes: 0, meter })
    }

    pub(super) fn is_done(&self) -> bool {
        self.remaining.is_empty()
    }

    pub(super) fn open_changelogs(&self) -> impl Iterator<Item = &TopicPartition> {
        self.remaining.iter().filter(|part| part.is_open).map(Remaining::changelog)
    }

    /// Memory of rows that are not written yet.
    pub(super) fn collected_bytes(&self) -> usize {
        self.remaining.iter().map(Remaining::size_bytes).sum()
    }

    /// Writes what one changelog brought.
    fn write(&mut self, at: usize) -> Result<(), StoreError> {
        let written = self.remaining[at].write(self.half.database(), &mut self.progress);
        faults::point("restore-batch-applied");
        written
    }

    /// The one with the most rows that wait to be written.
    fn largest(&self) -> Option<usize> {
        (0..self.remaining.len()).filter(|at| self.remaining[*at].collects()).max_by_key(|at| self.remaining[*at].size_bytes())
    }
}

impl<R: ChangelogReader> StateRestorer<R> {
    /// Takes what one of the task's changelogs has brought; each has its turn.
    pub(super) fn restore_some(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let (mut open, mut collected, mut most) = (0, 0, 0);
        for other in self.jobs.iter().filter_map(Job::restoring) {
            let bytes = other.collected_bytes();
            (open, collected, most) = (open + other.open_changelogs().count(), collected + bytes, most.max(bytes));
        }
        let Stage::Restore(restoring) = &mut job.stage else { return Ok(None) };
        open += restoring.open_changelogs().count();
        for part in restoring.remaining.iter_mut().filter(|part| !part.is_open) {
            if open >= MAX_OPEN {
                break;
            }
            let start = self.reader.open(part.changelog(), part.position)?;
            part.is_open = true;
            if start > part.position {
                // It lost its first records since the start was decided.
                let partition = part.changelog().clone();
                return Err(Failure::Final(RestoreError::Beheaded { partition, start, from: part.position }));
            }
            open += 1;
        }
        let turn_bytes = if restoring.collected_bytes() >= most { TURN_BYTES.0 } else { TURN_BYTES.1 };
        for _ in 0..restoring.remaining.len() {
            restoring.turn = (restoring.turn + 1) % restoring.remaining.len();
            let at = restoring.turn;
            let part = &mut restoring.remaining[at];
            if !part.is_open {
                continue;
            }
            let changelog = part.changelog().clone();
            let reached = self.reader.read_rows(&changelog, turn_bytes, &mut |offset, key, value| part.take(offset, key, value))?;
            if reached.records == 0 && reached.position <= part.position && !reached.at_end {
                continue;
            }
            part.reached(&reached);
            restoring.records += reached.records as u64;
            restoring.bytes += reached.bytes as u64;
            restoring.meter.applied(reached.records, reached.bytes);
            restoring.meter.remaining(&part.store.name, part.left());
            if part.must_be_written() {
                restoring.write(at)?;
            } else if collected + restoring.collected_bytes() > self.max_collected_bytes
                && let Some(largest) = restoring.largest()
            {
                restoring.write(largest)?;
            }
            if restoring.remaining[at].is_read() {
                self.reader.close(&changelog);
                restoring.remaining.remove(at);
            } else if reached.at_end {
                Self::below_target(&mut self.reader, &restoring.remaining[at], job.request.sabotaged)?;
            }
            return Ok(None);
        }
        Err(Failure::NothingHere)
    }

    /// The stable log ends before the offset that the marker names: an open transaction holds it back, or the log is torn.
    fn below_target(reader: &mut R, part: &Remaining, sabotaged: Sabotaged) -> Result<(), Failure> {
        let changelog = part.changelog().clone();
        let mut bounds = reader.bounds(&changelog)?;
        if sabotaged.is(Sabotage::TakeStableEndForEnd) {
            bounds.end = bounds.stable_end;
        }
        if bounds.end > part.last {
            return Err(Failure::Later);
        }
        if part.whole {
            return Err(RestoreError::Torn { partition: changelog, wanted: part.last, end: bounds.end }.into());
        }
        tracing::error!(%changelog, wanted = %part.last, end = %bounds.end, "changelog ends before the marker's offset; read once more from its beginning");
        Err(Failure::Rebuild(RebuildReason::Torn))
    }

    /// Whether somebody has committed since the marker was located: compaction may then have taken rows whose later versions lie behind it, and
    /// what was read is the state of no position. The rows stay; with the later marker they become whole.
    fn went_on_elsewhere(&mut self, job: &Job) -> Result<bool, Failure> {
        let Stage::Restore(restoring) = &job.stage else { return Ok(false) };
        if restoring.target.is_none() {
            return Ok(false);
        }
        let went_on = self.reader.bounds(&self.token_partition(job))?.end > job.log.end;
        if went_on {
            tracing::info!(task = job.request.plan.name(), "the task went on while it was restored here; its last marker is read again");
        }
        Ok(went_on)
    }

    /// All rows are here.
    pub(super) fn finish_restore(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        if self.went_on_elsewhere(job)? {
            job.stage = Stage::Locate;
            return Ok(None);
        }
        let Stage::Restore(done) = std::mem::replace(&mut job.stage, Stage::Locate) else { return Ok(None) };
        let Restoring { mut half, target, records, bytes, meter, .. } = *done;
        faults::point("restore-rows-whole");
        if let Some(target) = target {
            half.database().finish_restore(target)?;
            faults::point("restore-position-written");
            half = self.switch_to_rebuilt(job, half)?;
            let seconds = meter.done().as_secs_f64();
            tracing::info!(task = job.request.plan.name(), records, bytes, seconds, "task restored");
        } else {
            half.database().forget_restore()?;
        }
        self.begin_index(job, half)
    }
}
