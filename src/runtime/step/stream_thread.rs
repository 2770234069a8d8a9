//! One stream thread: its tokens, its tasks, its transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};

use super::active_task::{ActiveTask, Slot};
use super::fence::Fence;
use super::foresight::Foresight;
use super::recent::Recent;
use super::{CommitListener, Guarantee, OpenRequest, Opened, OpenedTask, Opening, PoisonPolicy, Step, ThreadError};
use crate::clock::Clock;
use crate::faults::Sabotaged;
use crate::metrics::{Activity, Metrics, ThreadActivity};
use crate::ports::{ClusterFacts, DataConsumer, Generation, ThreadPorts, Wake};
use crate::processor::Emitted;
use crate::query::{TaskView, ViewRegistry};
use crate::runtime::{InstanceState, InstanceStatus, TokenTable};
use crate::task::{OutputBuffer, Task, TaskPlan};
use crate::topology::{CommitPace, Names, Topology};

/// How a thread works.
#[derive(Clone, Debug)]
pub struct StepSettings {
    /// With or without transactions; the producer must be one of that kind.
    pub guarantee: Guarantee,
    /// A transaction lasts at most this long.
    pub commit_interval: Duration,
    /// When the input runs dry, a transaction is committed at once, but not more often than this.
    pub commit_min_interval: Duration,
    /// Rows that wait for a commit, over all tasks of the thread; more are committed early.
    pub max_dirty_rows: usize,
    /// Records a step processes at most, for each task.
    pub records_per_step: usize,
    /// So long a task that has records waits for its partitions that are at their ends (Kafka Streams' `max.task.idle.ms`). For a
    /// partition whose records are on the broker and not yet here it waits in any case.
    pub max_task_idle: Duration,
    /// What becomes of records that cannot be processed.
    pub poison_policy: PoisonPolicy,
    /// The same for some source topics, by full name.
    pub source_poison_policies: BTreeMap<String, PoisonPolicy>,
    /// What the cluster said of itself and of topics before the thread started.
    pub facts: Arc<ClusterFacts>,
    /// Who hears of committed records here, before they can be read back.
    pub listener: Option<CommitListener>,
    /// A fault on purpose, which a test must find.
    pub sabotaged: Sabotaged,
}

impl Default for StepSettings {
    fn default() -> Self {
        StepSettings {
            guarantee: Guarantee::default(),
            commit_interval: Duration::from_millis(100),
            commit_min_interval: Duration::from_millis(20),
            max_dirty_rows: 20_000,
            records_per_step: 1_000,
            max_task_idle: Duration::ZERO,
            poison_policy: PoisonPolicy::DeadLetter,
            source_poison_policies: BTreeMap::new(),
            facts: Arc::default(),
            listener: None,
            sabotaged: Sabotaged::default(),
        }
    }
}

impl StepSettings {
    pub(super) fn poison_policy_of(&self, topic: &str) -> PoisonPolicy {
        self.source_poison_policies.get(topic).copied().unwrap_or(self.poison_policy)
    }
}

/// Between two transactions, or why none may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A transaction may begin.
    Ready,
    /// The producer must be replaced first.
    ReplaceProducer,
    /// Committed; leaving the group, to join again unless the instance stops.
    Leaving { until: Duration },
    /// Not in the group any more.
    Left,
}

/// The group is polled at least this often while no transaction is open.
pub(super) const MEMBERSHIP_POLL: Duration = Duration::from_millis(100);

/// What a stream thread is made of.
pub struct ThreadParts<P: ThreadPorts> {
    /// `stream-1`, ….
    pub name: String,
    /// The group consumer.
    pub membership: P::Membership,
    /// The consumer of sources.
    pub data: P::Data,
    /// The producer; it is made ready by the thread itself.
    pub producer: P::Producer,
    /// How to work.
    pub settings: StepSettings,
    /// What runs.
    pub topology: Topology,
    /// Names of topics.
    pub names: Names,
    /// What the tokens stand for.
    pub tokens: Arc<TokenTable>,
    /// To the restorer.
    pub restorer: Sender<OpenRequest>,
    /// Where readers look.
    pub views: ViewRegistry,
    /// Where the thread's figures go.
    pub status: InstanceStatus,
    /// Where its counts go.
    pub metrics: Metrics,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Set to stop.
    pub stop: Arc<AtomicBool>,
}

pub(super) type Message<P> = <<P as ThreadPorts>::Data as DataConsumer>::Message;

