//! One running instance: it reaches Kafka, sees that its topics are there, and runs its threads. The only place that plugs `kafka`
//! into `runtime`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam::channel::bounded;

use super::config::{Config, Guarantee};
use super::embedded;
use super::former_threads::end_former_transactions;
use super::members_thread::MembersThread;
use super::not_ready::NotReady;
use super::open_ahead::open_ahead;
use super::outcomes_thread::OutcomesThread;
use super::records_thread::RecordsThread;
use super::topic_watch::{TopicWatch, keyed_sources};
use crate::clock::{Clock, SystemClock};
use crate::command::{Commands, GatewayLimits};
use crate::faults::{self, Sabotaged};
use crate::http::peers;
use crate::kafka::{KafkaAdmin, KafkaChangelogReader, KafkaDataConsumer, KafkaMembership, KafkaPorts, KafkaProducer, KafkaSettings};
use crate::metrics::{Metrics, Versions};
use crate::ports::{Admin as _, ClusterFacts, PortError};
use crate::query::{InstanceId, ViewRegistry, Views};
use crate::runtime::step::{PoisonPolicy, StateRestorer, StepSettings, StreamThread, ThreadError, ThreadParts};
use crate::runtime::{
    InstanceStatus, MemberIdentity, Members, OnEnd, Orphans, StoreSampler, ThreadEnd, Threads, TokenTable, TopicSettings, known_labels,
    provision,
};
use crate::state::{MemoryBudget, ROCKSDB_VERSION, StateDirectory, StoreError};
use crate::topology::{Names, Topology};

/// Why an instance cannot be started at all.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// A property of librdkafka is not ours to set, or unknown.
    #[error(transparent)]
    Properties(PortError),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The operating system gives no thread.
    #[error("thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// How long the threads may take to commit and leave the group.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How long the connector may take to notice that it shall stop.
const LEAVE_CONNECTOR_AFTER: Duration = Duration::from_secs(1);

/// A restore takes a core; more threads than these would only take memory from each other.
const MAX_RESTORERS: usize = 4;

/// How often a wait looks whether it is over.
const SLICE: Duration = Duration::from_millis(50);

/// Waits between attempts to reach Kafka: the first and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A started instance.
pub struct Instance {
    /// Its state, tasks and lag.
    pub status: InstanceStatus,
    /// Its metrics.
    pub metrics: Metrics,
    /// Readers of its stores.
    pub views: Views,
    /// The members of the application.
    pub members: Members,
    /// The way in for commands.
    pub commands: Commands,
    stop: Arc<AtomicBool>,
    threads: Arc<Mutex<Option<Threads>>>,
    members_thread: Arc<Mutex<Option<MembersThread>>>,
    outcomes_thread: Arc<Mutex<Option<OutcomesThread>>>,
    records_thread: RecordsThread,
    connector: JoinHandle<()>,
    fenced: Arc<AtomicBool>,
    directory: StateDirectory,
}

