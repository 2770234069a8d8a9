//! Topics and the cluster's id, asked at start.
//!
//! Nothing here makes a topic by merely asking for it: topics are described by requests that never do.

mod inspection;
mod removal;
mod rights;

pub use inspection::{BrokerAddress, TopicAccess, TopicRefusal, may_use_transactional_ids};
pub use removal::GroupMember;
pub use rights::{Right, Rights};

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic as NativeTopic, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::error::{from_code, from_kafka, from_native};
use super::ffi::{Patience, Queue};
use super::log::ClientLog;
use super::settings::KafkaSettings;
use crate::ports::{Admin, NewTopic, PortError, PortErrorClass, TopicInfo};

/// How long one request may take, its way and the work of the brokers included.
const MAX_REQUEST: Duration = Duration::from_secs(10);
/// How long a change may take until all brokers tell of it.
const MAX_SPREAD: Duration = Duration::from_secs(10);
/// How often is asked whether a change is known.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// How often a wait looks whether it was given up.
const LOOK: Duration = Duration::from_millis(50);

/// The application's client for administration.
pub struct KafkaAdmin {
    events: Queue<AdminClient<ClientLog>>,
    client: Arc<AdminClient<ClientLog>>,
    stop: Arc<AtomicBool>,
    max_request: Duration,
}

impl KafkaAdmin {
    /// A client that connects when it is first asked.
    ///
    /// # Errors
    /// `Fatal` when librdkafka refuses the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, PortError> {
        const OPERATION: &str = "make a client for administration";
        let name = format!("{}/admin", settings.member_name());
        let client: AdminClient<ClientLog> =
            settings.admin().create_with_context(ClientLog::new(name.clone())).map_err(|error| from_kafka(OPERATION, &name, &error))?;
        let client = Arc::new(client);
        let events = Queue::main(&client).ok_or_else(|| PortError::new(PortErrorClass::Fatal, OPERATION, "the client has no queue"))?;
        Ok(KafkaAdmin { events, client, stop: Arc::default(), max_request: MAX_REQUEST })
    }

    /// Waits end soon, as retriable, once this is true.
    pub fn stopped_by(self, stop: Arc<AtomicBool>) -> Self {
        KafkaAdmin { stop, ..self }
    }

    /// One request takes at most so long, its way and the work of the brokers included.
    pub fn within(self, max_request: Duration) -> Self {
        KafkaAdmin { max_request, ..self }
    }

    /// Reads what librdkafka logged meanwhile; rdkafka reads only the answers.
    fn serve(&self) {
        while let Some(event) = self.events.next_event(Duration::ZERO) {
            event.tell(self.client.inner().context());
        }
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.max_request)).operation_timeout(Some(self.max_request))
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn metadata(&self, operation: &'static str) -> Result<Metadata, PortError> {
        self.serve();
        self.client.inner().fetch_metadata(None, self.max_request).map_err(|error| self.failed(operation, "the cluster", &error))
    }

    /// Waits for one of rdkafka's futures.
    fn wait<T>(
        &self,
        operation: &'static str,
        resource: &str,
        answer: impl Future<Output = Result<T, KafkaError>>,
    ) -> Result<T, PortError> {
        match block_on(answer, || self.is_stopped()) {
            Some(answer) => answer.map_err(|error| self.failed(operation, resource, &error)),
            None => Err(PortError::new(PortErrorClass::Retriable, operation, format!("{resource}: given up, the instance stops"))),
        }
    }

    /// Asks by a call of `ffi`, which waits itself.
    fn ask<T>(
        &self,
        operation: &'static str,
        resource: &str,
        call: impl FnOnce(&Patience<'_>) -> Result<T, super::ffi::NativeError>,
    ) -> Result<T, PortError> {
        self.serve();
        let is_over = || {
            self.serve();
            self.is_stopped()
        };
        call(&Patience { timeout: self.max_request, is_over: &is_over })
            .map_err(|error| self.explained(from_native(operation, resource, &error)))
    }

    /// A failure; one that says no more than "timed out" also tells what the client last complained about.
    fn failed(&self, operation: &'static str, resource: &str, error: &KafkaError) -> PortError {
        let failure = match error {
            KafkaError::AdminOp(code) => from_code(operation, resource, *code),
            error => from_kafka(operation, resource, error),
        };
        self.explained(failure)
    }

    fn explained(&self, mut failure: PortError) -> PortError {
        self.serve();
        if let (true, Some(last)) = (failure.is_retriable(), self.client.inner().context().last_error()) {
            failure.detail = format!("{}; last: {last}", failure.detail);
        }
        failure
    }

    /// Waits until the cluster tells of a topic with so many partitions, each with a leader.
    fn wait_for(&self, operation: &'static str, name: &str, partitions: i32) -> Result<(), PortError> {
        let deadline = Instant::now() + MAX_SPREAD;
        loop {
            if self.partitions_with_leader(operation, name)? >= partitions {
                return Ok(());
            }
            if Instant::now() >= deadline || self.is_stopped() {
                let detail = format!("{name}: the cluster does not show its {partitions} partitions yet");
                return Err(PortError::new(PortErrorClass::Retriable, operation, detail));
            }
            thread::sleep(ASK_EVERY);
        }
    }

    fn partitions_with_leader(&self, operation: &'static str, name: &str) -> Result<i32, PortError> {
        let metadata = self.metadata(operation)?;
        let count = metadata
            .topics()
            .iter()
            .filter(|topic| topic.name() == name && topic.error().is_none())
            .flat_map(|topic| topic.partitions())
            .filter(|partition| partition.error().is_none() && partition.leader() >= 0)
            .count();
        Ok(count as i32)
    }
}

