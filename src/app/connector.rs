//! Reaches Kafka for an instance, sees that its topics are there, and starts its threads. The only place that plugs `kafka` into
//! `runtime`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::channel::bounded;

use super::config::Guarantee;
use super::former_threads::end_former_transactions;
use super::members_thread::MembersThread;
use super::not_ready::NotReady;
use super::outcomes_thread::OutcomesThread;
use super::own_thread::sleep_unless;
use super::topic_watch::{TopicWatch, keyed_sources};
use crate::clock::Clock;
use crate::command::Commands;
use crate::kafka::{KafkaAdmin, KafkaChangelogReader, KafkaDataConsumer, KafkaMembership, KafkaPorts, KafkaProducer, KafkaSettings};
use crate::metrics::Metrics;
use crate::ports::{Admin as _, ClusterFacts};
use crate::query::ViewRegistry;
use crate::runtime::step::{StateRestorer, StepSettings, StreamThread, ThreadError, ThreadParts};
use crate::runtime::{InstanceStatus, Members, OnEnd, Orphans, StoreSampler, ThreadEnd, Threads, TokenTable, TopicSettings, provision};
use crate::state::{MemoryBudget, StateDirectory};
use crate::topology::{Names, Topology};

/// A restore takes a core; more threads than these would only take memory from each other.
const MAX_RESTORERS: usize = 4;

/// Waits between attempts to reach Kafka: the first and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What is there once Kafka was reached.
struct Reached {
    tokens: TokenTable,
    facts: ClusterFacts,
    /// One for each thread; they have not joined yet.
    members: Vec<KafkaMembership>,
    reader: KafkaChangelogReader,
}

/// Reaches Kafka and starts the threads.
pub(super) struct Connector {
    pub names: Names,
    pub topics: TopicSettings,
    pub step: StepSettings,
    pub stream_threads: usize,
    /// The state of this application in the state directory.
    pub instance_dir: PathBuf,
    pub threads: Arc<Mutex<Option<Threads>>>,
    pub members: Members,
    pub members_thread: Arc<Mutex<Option<MembersThread>>>,
    /// Where the application takes commands.
    pub commands: Option<Commands>,
    pub outcomes_thread: Arc<Mutex<Option<OutcomesThread>>>,
    pub status: InstanceStatus,
    pub metrics: Metrics,
    pub fenced: Arc<AtomicBool>,
    pub stop: Arc<AtomicBool>,
    pub directory: StateDirectory,
    pub budget: MemoryBudget,
    pub registry: ViewRegistry,
    pub settings: KafkaSettings,
    pub topology: Topology,
    pub clock: Arc<dyn Clock>,
}

impl Connector {
    /// Tries until it works, a person must act, or the instance is stopped.
    pub(super) fn run(self) {
        let mut pause = RETRY.0;
        while !self.stop.load(Ordering::Acquire) {
            match self.connect() {
                Ok(reached) => {
                    let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
                    // Under the lock, because who stops the instance does not wait for this thread.
                    if self.stop.load(Ordering::Acquire) {
                        return;
                    }
                    if let Err(error) = self.start_threads(reached, &mut threads) {
                        tracing::error!(%error, "threads cannot be started");
                        self.status.set_error(error);
                    }
                    return;
                }
                Err(NotReady::Never(cause)) => {
                    tracing::error!(%cause, "cannot start");
                    return self.status.set_error(cause);
                }
                Err(NotReady::Later(cause)) => {
                    tracing::warn!(%cause, retry_in_ms = pause.as_millis() as u64, "Kafka is not ready");
                    self.status.set_waiting(cause);
                    sleep_unless(&self.stop, pause);
                    pause = (pause * 2).min(RETRY.1);
                }
            }
        }
    }

    fn connect(&self) -> Result<Reached, NotReady> {
        let mut admin = KafkaAdmin::new(&self.settings)?.stopped_by(self.stop.clone());
        let cluster = admin.cluster_id()?;
        let provisioned = provision(&self.topology, &self.names, &self.topics, &mut admin)?;
        tracing::debug!("topics are there");
        let threads = (1..=self.stream_threads).map(|thread| self.settings.for_thread(thread.to_string()));
        let members: Vec<KafkaMembership> =
            threads.map(|settings| KafkaMembership::prepare(&settings, &self.names.task_log())).collect::<Result<_, _>>()?;
        for (subtopology, partitions) in &provisioned.partitions {
            self.registry.set_partitions(subtopology.as_str().into(), *partitions);
        }
        let mut reader = KafkaChangelogReader::new(&self.settings)?;
        let mut producer = KafkaProducer::new(&self.settings.for_tokens());
        let wanted = provisioned.tasks(&self.topology);
        let tokens = TokenTable::read_or_extend(&self.names.task_log(), &wanted, &mut admin, &mut reader, &mut producer)?;
        end_former_transactions(&self.instance_dir, &self.settings, self.stream_threads)?;
        tracing::debug!("tokens are read");
        members.iter().for_each(KafkaMembership::connect);
        let facts = ClusterFacts { cluster, topics: provisioned.topics };
        Ok(Reached { tokens, facts, members, reader })
    }

