//! What the instance tells of itself: its state, its tasks and their lag. Threads write, HTTP and metrics read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::lag_history::{LagHistory, LagReport, LagVerdict};
use crate::clock::Clock;
use crate::metrics::{LagRow, StatusSource, TaskCount};
use crate::record::TopicPartition;
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
    error: Option<String>,
    /// Why Kafka was not ready when it was last tried.
    waits_for: Option<String>,
    joined: bool,
    stopping: bool,
    rejoin: bool,
    /// By thread; `None` until the thread has its first assignment.
    threads: BTreeMap<String, Option<Vec<TaskRow>>>,
    /// By thread.
    lag: BTreeMap<String, Vec<LagRow>>,
    /// Also of partitions that have just been closed: they are often opened again.
    histories: BTreeMap<TopicPartition, LagHistory>,
    /// Their records were deleted before they were processed.
    lost: BTreeSet<TopicPartition>,
}

/// The figures of one instance. Cheap to clone.
#[derive(Clone)]
pub struct InstanceStatus {
    inner: Arc<Mutex<Inner>>,
    clock: Arc<dyn Clock>,
}

impl InstanceStatus {
    /// An instance that has just been created.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        InstanceStatus { inner: Arc::default(), clock }
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

    /// It has been told to stop.
    pub fn set_stopping(&self) {
        self.lock().stopping = true;
    }

    /// It cannot go on; the first cause stays.
    pub fn set_error(&self, cause: impl Into<String>) {
        self.lock().error.get_or_insert_with(|| cause.into());
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
        let Inner { histories, lag, .. } = &mut *inner;
        lag.insert(thread.to_string(), rows);
        // One whose thread says nothing any more stays: that is what its age tells.
        let is_here = |partition: &TopicPartition| lag.values().flatten().any(|row| is_of(row, partition));
        histories.retain(|partition, history| !history.is_old(now) || is_here(partition));
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
        let report = |row: &LagRow| {
            let partition = TopicPartition::new(row.topic.clone(), row.partition);
            let (verdict, eta_seconds) = match inner.histories.get(&partition) {
                _ if inner.lost.contains(&partition) => (Some(LagVerdict::Lost), None),
                _ if is_stopped => (Some(LagVerdict::Stopped), None),
                Some(history) => history.judge(now),
                None => (None, None),
            };
            LagReport { row: row.clone(), verdict, eta_seconds }
        };
        inner.lag.values().flatten().map(report).collect()
    }

    /// The state now.
    pub fn state(&self) -> InstanceState {
        let inner = self.lock();
        match &inner.error {
            Some(cause) => InstanceState::Error(cause.clone()),
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

    /// The largest lag of a task's partitions; `None` when one is not known.
    pub fn task_lag(&self, task: &TaskId) -> Option<Duration> {
        let now = self.clock.now();
        let inner = self.lock();
        let rows = inner.lag.values().flatten().filter(|row| names(&row.task, task));
        let largest_ms = rows.map(|row| row.lag_ms(now)).reduce(|a, b| Some(a?.max(b?)))??;
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
        self.lock().lag.values().flatten().cloned().collect()
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
