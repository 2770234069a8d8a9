//! Topics and the cluster's id, asked at start.
//!
//! Nothing here makes a topic by merely asking for it: names are looked up in the list of all topics.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic as NativeTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::error::{from_code, from_kafka};
use super::ffi::Queue;
use super::log::ClientLog;
use super::settings::KafkaSettings;
use crate::ports::{Admin, NewTopic, PortError, PortErrorClass, TopicInfo};

/// How long one request may take, its way and the work of the brokers included.
const MAX_REQUEST: Duration = Duration::from_secs(10);
/// How long a change may take until all brokers tell of it.
const MAX_SPREAD: Duration = Duration::from_secs(10);
/// How often is asked whether a change is known.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// The application's client for administration.
pub struct KafkaAdmin {
    events: Queue<AdminClient<ClientLog>>,
    client: Arc<AdminClient<ClientLog>>,
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
        Ok(KafkaAdmin { events, client })
    }

    /// Reads what librdkafka logged meanwhile; rdkafka reads only the answers.
    fn serve(&self) {
        while let Some(event) = self.events.next_event(Duration::ZERO) {
            event.tell(self.client.inner().context());
        }
    }

    fn options() -> AdminOptions {
        AdminOptions::new().request_timeout(Some(MAX_REQUEST)).operation_timeout(Some(MAX_REQUEST))
    }

    fn metadata(&self, operation: &'static str) -> Result<Metadata, PortError> {
        self.serve();
        self.client.inner().fetch_metadata(None, MAX_REQUEST).map_err(|error| self.failed(operation, "the cluster", &error))
    }

    /// A failure; one that says no more than "timed out" also tells what the client last complained about.
    fn failed(&self, operation: &'static str, resource: &str, error: &KafkaError) -> PortError {
        self.serve();
        let mut failure = from_kafka(operation, resource, error);
        if let KafkaError::AdminOp(code) = error {
            failure = from_code(operation, resource, *code);
        }
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
            if Instant::now() >= deadline {
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

impl Admin for KafkaAdmin {
    fn cluster_id(&mut self) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "ask for the cluster's id";
        // Without an answer the id is simply absent: a broker must have been reached before that means anything.
        self.metadata(OPERATION)?;
        Ok(self.client.inner().fetch_cluster_id(MAX_REQUEST).filter(|id| !id.is_empty()))
    }

    fn topics(&mut self, names: &[&str]) -> Result<Vec<Option<TopicInfo>>, PortError> {
        const OPERATION: &str = "look topics up";
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let metadata = self.metadata(OPERATION)?;
        let found: Vec<_> = names.iter().map(|name| metadata.topics().iter().find(|topic| topic.name() == *name)).collect();
        let resources: Vec<_> = found.iter().flatten().map(|topic| ResourceSpecifier::Topic(topic.name())).collect();
        if resources.is_empty() {
            return Ok(vec![None; names.len()]);
        }
        // One answer a resource, in the order asked. rdkafka leaves out why an answer is empty.
        let mut settings = block_on(self.client.describe_configs(&resources, &Self::options()))
            .map_err(|error| self.failed(OPERATION, &names.join(", "), &error))?
            .into_iter();
        found
            .into_iter()
            .map(|topic| {
                let Some(topic) = topic else { return Ok(None) };
                let settings = settings.next().and_then(Result::ok);
                let policy = settings.and_then(|settings| settings.get("cleanup.policy").and_then(|entry| entry.value.clone()));
                match policy {
                    Some(cleanup_policy) => {
                        Ok(Some(TopicInfo { name: topic.name().to_owned(), partitions: topic.partitions().len() as i32, cleanup_policy }))
                    }
                    None => Err(PortError::new(
                        PortErrorClass::Unauthorized,
                        OPERATION,
                        format!("{}: its settings were not told (DescribeConfigs must be allowed)", topic.name()),
                    )),
                }
            })
            .collect()
    }

    fn create_topic(&mut self, topic: &NewTopic) -> Result<(), PortError> {
        const OPERATION: &str = "create a topic";
        let replication = TopicReplication::Fixed(topic.replication_factor.unwrap_or(-1));
        let native = topic
            .settings
            .iter()
            .fold(NativeTopic::new(&topic.name, topic.partitions, replication), |native, (name, value)| native.set(name, value));
        let answer = block_on(self.client.create_topics([&native], &Self::options()))
            .map_err(|error| self.failed(OPERATION, &topic.name, &error))?;
        for result in answer {
            match result {
                Ok(_) => self.wait_for(OPERATION, &topic.name, topic.partitions)?,
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => self.wait_for(OPERATION, &topic.name, 1)?,
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
        let answer =
            block_on(self.client.create_partitions([&growth], &Self::options())).map_err(|error| self.failed(OPERATION, name, &error))?;
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

/// Waits for one of rdkafka's futures, which end by themselves: librdkafka answers every request within its time. No runtime, so
/// that it can be called on a thread of one.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Caller(Thread);
    impl Wake for Caller {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Caller(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