    fn start_threads(&self, reached: Reached, started: &mut Option<Threads>) -> Result<(), String> {
        let Reached { tokens, facts, members, reader } = reached;
        let joining = members.into_iter().map(KafkaMembership::begin).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let (status, clock) = (self.status.clone(), self.clock.clone());
        // Those that another version gave tokens to are not ours to miss.
        let ours = tokens.tasks().filter(|task| self.registry.partitions(&task.subtopology).is_some()).cloned();
        let orphans = Orphans::new(ours);
        let members = MembersThread::start(self.members.clone(), orphans, &self.names.members(), &self.settings, status, clock);
        *self.members_thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(members.map_err(|e| text(&e))?);
        if let Some(commands) = &self.commands {
            let outcomes = OutcomesThread::start(commands.clone(), &self.settings, self.status.clone())?;
            *self.outcomes_thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcomes);
        }
        if tokens.has_grown() {
            // A static member that comes back soon takes its place without a rebalance; the new tokens need one.
            self.status.request_rejoin();
        }
        let (tokens, facts) = (Arc::new(tokens), Arc::new(facts));
        let watch = TopicWatch::new(facts.clone(), keyed_sources(&self.topology, &self.names));
        let admin = KafkaAdmin::new(&self.settings).map_err(|e| text(&e))?.stopped_by(self.stop.clone());
        watch.start(admin, self.status.clone(), self.stop.clone()).map_err(|e| text(&e))?;
        let step = StepSettings { facts, ..self.step.clone() };
        let (requests, served) = bounded(1_024);
        let mut threads = Threads::new(self.stop.clone());
        let names: Vec<String> = (1..=self.stream_threads).map(|n| format!("stream-{n}")).collect();
        self.status.set_joining(names.clone());
        let fenced = self.fenced.clone();
        let on_end: OnEnd = Arc::new(move |_, end| {
            if matches!(end, ThreadEnd::Failed(ThreadError::FencedInstance(_))) {
                fenced.store(true, Ordering::Release);
            }
        });
        for ((n, name), membership) in (1..).zip(&names).zip(joining) {
            let settings = self.settings.for_thread(n.to_string());
            let machine = StreamThread::<KafkaPorts>::new(ThreadParts {
                name: name.clone(),
                membership,
                data: KafkaDataConsumer::new(&settings).map_err(|e| text(&e))?,
                producer: match step.guarantee {
                    Guarantee::ExactlyOnce => KafkaProducer::new(&settings),
                    Guarantee::AtLeastOnce => KafkaProducer::without_transactions(&settings),
                },
                settings: step.clone(),
                topology: self.topology.clone(),
                names: self.names.clone(),
                tokens: tokens.clone(),
                restorer: requests.clone(),
                views: self.registry.clone(),
                status: self.status.clone(),
                metrics: self.metrics.clone(),
                clock: self.clock.clone(),
                stop: self.stop.clone(),
            });
            threads.start_stream(name, machine, self.status.clone(), on_end.clone()).map_err(|e| text(&e))?;
        }
        let restorers = self.stream_threads.min(MAX_RESTORERS);
        let mut first = Some(reader);
        for name in (1..=restorers).map(|n| format!("restore-{n}")) {
            let reader = first.take().map_or_else(|| KafkaChangelogReader::new(&self.settings), Ok).map_err(|e| text(&e))?;
            let (directory, task_log, clock) = (self.directory.clone(), self.names.task_log(), self.clock.clone());
            let restorer = StateRestorer::new(reader, directory, task_log, served.clone(), clock, self.metrics.clone());
            let restorer = restorer.one_of(restorers).paced_by(self.status.clone());
            let activity = self.metrics.activities.thread(&name);
            threads.start_restorer(&name, restorer, activity, self.status.clone()).map_err(|e| text(&e))?;
        }
        let sampler = StoreSampler::new(&self.topology, self.registry.clone(), self.budget.clone(), self.metrics.clone());
        threads.start_sampler(sampler).map_err(|e| text(&e))?;
        *started = Some(threads);
        Ok(())
    }
}
