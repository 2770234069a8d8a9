//! What stream threads and restorers say to each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::channel::Sender;
use uuid::Uuid;

use super::{Guarantee, RestoreError};
use crate::faults::Sabotaged;
use crate::ports::{ClusterFacts, Wake};
use crate::query::ViewRegistry;
use crate::record::Offset;
use crate::state::TaskLease;
use crate::task::{Fill, LogTail, TaskPlan};

/// One ownership of a token. Every assignment is a new one; what is still said about an old one is ignored.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The partition of the task log.
    pub token: i32,
    /// Counts up in each stream thread.
    pub ownership: u64,
    cancelled: Arc<AtomicBool>,
}

impl Opening {
    pub(crate) fn new(token: i32, ownership: u64) -> Self {
        Opening { token, ownership, cancelled: Arc::default() }
    }

    /// The token is not wanted any more.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }
}

/// Open a task, restoring what it lacks.
pub struct OpenRequest {
    /// For which ownership.
    pub opening: Opening,
    /// Which task.
    pub plan: Arc<TaskPlan>,
    /// What the cluster says of the task's topics.
    pub facts: Arc<ClusterFacts>,
    /// How it will commit.
    pub guarantee: Guarantee,
    /// Where the answer goes; has room for one answer of each token.
    pub reply: Sender<OpenedTask>,
    /// Called after answering.
    pub wake: Wake,
    /// Where the task can be read as it was last, until rows are restored into it.
    pub views: ViewRegistry,
    /// A fault on purpose, which a test must find.
    pub sabotaged: Sabotaged,
}

impl OpenRequest {
    /// From now on rows and position of the task's database do not belong together.
    pub(super) fn hide(&self) {
        self.views.hide(&self.plan.id);
    }
}

/// The answer to an [`OpenRequest`].
pub struct OpenedTask {
    /// For which ownership.
    pub opening: Opening,
    /// What the task begins with, or why it must not start.
    pub result: Result<Opened, RestoreError>,
}

/// What a task begins with.
pub struct Opened {
    /// Its database, at the position of the last marker.
    pub lease: TaskLease,
    /// The next offset of each source partition.
    pub next: Vec<Offset>,
    /// For a task that never committed.
    pub lineage: Uuid,
    /// Stores to fill before it goes on.
    pub fill: Option<Fill>,
    /// What stands in its logs behind that marker.
    pub tail: LogTail,
}
