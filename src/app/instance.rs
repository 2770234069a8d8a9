//! One running instance: what it is made of, how it begins and how it ends.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::config::{Config, Guarantee};
use super::connector::Connector;
use super::embedded;
use super::members_thread::MembersThread;
use super::open_ahead::open_ahead;
use super::outcomes_thread::OutcomesThread;
use super::own_thread::ends_within;
use super::records_thread::RecordsThread;
use crate::clock::{Clock, SystemClock};
use crate::command::{Commands, GatewayLimits};
use crate::faults::{self, Sabotaged};
use crate::http::peers;
use crate::kafka::KafkaSettings;
use crate::metrics::{Metrics, Versions};
use crate::ports::PortError;
use crate::query::{InstanceId, ViewRegistry, Views};
use crate::runtime::step::{CommitListener, PoisonPolicy, StepSettings};
use crate::runtime::{InstanceStatus, MemberIdentity, Members, Threads, TopicSettings, known_labels};
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
            GatewayLimits { waiting: config.http.max_waiting_commands },
            metrics.commands.clone(),
            clock.clone(),
        );
        // Without them a task can be lost between its outcomes and the marker that makes them final.
        let in_transactions = config.processing.guarantee == Guarantee::ExactlyOnce;
        let connector = Connector {
            names,
            topics: topic_settings(config, &topology),
            step: StepSettings {
                listener: results.filter(|_| in_transactions).map(|results| listener(results, &commands)),
                ..step_settings(config, &topology)
            },
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
        if !ends_within(&self.connector, LEAVE_CONNECTOR_AFTER) {
            tracing::warn!("Kafka does not answer; leaving without it");
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

/// Outcomes that are committed here need not be read back by whoever waits for them here.
fn listener(results: &str, commands: &Commands) -> CommitListener {
    let commands = commands.clone();
    CommitListener::new(results, move |record| commands.deliver(record))
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