/// One stream thread as a machine.
pub struct StreamThread<P: ThreadPorts> {
    pub(super) parts: ThreadParts<P>,
    pub(super) task_log: Arc<str>,
    pub(super) slots: BTreeMap<i32, Slot<Message<P>>>,
    pub(super) generation: Option<Generation>,
    /// The group refused it, or has gone on to another: no transaction may begin before the next assignment.
    pub(super) generation_refused: bool,
    pub(super) phase: Phase,
    /// What the producer that is to be replaced may have left open: whoever is given the tasks waits for the end of that.
    pub(super) left_open: bool,
    /// How long a stop waits for that producer to be replaced.
    pub(super) settle_until: Option<Duration>,
    /// When the open transaction began.
    pub(super) transaction: Option<Duration>,
    pub(super) last_commit: Duration,
    /// The most pressing of all that is in the transaction.
    pub(super) pace: CommitPace,
    /// `None`: poll at the next chance.
    pub(super) last_membership_poll: Option<Duration>,
    /// Where the records of the next transaction will lie.
    pub(super) foresight: Foresight,
    /// When producers were replaced because they failed, for the last five minutes.
    pub(super) producer_failures: Recent,
    /// How often a database refused a batch, since the last one that it took.
    pub(super) apply_failures: usize,
    /// A row was too large once: tasks that are opened measure theirs.
    pub(super) measures_rows: bool,
    pub(super) outputs: OutputBuffer,
    /// What a listener hears once it is committed.
    pub(super) unheard: Vec<Emitted>,
    /// Tokens whose tasks were lost to the group, and are not known to be somebody else's: they can be read as they were last.
    pub(super) outdated: Vec<i32>,
    /// The group has said that another client has this thread's place, and it is not known whose that is.
    pub(super) fence: Option<Fence>,
    /// When it began anew after that, for the last five minutes.
    pub(super) renewals: Recent,
    activity: ThreadActivity,
    ownerships: u64,
    opened_sender: Sender<OpenedTask>,
    opened: Receiver<OpenedTask>,
    wake: Wake,
}

impl<P: ThreadPorts> StreamThread<P> {
    /// A thread that has not joined its group yet.
    pub fn new(parts: ThreadParts<P>) -> Self {
        // A token has at most one answer that is still wanted, and answers to old ownerships are taken in each step.
        let (opened_sender, opened) = bounded(1_024);
        let wake = parts.data.wake();
        StreamThread {
            task_log: parts.names.task_log().into(),
            slots: BTreeMap::new(),
            generation: None,
            generation_refused: false,
            phase: Phase::ReplaceProducer,
            left_open: false,
            settle_until: None,
            transaction: None,
            last_commit: parts.clock.monotonic(),
            pace: CommitPace::Relaxed,
            last_membership_poll: None,
            foresight: Foresight::default(),
            producer_failures: Recent::default(),
            apply_failures: 0,
            measures_rows: false,
            outputs: Vec::new(),
            unheard: Vec::new(),
            outdated: Vec::new(),
            fence: None,
            renewals: Recent::default(),
            activity: parts.metrics.activities.thread(&parts.name),
            ownerships: 0,
            opened_sender,
            opened,
            wake,
            parts,
        }
    }

    /// Ends [`StreamThread::wait`] from another thread.
    pub fn wake(&self) -> Wake {
        self.wake.clone()
    }

    /// The main loop's body: poll → restore → process → punctuate → commit.
    pub fn step(&mut self) -> Result<Step, ThreadError> {
        self.activity.begin(if self.phase == Phase::ReplaceProducer { Activity::Blocked } else { Activity::Poll });
        self.poll()?;
        self.activity.begin(Activity::Restore);
        self.restore()?;
        self.activity.begin(Activity::Process);
        let processed = self.process()?;
        self.activity.begin(Activity::Punctuate);
        self.punctuate()?;
        self.activity.begin(Activity::Commit);
        self.maybe_commit(processed)?;
        self.tell_status();
        Ok(self.next_step(processed))
    }

