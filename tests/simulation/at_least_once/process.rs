//! One process, with or without transactions, that can end in the middle of a call.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::channel::{Sender, bounded};

use crate::clock::{Clock, ManualClock};
use crate::metrics::Metrics;
use crate::ports::ThreadPorts;
use crate::query::ViewRegistry;
use crate::runtime::step::{Guarantee, OpenRequest, StateRestorer, Step, StepSettings, StreamThread, ThreadError, ThreadParts};
use crate::runtime::{InstanceStatus, TokenTable};
use crate::simulation::process::step_all;
use crate::state::{MemoryDisk, StateDirectory};
use crate::testkit::cluster::{
    Crash, FakeChangelogReader, FakeCluster, FakeDataConsumer, FakeMembership, FakePlainPorts, FakePorts, MemberConfig,
};
use crate::topology::{Names, TaskId, Topology};

/// What all processes run.
pub(super) struct Program {
    pub(super) cluster: FakeCluster,
    pub(super) clock: ManualClock,
    pub(super) topology: Topology,
    pub(super) names: Names,
    pub(super) partitions: i32,
    pub(super) settings: StepSettings,
    pub(super) metrics: Metrics,
}

/// A stream thread on whatever ports.
trait Machine {
    fn step(&mut self) -> Result<Step, ThreadError>;
}

impl<P: ThreadPorts> Machine for StreamThread<P> {
    fn step(&mut self) -> Result<Step, ThreadError> {
        StreamThread::step(self)
    }
}

/// How a step ended.
pub(super) enum Stepped {
    On,
    Left,
    Crashed,
    Failed(ThreadError),
}

/// A process that runs.
pub(super) struct Running {
    threads: Vec<Box<dyn Machine>>,
    restorer: StateRestorer<FakeChangelogReader>,
    pub(super) views: ViewRegistry,
    stop: Arc<AtomicBool>,
}

impl Program {
    fn task(&self, partition: i32) -> TaskId {
        TaskId { subtopology: self.topology.subtopologies()[0].name.clone(), partition }
    }

    pub(super) fn start(&self, name: &str, disk: &MemoryDisk, threads: usize, fixed: bool) -> Running {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let (requests, served) = bounded(64);
        let directory = StateDirectory::unlocked(Box::new(disk.clone()));
        let (views, stop, status) = (ViewRegistry::default(), Arc::new(AtomicBool::new(false)), InstanceStatus::new(clock.clone()));
        views.set_partitions(self.topology.subtopologies()[0].name.clone(), self.partitions);
        let tokens = Arc::new(TokenTable::of((0..self.partitions).map(|partition| self.task(partition))));
        let shared = Shared { program: self, tokens, requests, views: views.clone(), status, clock: clock.clone(), stop: stop.clone() };
        let thread = |n: usize| -> Box<dyn Machine> {
            let member = format!("{name}-{n}");
            let config = if fixed { MemberConfig::fixed(name, &member) } else { MemberConfig::dynamic(name) };
            match self.settings.guarantee {
                Guarantee::ExactlyOnce => Box::new(shared.thread::<FakePorts>(self.cluster.producer(&member), member, config)),
                Guarantee::AtLeastOnce => Box::new(shared.thread::<FakePlainPorts>(self.cluster.plain_producer(&member), member, config)),
            }
        };
        let threads = (1..=threads).map(thread).collect();
        let reader = self.cluster.changelog_reader(&self.names.application_id);
        let restorer = StateRestorer::new(reader, directory, self.names.task_log(), served, clock.clone(), self.metrics.clone());
        Running { threads, restorer, views, stop }
    }
}

/// What the threads of a process have in common.
struct Shared<'a> {
    program: &'a Program,
    tokens: Arc<TokenTable>,
    requests: Sender<OpenRequest>,
    views: ViewRegistry,
    status: InstanceStatus,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
}

impl Shared<'_> {
    fn thread<P>(&self, producer: P::Producer, name: String, member: MemberConfig) -> StreamThread<P>
    where
        P: ThreadPorts<Membership = FakeMembership, Data = FakeDataConsumer>,
    {
        let Program { cluster, names, settings, topology, metrics, .. } = self.program;
        StreamThread::new(ThreadParts {
            membership: cluster.membership(&names.application_id, member, &names.task_log()),
            data: cluster.data_consumer(),
            settings: settings.clone(),
            topology: topology.clone(),
            names: names.clone(),
            tokens: self.tokens.clone(),
            restorer: self.requests.clone(),
            views: self.views.clone(),
            status: self.status.clone(),
            metrics: metrics.clone(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            producer,
            name,
        })
    }
}

impl Running {
    /// One step of the restorer and of each thread, unless the process ends in it.
    pub(super) fn step(&mut self) -> Stepped {
        match catch_unwind(AssertUnwindSafe(|| self.step_all())) {
            Ok(Ok(true)) => Stepped::On,
            Ok(Ok(false)) => Stepped::Left,
            Ok(Err(error)) => Stepped::Failed(error),
            Err(payload) if payload.is::<Crash>() => Stepped::Crashed,
            Err(panic) => resume_unwind(panic),
        }
    }

    fn step_all(&mut self) -> Result<bool, ThreadError> {
        self.restorer.step();
        step_all(&mut self.threads, |thread| thread.step())
    }

    /// What SIGTERM does.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
}
