//! One process of an application on the fake cluster: its stream threads and its restorers, stepped by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam::channel::bounded;

use crate::clock::{Clock, ManualClock};
use crate::metrics::{Metrics, Versions};
use crate::query::ViewRegistry;
use crate::runtime::step::{StateRestorer, Step, StepSettings, StreamThread, ThreadError, ThreadParts};
use crate::runtime::{InstanceStatus, TokenTable};
use crate::state::{DatabaseProvider, MemoryDisk, StateDirectory};
use crate::testkit::cluster::{FakeChangelogReader, FakeCluster, FakePorts, MemberConfig};
use crate::topology::{Names, TaskId, Topology};

/// Metrics that tell of nothing yet.
pub(super) fn no_metrics(clock: &ManualClock) -> Metrics {
    Metrics::new(Versions { librdkafka: "none", rocksdb: "none" }, Arc::new(clock.clone()))
}

/// What all processes of an application run.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) cluster: FakeCluster,
    pub(super) clock: ManualClock,
    pub(super) topology: Topology,
    pub(super) names: Names,
    /// Of each sub-topology.
    pub(super) partitions: i32,
    pub(super) settings: StepSettings,
    pub(super) metrics: Metrics,
}

/// A process that runs.
pub(super) struct Running {
    /// Those that have not left the group yet.
    threads: Vec<StreamThread<FakePorts>>,
    /// As many as stream threads.
    restorers: Vec<StateRestorer<FakeChangelogReader>>,
    pub(super) views: ViewRegistry,
    pub(super) status: InstanceStatus,
    /// What the last step of a thread asked for.
    pub(super) asked: Step,
    stop: Arc<AtomicBool>,
}

impl Program {
    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskId> + use<> {
        let names: Vec<_> = self.topology.subtopologies().iter().map(|subtopology| subtopology.name.clone()).collect();
        let partitions = self.partitions;
        names.into_iter().flat_map(move |name| (0..partitions).map(move |partition| TaskId { subtopology: name.clone(), partition }))
    }

    /// Starts a process on its disk, with so many stream threads; they are static members if `fixed`.
    pub(super) fn start(&self, name: &str, disk: &MemoryDisk, threads: usize, fixed: bool) -> Running {
        self.start_on(name, Box::new(disk.clone()), threads, fixed)
    }

    /// The same on a disk of any kind.
    pub(super) fn start_on(&self, name: &str, disk: Box<dyn DatabaseProvider>, threads: usize, fixed: bool) -> Running {
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let (requests, served) = bounded(64);
        let directory = StateDirectory::unlocked(disk);
        let (views, stop, status) = (ViewRegistry::default(), Arc::new(AtomicBool::new(false)), InstanceStatus::new(clock.clone()));
        self.topology.subtopologies().iter().for_each(|part| views.set_partitions(part.name.clone(), self.partitions));
        let names: Vec<String> = (1..=threads).map(|thread| format!("{name}-{thread}")).collect();
        status.set_joining(names.iter().cloned());
        let tokens = Arc::new(TokenTable::of(self.tasks()));
        let thread = |thread: String| {
            let config = match fixed {
                true => MemberConfig::fixed(name, &thread),
                false => MemberConfig::dynamic(name),
            };
            StreamThread::new(ThreadParts {
                membership: self.cluster.membership(&self.names.application_id, config, &self.names.task_log()),
                data: self.cluster.data_consumer(),
                producer: self.cluster.producer(&thread),
                name: thread,
                settings: self.settings.clone(),
                topology: self.topology.clone(),
                names: self.names.clone(),
                tokens: tokens.clone(),
                restorer: requests.clone(),
                views: views.clone(),
                status: status.clone(),
                metrics: self.metrics.clone(),
                clock: clock.clone(),
                stop: stop.clone(),
            })
        };
        let threads = names.iter().cloned().map(thread).collect();
        let restorer = |_| {
            let reader = self.cluster.changelog_reader(&self.names.application_id);
            let (directory, task_log, served) = (directory.clone(), self.names.task_log(), served.clone());
            StateRestorer::new(reader, directory, task_log, served, clock.clone(), self.metrics.clone())
        };
        let restorers = (0..names.len()).map(restorer).collect();
        Running { threads, restorers, views, status, asked: Step::Again, stop }
    }
}

impl Running {
    /// One step of each restorer and of each thread; false when all threads have left.
    pub(super) fn step(&mut self) -> Result<bool, ThreadError> {
        for restorer in &mut self.restorers {
            restorer.step();
        }
        step_all(&mut self.threads, |thread| thread.step().inspect(|step| self.asked = *step))
    }

    /// What SIGTERM does.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// One step of each thread; those that have left the group go. False when all have.
pub(super) fn step_all<T>(threads: &mut Vec<T>, mut step: impl FnMut(&mut T) -> Result<Step, ThreadError>) -> Result<bool, ThreadError> {
    let mut failed = None;
    threads.retain_mut(|thread| match step(thread) {
        Ok(Step::Left) => false,
        Ok(_) => true,
        Err(error) => {
            failed = Some(error);
            true
        }
    });
    failed.map_or(Ok(!threads.is_empty()), Err)
}