impl Instance {
    /// Of a configuration without [`refusals`]. Locks the state directory and begins to reach Kafka, for as long as that takes. `http` is where its server listens: it goes
    /// into the lock, for the message that a second process gets, and to the other members. `results` is the topic through which outcomes of
    /// commands come, where the application takes any.
    pub fn start(config: &Config, topology: Topology, results: Option<&str>, http: SocketAddr) -> Result<Instance, InstanceError> {
        let application = &config.application;
        let holder = format!("process {} (http {http})", std::process::id());
        let budget = MemoryBudget::new(config.state.memory_mib as usize);
        let directory = StateDirectory::lock(&application.state_dir, &application.id, &holder, budget.clone())?;
        let instance_id = match &application.instance_id {
            Some(id) => id.clone(),
            None => StateDirectory::instance_id(&application.state_dir)?,
        };
        let settings = kafka_settings(config, &instance_id);

        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let names = Names::new(&application.id, &application.topic_prefix);
        let versions = Versions { librdkafka: &crate::kafka::librdkafka_version(), rocksdb: ROCKSDB_VERSION };
        let metrics = Metrics::new(versions, clock.clone());
        metrics.begin_at_zero(&known_labels(&topology, &names));
        let status = InstanceStatus::new(clock.clone());
        metrics.watch(Arc::new(status.clone()));
        let registry = ViewRegistry::default();
        let lag_status = status.clone();
        let lag = Arc::new(move |task: &_| lag_status.task_lag(task));
        let names = Names::new(&application.id, &application.topic_prefix);
        let id = InstanceId(instance_id.as_str().into());
        let members = Members::new(identity(config, id.clone(), http), registry.clone(), clock.clone());
        let views = Views::new(topology.clone(), names.clone(), registry.clone(), lag, members.owners(), id, &metrics);
        let (records, records_thread) = RecordsThread::start(&settings, status.clone())?;
        let views = views.waiting(Duration::from_millis(config.http.max_wait_ms), peers()).reading_records(records);
        let (stop, fenced) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (threads, members_thread, outcomes_thread) = Default::default();
        let full_names = names.clone();
        let commands = Commands::new(
            results.unwrap_or_default(),
            move |topic| full_names.topic(topic),
            GatewayLimits::default(),
            metrics.commands.clone(),
            clock.clone(),
        );
        let connector = Connector {
            names,
            topics: topic_settings(config, &topology),
            step: step_settings(config, &topology),
            stream_threads: config.processing.stream_threads,
            instance_dir: application.state_dir.join(&application.id),
            threads: Arc::clone(&threads),
            members: members.clone(),
            members_thread: Arc::clone(&members_thread),
            commands: results.map(|_| commands.clone()),
            outcomes_thread: Arc::clone(&outcomes_thread),
            status: status.clone(),
            metrics: metrics.clone(),
            fenced: fenced.clone(),
            stop: stop.clone(),
            directory: directory.clone(),
            budget,
            registry,
            settings,
            topology,
            clock,
        };
        open_ahead(&connector.directory, &connector.topology, &connector.names)?;
        let connector = thread::Builder::new().name("connect".into()).spawn(move || connector.run())?;
        Ok(Instance {
            status,
            metrics,
            views,
            members,
            commands,
            stop,
            threads,
            members_thread,
            outcomes_thread,
            records_thread,
            connector,
            fenced,
            directory,
        })
    }

    /// True when another process runs with this instance's id.
    pub fn is_fenced(&self) -> bool {
        self.fenced.load(Ordering::Acquire)
    }

    /// Commits, leaves the group, and ends all threads; false when that took too long.
    pub fn stop(self) -> bool {
        self.status.set_stopping();
        self.stop.store(true, Ordering::Release);
        self.leave_connector();
        let stopped = match self.threads.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(threads) => {
                threads.stop();
                threads.join(STOP_WITHIN)
            }
            None => true,
        };
        // Last: until here it tells the others of each task that it lets go.
        let farewell = self.members_thread.lock().unwrap_or_else(PoisonError::into_inner).take().is_none_or(MembersThread::stop);
        let heard = self.outcomes_thread.lock().unwrap_or_else(PoisonError::into_inner).take().is_none_or(OutcomesThread::stop);
        let read = self.records_thread.stop();
        // By now the tasks are others', who wait for nothing here.
        self.directory.flush();
        stopped && farewell && heard && read
    }

    /// Waits for the connector, but not for a call to Kafka that nobody answers: it ends by itself, and starts nothing any more.
    /// What it was doing is safe to be cut off anywhere, as by a crash.
    fn leave_connector(&self) {
        let mut left = LEAVE_CONNECTOR_AFTER;
        while !self.connector.is_finished() {
            if left.is_zero() {
                return tracing::warn!("Kafka does not answer; leaving without it");
            }
            thread::sleep(SLICE);
            left = left.saturating_sub(SLICE);
        }
    }
}

/// What an instance refuses before it asks a broker.
pub(super) fn refusals(config: &Config) -> Vec<InstanceError> {
    kafka_settings(config, "check").check().err().map(InstanceError::Properties).into_iter().collect()
}

