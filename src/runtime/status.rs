//! What the instance tells of itself: its state, its tasks and their lag. Threads write, HTTP and metrics read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::metrics::{LagRow, StatusSource};
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
    joined: bool,
    stopping: bool,
    /// By thread; `None` until the thread has its first assignment.
    threads: BTreeMap<String, Option<Vec<TaskRow>>>,
    /// By thread.
    lag: BTreeMap<String, Vec<LagRow>>,
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
        self.lock().lag.insert(thread.to_string(), rows);
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
        let (name, now) = (task.to_string(), self.clock.now());
        let inner = self.lock();
        let rows: Option<Vec<i64>> = inner.lag.values().flatten().filter(|row| row.task == name).map(|row| row.lag_ms(now)).collect();
        rows?.into_iter().max().map(|ms| Duration::from_millis(ms as u64))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StatusSource for InstanceStatus {
    fn lag(&self) -> Vec<LagRow> {
        self.lock().lag.values().flatten().cloned().collect()
    }

    fn tasks(&self) -> Vec<(&'static str, usize)> {
        let tasks = InstanceStatus::tasks(self);
        ["active", "restoring", "unknown"].map(|state| (state, tasks.iter().filter(|row| row.state == state).count())).to_vec()
    }

    fn state(&self) -> (&'static str, &'static [&'static str]) {
        (InstanceStatus::state(self).name(), STATES)
    }
}