    /// Waits as a step asked for.
    pub fn wait(&mut self, at_most: Duration) -> Result<(), ThreadError> {
        self.activity.begin(if self.may_work() { Activity::Idle } else { Activity::Blocked });
        match self.parts.data.wait(at_most) {
            Err(error) if !error.is_retriable() => Err(ThreadError::Port(error)),
            Err(error) => {
                tracing::warn!(thread = self.parts.name, %error, "waiting for records");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Sends what waits for the restorer, and takes over what it has opened.
    fn restore(&mut self) -> Result<(), ThreadError> {
        self.reopen_damaged()?;
        if self.phase != Phase::ReplaceProducer {
            self.request_openings();
        }
        while let Ok(OpenedTask { opening, result }) = self.opened.try_recv() {
            let plan = match self.slots.get(&opening.token) {
                Some(Slot::Opening(awaited, plan)) if awaited.ownership == opening.ownership => plan.clone(),
                // Dropping a lease gives the database back.
                _ => continue,
            };
            let task_id = &plan.id;
            let Opened { lease, next, lineage, fill, tail } =
                result.map_err(|cause| ThreadError::Start { task: task_id.clone(), cause })?;
            let mut task = match Task::new(plan.clone(), lease, next, lineage) {
                Ok(task) => task,
                Err(cause) => {
                    self.task_failed(opening.token, task_id.clone(), cause)?;
                    continue;
                }
            };
            task.sabotage(self.parts.settings.sabotaged);
            task.begin_after(tail);
            if self.measures_rows {
                task.measure_rows();
            }
            if let Some(fill) = fill {
                task.begin_fill(fill);
            }
            let positions: Vec<_> = plan.source_partitions().cloned().zip(task.next_offsets().iter().copied()).collect();
            self.parts.data.assign(&positions).map_err(ThreadError::Port)?;
            self.parts.views.publish(task_id.clone(), TaskView::Active(task.database().clone()));
            tracing::info!(thread = self.parts.name, task = %task_id, "task runs");
            let origin = plan.origin(&self.parts.settings.facts);
            let active = ActiveTask::new(task, &origin, &self.parts.metrics);
            self.slots.insert(opening.token, Slot::Active(Box::new(active)));
        }
        Ok(())
    }

    fn request_openings(&mut self) {
        for slot in self.slots.values_mut() {
            let Slot::Wanted(opening, plan) = slot else { continue };
            self.parts.views.publish_opening(plan.id.clone());
            let (opening, plan) = (opening.clone(), plan.clone());
            let request = OpenRequest {
                opening: opening.clone(),
                plan: plan.clone(),
                guarantee: self.parts.settings.guarantee,
                facts: self.parts.settings.facts.clone(),
                reply: self.opened_sender.clone(),
                wake: self.wake.clone(),
                views: self.parts.views.clone(),
                sabotaged: self.parts.settings.sabotaged,
            };
            // A full queue is tried again in the next step.
            if self.parts.restorer.try_send(request).is_ok() {
                *slot = Slot::Opening(opening, plan);
            }
        }
    }

    /// A new ownership of a token: whatever was there is closed, and its marker will be read again. Until that has been done, which
    /// takes as long as Kafka is away, the task can be read as it was last.
    pub(super) fn want(&mut self, token: i32) {
        self.outdate(token);
        self.foresight.forget_places();
        let slot = match self.plan(token) {
            Some(plan) => {
                self.ownerships += 1;
                Slot::Wanted(Opening::new(token, self.ownerships), plan)
            }
            None => {
                tracing::warn!(thread = self.parts.name, token, "holds a token of a task that this program does not know; it idles here");
                Slot::Unknown
            }
        };
        self.slots.insert(token, slot);
    }

    /// Gives a token up. Nothing is committed for it any more.
    pub(super) fn close(&mut self, token: i32) {
        let Some(slot) = self.slots.remove(&token) else { return };
        self.foresight.forget_places();
        // Before the database goes back: whoever takes it publishes the task anew. In ERROR nothing moves any more, and what is here
        // can still be read, with its age.
        match self.parts.tokens.task(token) {
            Some(task) if matches!(self.parts.status.state(), InstanceState::Error(_)) => self.parts.status.outdate(task),
            Some(task) => {
                self.parts.views.withdraw(task);
                self.parts.status.forget_outdated(task);
            }
            None => {}
        }
        self.release(slot);
    }

    fn plan(&self, token: i32) -> Option<Arc<TaskPlan>> {
        let task = self.parts.tokens.task(token)?;
        let partitions = self.parts.views.partitions(&task.subtopology)?;
        let plan = TaskPlan::new(&self.parts.topology, &self.parts.names, task, partitions)?;
        Some(Arc::new(plan.with_partitions_of(|reader| self.parts.views.partitions(reader))))
    }

    pub(super) fn stopping(&self) -> bool {
        self.parts.stop.load(Ordering::Acquire)
    }

    /// False while nothing may be processed, whatever was fetched.
    pub(super) fn may_work(&self) -> bool {
        self.phase == Phase::Ready && self.generation.is_some() && !self.generation_refused
    }

    pub(super) fn now(&self) -> Duration {
        self.parts.clock.monotonic()
    }

    /// The producer's and the tasks' failures end here: each says what must follow.
    pub(super) fn settle(&mut self, result: Result<(), crate::ports::PortError>) -> Result<(), ThreadError> {
        match result {
            Ok(()) => Ok(()),
            Err(error) => self.recover(error),
        }
    }
}