/// The topic setting that says how far in the future a record's time may lie.
const TIME_LIMIT: &str = "message.timestamp.after.max.ms";

impl Admin for KafkaAdmin {
    fn cluster_id(&mut self) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "ask for the cluster's id";
        // Without an answer the id is simply absent: a broker must have been reached before that means anything.
        self.metadata(OPERATION)?;
        Ok(self.client.inner().fetch_cluster_id(self.max_request).filter(|id| !id.is_empty()))
    }

    fn topics(&mut self, names: &[&str]) -> Result<Vec<Option<TopicInfo>>, PortError> {
        let found = self.access(names)?.into_iter().zip(names);
        found
            .map(|(access, name)| match access {
                TopicAccess::Missing => Ok(None),
                TopicAccess::There(topic, _) => Ok(Some(topic)),
                TopicAccess::Hidden => {
                    let detail = format!("{name}: not authorized: allow {} on this topic", Right::Describe);
                    Err(PortError::new(PortErrorClass::Unauthorized, "look topics up", detail))
                }
            })
            .collect()
    }

    fn create_topic(&mut self, topic: &NewTopic) -> Result<(), PortError> {
        const OPERATION: &str = "create a topic";
        let native = native(topic);
        let answer = self.wait(OPERATION, &topic.name, self.client.create_topics([&native], &self.options()))?;
        for result in answer {
            match result {
                Ok(_) => self.wait_for(OPERATION, &topic.name, topic.partitions)?,
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => self.wait_for(OPERATION, &topic.name, 1)?,
                // Brokers before 3.6 do not know it, and take any time.
                Err((_, RDKafkaErrorCode::InvalidConfig)) if topic.settings.iter().any(|(name, _)| name == TIME_LIMIT) => {
                    let settings = topic.settings.iter().filter(|(name, _)| name != TIME_LIMIT).cloned().collect();
                    return self.create_topic(&NewTopic { settings, ..topic.clone() });
                }
                Err((name, code)) => return Err(from_code(OPERATION, &name, code)),
            }
        }
        Ok(())
    }

    fn grow_topic(&mut self, name: &str, total: i32) -> Result<(), PortError> {
        const OPERATION: &str = "add partitions to a topic";
        let total_partitions = usize::try_from(total)
            .map_err(|_| PortError::new(PortErrorClass::Fatal, OPERATION, format!("{name}: {total} is no number of partitions")))?;
        if self.partitions_with_leader(OPERATION, name)? >= total {
            return Ok(());
        }
        let growth = NewPartitions::new(name, total_partitions);
        let answer = self.wait(OPERATION, name, self.client.create_partitions([&growth], &self.options()))?;
        for result in answer {
            // Another instance may have been faster, to the same total or beyond; what counts is what is there.
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::InvalidPartitions)) => self.wait_for(OPERATION, name, total)?,
                Err((name, code)) => return Err(from_code(OPERATION, &name, code)),
            }
        }
        Ok(())
    }
}

fn native(topic: &NewTopic) -> NativeTopic<'_> {
    let replication = TopicReplication::Fixed(topic.replication_factor.unwrap_or(-1));
    let native = NativeTopic::new(&topic.name, topic.partitions, replication);
    topic.settings.iter().fold(native, |native, (name, value)| native.set(name, value))
}

/// Waits for one of rdkafka's futures, which end by themselves: librdkafka answers every request within its time. No runtime, so
/// that it can be called on a thread of one. `None` when it was given up.
fn block_on<F: Future>(future: F, is_over: impl Fn() -> bool) -> Option<F::Output> {
    struct Caller(Thread);
    impl Wake for Caller {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Caller(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    while !is_over() {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => thread::park_timeout(LOOK),
        }
    }
    None
}
