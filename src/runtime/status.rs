//! What the instance tells of itself: its state, its tasks and their lag. Threads write, HTTP and metrics read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::lag_history::{LagHistory, LagReport, LagVerdict};
use crate::clock::Clock;
use crate::metrics::{LagRow, StatusSource, TaskCount};
use crate::record::{Timestamp, TopicPartition};
use crate::topology::TaskId;

/// The instance's state, in Kafka Streams' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Kafka has not been reached yet, or topics are being checked.
    Created,
    /// Tasks are being given, opened or restored.
    Rebalancing,
    /// All tasks given to this instance run.
    Running,
    /// Told to stop; commits and leaves.
    PendingShutdown,
    /// Something cannot go on; nothing is processed any more.
    Error(String),
}

const STATES: &[&str] = &["created", "rebalancing", "running", "pending_shutdown", "error"];

impl InstanceState {
    /// A stable word.
    pub fn name(&self) -> &'static str {
        match self {
            InstanceState::Created => STATES[0],
            InstanceState::Rebalancing => STATES[1],
            InstanceState::Running => STATES[2],
            InstanceState::PendingShutdown => STATES[3],
            InstanceState::Error(_) => STATES[4],
        }
    }
}

/// A task token that this instance holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Its partition of the task log.
    pub token: i32,
    /// The task; `None` when this program does not know the token.
    pub task: Option<TaskId>,
    /// `active`, `restoring` or `unknown`.
    pub state: &'static str,
    /// The thread that holds it.
    pub thread: String,
}

#[derive(Default)]
struct Inner {
    /// The first cause, and when that was by the clock on the wall.
    error: Option<(String, Timestamp)>,
    /// Why Kafka was not ready when it was last tried.
    waits_for: Option<String>,
    joined: bool,
    stopping: bool,
    rejoin: bool,
    rival: bool,
    /// By thread; `None` until the thread has its first assignment.
    threads: BTreeMap<String, Option<Vec<TaskRow>>>,
    /// By thread.
    lag: BTreeMap<String, Vec<LagRow>>,
    /// Of tasks that do not run and can be read as they were last.
    outdated: BTreeMap<TaskId, Vec<LagRow>>,
    /// When Kafka was last heard: since the process' start, and by the clock on the wall.
    heard: Option<(Duration, Timestamp)>,
    /// Also of partitions that have just been closed: they are often opened again.
    histories: BTreeMap<TopicPartition, LagHistory>,
    /// Their records were deleted before they were processed.
    lost: BTreeSet<TopicPartition>,
}

/// Kafka that has not been heard for so long is away: more than two heartbeats of the members topic, each of which is read back.
const AWAY_AFTER: Duration = Duration::from_secs(5);

impl Inner {
    /// The rows of all partitions that can be read here, and since when nothing is known of each.
    fn lag_rows(&self, now: Duration) -> impl Iterator<Item = (&LagRow, Option<Timestamp>)> {
        let away_since = self.heard.and_then(|(at, wall)| (now > at + AWAY_AFTER).then_some(wall));
        // Whoever runs the tasks now, this instance hears nothing of them any more, though it hears from Kafka.
        let failed_at = self.error.as_ref().map(|(_, wall)| *wall);
        let silent_since = move |row: &LagRow| row.silent_since.or(away_since).into_iter().chain(failed_at).min();
        self.lag.values().flatten().chain(self.outdated.values().flatten()).map(move |row| (row, silent_since(row)))
    }
}

/// The figures of one instance. Cheap to clone.
#[derive(Clone)]
pub struct InstanceStatus {
    inner: Arc<Mutex<Inner>>,
    /// When a task last processed a record, in milliseconds; 0: never.
    worked_at_ms: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
}