fn identity(config: &Config, instance: InstanceId, http: SocketAddr) -> MemberIdentity {
    MemberIdentity {
        instance,
        url: config.http.advertised_url(http).into(),
        version: env!("CARGO_PKG_VERSION").into(),
        run: uuid::Uuid::new_v4().to_string(),
    }
}

/// What all clients of an instance begin with.
pub(super) fn kafka_settings(config: &Config, instance_id: &str) -> KafkaSettings {
    let mut settings = KafkaSettings::new(embedded::servers(config), &config.application.id, instance_id);
    settings.properties = config.kafka.properties.0.clone();
    settings.session_timeout_ms = faults::number("SESSION_TIMEOUT_MS").unwrap_or(settings.session_timeout_ms);
    settings.max_poll_interval_ms = faults::number("MAX_POLL_INTERVAL_MS").unwrap_or(settings.max_poll_interval_ms);
    settings.transaction_timeout_ms = faults::number("TRANSACTION_TIMEOUT_MS").unwrap_or(settings.transaction_timeout_ms);
    settings.producer_request_timeout_ms = faults::number("PRODUCER_REQUEST_TIMEOUT_MS").unwrap_or(settings.producer_request_timeout_ms);
    settings.group_metadata_refresh_ms = faults::number("GROUP_METADATA_REFRESH_MS");
    settings.static_membership &= faults::number("DYNAMIC_MEMBERSHIP").is_none();
    settings
}

/// How missing topics are made.
pub(super) fn topic_settings(config: &Config, topology: &Topology) -> TopicSettings {
    TopicSettings {
        create: config.topics.create,
        partitions: config.topics.partitions,
        replication_factor: config.topics.replication_factor,
        dead_letters: topology.source_topics().iter().any(|topic| config.poison_policy(topic) == PoisonPolicy::DeadLetter),
    }
}

fn step_settings(config: &Config, topology: &Topology) -> StepSettings {
    let names = Names::new(&config.application.id, &config.application.topic_prefix);
    let policies = topology.source_topics();
    let policies = policies.iter().map(|topic| (names.topic(topic), config.poison_policy(topic)));
    StepSettings {
        guarantee: config.processing.guarantee,
        commit_interval: Duration::from_millis(config.processing.commit_interval_ms),
        commit_min_interval: Duration::from_millis(config.processing.commit_min_interval_ms),
        max_task_idle: Duration::from_millis(config.processing.max_task_idle_ms),
        poison_policy: config.processing.poison_policy,
        source_poison_policies: policies.collect(),
        sabotaged: Sabotaged::from_environment(),
        ..StepSettings::default()
    }
}

/// What is there once Kafka was reached.
struct Reached {
    tokens: TokenTable,
    facts: ClusterFacts,
    /// One for each thread; they have not joined yet.
    members: Vec<KafkaMembership>,
    reader: KafkaChangelogReader,
}

/// Reaches Kafka and starts the threads.
struct Connector {
    names: Names,
    topics: TopicSettings,
    step: StepSettings,
    stream_threads: usize,
    /// The state of this application in the state directory.
    instance_dir: PathBuf,
    threads: Arc<Mutex<Option<Threads>>>,
    members: Members,
    members_thread: Arc<Mutex<Option<MembersThread>>>,
    /// Where the application takes commands.
    commands: Option<Commands>,
    outcomes_thread: Arc<Mutex<Option<OutcomesThread>>>,
    status: InstanceStatus,
    metrics: Metrics,
    fenced: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    directory: StateDirectory,
    budget: MemoryBudget,
    registry: ViewRegistry,
    settings: KafkaSettings,
    topology: Topology,
    clock: Arc<dyn Clock>,
}

impl Connector {
    /// Tries until it works, a person must act, or the instance is stopped.
    fn run(self) {
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
                    self.sleep(pause);
                    pause = (pause * 2).min(RETRY.1);
                }
            }
        }
    }

    /// Sleeps, but not past a stop.
    fn sleep(&self, pause: Duration) {
        let mut left = pause;
        while !left.is_zero() && !self.stop.load(Ordering::Acquire) {
            thread::sleep(SLICE.min(left));
            left = left.saturating_sub(SLICE);
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