impl InstanceStatus {
    /// An instance that has just been created.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        InstanceStatus { inner: Arc::default(), worked_at_ms: Arc::default(), clock }
    }

    /// A task has processed records.
    pub fn note_work(&self, now: Duration) {
        self.worked_at_ms.store(now.as_millis() as u64 + 1, Ordering::Relaxed);
    }

    /// Whether a task has processed records within a time before now.
    pub fn is_at_work(&self, now: Duration, within: Duration) -> bool {
        match self.worked_at_ms.load(Ordering::Relaxed) {
            0 => false,
            at => now.as_millis() as u64 <= at + within.as_millis() as u64,
        }
    }

    /// Topics are there, the threads start.
    pub fn set_joining(&self, threads: impl IntoIterator<Item = String>) {
        let mut inner = self.lock();
        inner.joined = true;
        inner.threads = threads.into_iter().map(|name| (name, None)).collect();
    }

    /// Kafka is not ready; it will be tried again.
    pub fn set_waiting(&self, cause: impl Into<String>) {
        self.lock().waits_for = Some(cause.into());
    }

    /// Why it is still [`Created`](InstanceState::Created), as far as is known.
    pub fn waits_for(&self) -> Option<String> {
        let inner = self.lock();
        inner.waits_for.clone().filter(|_| !inner.joined)
    }

    /// Some thread shall leave the group and join again: tasks are without an owner, or there are new tokens.
    pub fn request_rejoin(&self) {
        self.lock().rejoin = true;
    }

    /// Whether a rejoin was requested; true once a request.
    pub fn take_rejoin(&self) -> bool {
        std::mem::take(&mut self.lock().rejoin)
    }

    /// Whether another living process with this instance's id is heard of.
    pub fn set_rival(&self, is_heard: bool) {
        self.lock().rival = is_heard;
    }

    /// As it was last told.
    pub fn has_rival(&self) -> bool {
        self.lock().rival
    }

    /// It has been told to stop.
    pub fn set_stopping(&self) {
        self.lock().stopping = true;
    }

    /// It cannot go on; the first cause stays. What is behind its tasks grows from now on.
    pub fn set_error(&self, cause: impl Into<String>) {
        let now = self.clock.now();
        self.lock().error.get_or_insert_with(|| (cause.into(), now));
    }

    /// A thread's tasks as they are now.
    pub fn set_tasks(&self, thread: &str, rows: Vec<TaskRow>) {
        self.lock().threads.insert(thread.to_string(), Some(rows));
    }

    /// A thread's partitions as they are now.
    pub fn set_lag(&self, thread: &str, rows: Vec<LagRow>) {
        let now = self.clock.monotonic();
        let mut inner = self.lock();
        for row in &rows {
            inner.histories.entry(TopicPartition::new(row.topic.clone(), row.partition)).or_default().observe(row, now);
        }
        let Inner { histories, lag, outdated, .. } = &mut *inner;
        outdated.retain(|task, _| !rows.iter().any(|row| names(&row.task, task)));
        lag.insert(thread.to_string(), rows);
        // One whose thread says nothing any more stays: that is what its age tells.
        let is_here = |partition: &TopicPartition| lag.values().flatten().any(|row| is_of(row, partition));
        histories.retain(|partition, history| !history.is_old(now) || is_here(partition));
    }

    /// Kafka has taken what this instance wrote, and gave it back.
    pub fn heard_from_kafka(&self) {
        let heard = (self.clock.monotonic(), self.clock.now());
        self.lock().heard = Some(heard);
    }

    /// A task does not run any more, and can be read as it was last: what is behind it grows from now on.
    pub fn outdate(&self, task: &TaskId) {
        let now = self.clock.now();
        let mut inner = self.lock();
        // A lost task may have been somebody else's since the last heartbeat that came through.
        let since = inner.heard.map_or(now, |(_, at)| at);
        let rows = inner.lag.values().flatten().filter(|row| names(&row.task, task));
        let rows: Vec<LagRow> = rows.map(|row| LagRow { silent_since: Some(since), ..row.clone() }).collect();
        if !rows.is_empty() {
            inner.lag.values_mut().for_each(|kept| kept.retain(|row| !names(&row.task, task)));
            inner.outdated.insert(task.clone(), rows);
        }
    }

    /// A task that was outdated cannot be read here any more.
    pub fn forget_outdated(&self, task: &TaskId) {
        self.lock().outdated.remove(task);
    }

    /// A partition's log does not reach back to the position.
    pub fn set_lost(&self, partition: TopicPartition) {
        self.lock().lost.insert(partition);
    }

    /// Each partition's lag, and what it means.
    pub fn lag_reports(&self) -> Vec<LagReport> {
        let now = self.clock.monotonic();
        let inner = self.lock();
        let is_stopped = inner.error.is_some() || inner.stopping;
        let report = |(row, silent_since): (&LagRow, Option<Timestamp>)| {
            let partition = TopicPartition::new(row.topic.clone(), row.partition);
            let (verdict, eta_seconds) = match inner.histories.get(&partition) {
                _ if inner.lost.contains(&partition) => (Some(LagVerdict::Lost), None),
                _ if is_stopped => (Some(LagVerdict::Stopped), None),
                _ if silent_since.is_some() => (None, None),
                Some(history) => history.judge(now),
                None => (None, None),
            };
            LagReport { row: LagRow { silent_since, ..row.clone() }, verdict, eta_seconds }
        };
        inner.lag_rows(now).map(report).collect()
    }

    /// The state now.
    pub fn state(&self) -> InstanceState {
        let inner = self.lock();
        match &inner.error {
            Some((cause, _)) => InstanceState::Error(cause.clone()),
            None if inner.stopping => InstanceState::PendingShutdown,
            None if !inner.joined => InstanceState::Created,
            None if inner.threads.values().all(|rows| rows.as_ref().is_some_and(|rows| rows.iter().all(|r| r.state != "restoring"))) => {
                InstanceState::Running
            }
            None => InstanceState::Rebalancing,
        }
    }

    /// All tokens that this instance holds.
    pub fn tasks(&self) -> Vec<TaskRow> {
        self.lock().threads.values().flatten().flatten().cloned().collect()
    }

    /// The largest lag of a task's partitions; `None` when one is not known. While Kafka is away, while the task does not run, and
    /// from an error on, it grows with the clock.
    pub fn task_lag(&self, task: &TaskId) -> Option<Duration> {
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        let inner = self.lock();
        let rows = inner.lag_rows(monotonic).filter(|(row, _)| names(&row.task, task));
        let lag_ms = |(row, silent): (&LagRow, Option<Timestamp>)| match silent {
            Some(since) => Some(row.silent_ms(now, since)),
            None => row.lag_ms(now),
        };
        let largest_ms = rows.map(lag_ms).reduce(|a, b| Some(a?.max(b?)))??;
        Some(Duration::from_millis(largest_ms as u64))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a text is a task's name. Asked for every read, so nothing is allocated.
fn names(text: &str, task: &TaskId) -> bool {
    let partition = text.strip_prefix(&*task.subtopology).and_then(|rest| rest.strip_prefix('_'));
    partition.and_then(|partition| partition.parse().ok()) == Some(task.partition)
}

fn is_of(row: &LagRow, partition: &TopicPartition) -> bool {
    row.partition == partition.partition && row.topic == partition.topic
}

impl StatusSource for InstanceStatus {
    fn lag(&self) -> Vec<LagRow> {
        let now = self.clock.monotonic();
        self.lock().lag_rows(now).map(|(row, silent_since)| LagRow { silent_since, ..row.clone() }).collect()
    }

    fn tasks(&self) -> Vec<TaskCount> {
        let tasks = InstanceStatus::tasks(self);
        let count = |state| TaskCount { role: "active", state, count: tasks.iter().filter(|row| row.state == state).count() };
        ["active", "restoring", "unknown"].map(count).to_vec()
    }

    fn state(&self) -> (&'static str, &'static [&'static str]) {
        (InstanceStatus::state(self).name(), STATES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::record::Offset;

    const SECOND: Duration = Duration::from_secs(1);

    fn at_its_end(task: &TaskId) -> LagRow {
        LagRow {
            topic: "t".into(),
            partition: task.partition,
            task: task.to_string(),
            views: Arc::new([]),
            position: Offset(5),
            committed: Offset(5),
            log_start: None,
            end: Some(Offset(5)),
            next_record_time: None,
            reached: None,
            waiting_since: None,
            silent_since: None,
        }
    }

    #[test]
    fn a_task_at_its_end_lags_by_as_much_as_kafka_is_away() {
        let clock = Arc::new(ManualClock::default());
        let status = InstanceStatus::new(clock.clone());
        let task = TaskId { subtopology: "t".into(), partition: 1 };
        let lag = || status.task_lag(&task);
        assert_eq!(lag(), None, "nothing is known yet");
        status.set_lag("stream-1", vec![at_its_end(&task)]);
        status.heard_from_kafka();
        clock.advance(AWAY_AFTER);
        assert_eq!(lag(), Some(Duration::ZERO), "a late heartbeat is no silence");
        clock.advance(SECOND);
        status.set_lag("stream-1", vec![at_its_end(&task)]);
        assert_eq!(lag(), Some(AWAY_AFTER + SECOND), "the thread knows no better than Kafka told it");
        assert_eq!(status.lag_reports()[0].verdict, None);
        status.heard_from_kafka();
        assert_eq!(lag(), Some(Duration::ZERO));
    }

    #[test]
    fn a_task_that_does_not_run_lags_since_kafka_was_last_heard_until_it_runs_again() {
        let clock = Arc::new(ManualClock::default());
        let status = InstanceStatus::new(clock.clone());
        let task = TaskId { subtopology: "t".into(), partition: 1 };
        let lag = || status.task_lag(&task);
        status.set_lag("stream-1", vec![at_its_end(&task)]);
        status.heard_from_kafka();
        clock.advance(SECOND);
        status.outdate(&task);
        status.set_lag("stream-1", Vec::new());
        clock.advance(SECOND);
        assert_eq!(lag(), Some(SECOND * 2));
        status.outdate(&task);
        status.heard_from_kafka();
        clock.advance(SECOND);
        assert_eq!(lag(), Some(SECOND * 3), "it is not heard of the task");
        status.set_lag("stream-2", vec![at_its_end(&task)]);
        assert_eq!(lag(), Some(Duration::ZERO));
        status.outdate(&task);
        status.forget_outdated(&task);
        assert_eq!(lag(), None);
    }

    #[test]
    fn after_an_error_tasks_lag_since_then_though_kafka_is_heard() {
        let clock = Arc::new(ManualClock::default());
        let status = InstanceStatus::new(clock.clone());
        let tasks = [1, 2].map(|partition| TaskId { subtopology: "t".into(), partition });
        let lags = || tasks.each_ref().map(|task| status.task_lag(task));
        for (thread, task) in ["stream-1", "stream-2"].into_iter().zip(&tasks) {
            status.set_lag(thread, vec![at_its_end(task)]);
        }
        status.heard_from_kafka();
        clock.advance(SECOND);
        status.set_error("poison");
        clock.advance(SECOND);
        status.set_error("another");
        // One thread is gone without a word, the other leaves in order.
        status.outdate(&tasks[1]);
        status.set_lag("stream-2", Vec::new());
        status.heard_from_kafka();
        clock.advance(SECOND * 3_600);
        status.heard_from_kafka();
        assert_eq!(lags(), [Some(SECOND * 3_601), Some(SECOND * 3_602)]);
        assert!(status.lag_reports().iter().all(|report| report.verdict == Some(LagVerdict::Stopped)));
        assert!(StatusSource::lag(&status).iter().all(|row| row.silent_since.is_some()));
    }
}
