//! What the librdkafka cases share: names of their own, clients, and reading to the end of a topic.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, NoCustomPartitioner, Producer, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The names and clients of one case.
pub struct Kit {
    /// `host:port` of the broker.
    pub address: String,
    id: String,
}

/// What came back of the records that were sent.
#[derive(Default)]
pub struct Deliveries(Mutex<Vec<Result<i64, KafkaError>>>);

impl ClientContext for Deliveries {}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let told = result.as_ref().map(|record| record.offset()).map_err(|(error, _)| error.clone());
        self.0.lock().unwrap().push(told);
    }
}

/// A producer that keeps what is acknowledged.
pub type TestProducer = BaseProducer<Deliveries>;

impl Kit {
    /// A kit whose names contain the name of the case.
    pub fn new(address: &str, case: &str) -> Kit {
        let last: String = case.rsplit('/').next().unwrap_or_default().replace('_', "-").chars().take(40).collect();
        Kit { address: address.to_owned(), id: format!("conf-{last}-{:08x}", fastrand::u32(..)) }
    }

    /// A name that no other case has.
    pub fn name(&self, kind: &str) -> String {
        format!("{}-{kind}{:04x}", self.id, fastrand::u16(..))
    }

    /// Where every client begins.
    pub fn config(&self, settings: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        // It comes back soon where it goes away.
        config.set("reconnect.backoff.max.ms", "500");
        for (name, value) in settings {
            config.set(*name, *value);
        }
        config
    }

    /// An administrator.
    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config(&[]).create().unwrap()
    }

    /// A topic of the case's own.
    pub fn topic(&self, partitions: i32, settings: &[(&str, &str)]) -> String {
        let name = self.name("t");
        let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let made = wait(self.admin().create_topics(&[topic], &options())).unwrap();
        assert_eq!(made, [Ok(name.clone())]);
        self.appeared(&name, partitions);
        name
    }

    /// Waits until a created topic is known and led: real Kafka answers before its brokers have heard of it.
    pub fn appeared(&self, topic: &str, partitions: i32) {
        let consumer = self.consumer(&[]);
        for partition in 0..partitions {
            eventually("the topic has appeared", || consumer.fetch_watermarks(topic, partition, PATIENCE).is_ok());
        }
    }

    /// A producer.
    pub fn producer(&self, settings: &[(&str, &str)]) -> TestProducer {
        let mut config = self.config(&[("linger.ms", "5"), ("message.timeout.ms", "20000")]);
        for (name, value) in settings {
            config.set(*name, *value);
        }
        config.create_with_context(Deliveries::default()).unwrap()
    }

    /// A producer whose transactions are initialized.
    pub fn transactional(&self, id: &str, settings: &[(&str, &str)]) -> TestProducer {
        let settings = [&[("transactional.id", id)], settings].concat();
        let producer = self.producer(&settings);
        producer.init_transactions(PATIENCE).unwrap();
        producer
    }

    /// A consumer, of a group of its own unless the settings name one.
    pub fn consumer(&self, settings: &[(&str, &str)]) -> BaseConsumer {
        let group = self.name("g");
        let usual = [
            ("group.id", group.as_str()),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("fetch.wait.max.ms", "200"),
            ("heartbeat.interval.ms", "300"),
            ("session.timeout.ms", "6000"),
        ];
        self.config(&[&usual, settings].concat()).create().unwrap()
    }

    /// All records that a reader of this isolation finds in the partition now.
    pub fn read_now(&self, topic: &str, partition: i32, isolation: &str) -> Vec<OwnedMessage> {
        let consumer = self.consumer(&[("isolation.level", isolation), ("enable.partition.eof", "true")]);
        consumer.assign(&at(topic, partition, Offset::Beginning)).unwrap();
        let (mut records, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            assert!(Instant::now() < deadline, "no end of {topic} after {} records", records.len());
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(record)) => records.push(record.detach()),
                Some(Err(KafkaError::PartitionEOF(_))) => return records,
                Some(Err(error)) => panic!("{topic} cannot be read: {error}"),
                None => {}
            }
        }
    }

    /// The committed values of partition 0, once no transaction is open.
    pub fn values(&self, topic: &str) -> Vec<String> {
        self.settle(topic);
        texts(&self.read_now(topic, 0, "read_committed"))
    }

    /// Waits until no transaction is open in partition 0: real Kafka answers a commit before the markers are in the log.
    pub fn settle(&self, topic: &str) {
        let end = |isolation| self.consumer(&[("isolation.level", isolation)]).fetch_watermarks(topic, 0, PATIENCE).unwrap().1;
        eventually("no open transaction", || end("read_committed") == end("read_uncommitted"));
    }

    /// The committed offset of partition 0.
    pub fn committed(&self, group: &str, topic: &str) -> Offset {
        let consumer = self.consumer(&[("group.id", group)]);
        let found = consumer.committed_offsets(at(topic, 0, Offset::Invalid), PATIENCE).unwrap();
        found.find_partition(topic, 0).unwrap().offset()
    }
}

/// Sends values to a partition; gives their offsets, or the first error.
pub fn send(producer: &TestProducer, topic: &str, partition: i32, values: &[&str]) -> Result<Vec<i64>, KafkaError> {
    for value in values {
        let record: BaseRecord<'_, str, str> = BaseRecord::to(topic).partition(partition).payload(value);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(PATIENCE)?;
    std::mem::take(&mut *producer.context().0.lock().unwrap()).into_iter().collect()
}

/// A transaction of these values.
pub fn transact(producer: &TestProducer, topic: &str, values: &[&str], commit: bool) {
    producer.begin_transaction().unwrap();
    send(producer, topic, 0, values).unwrap();
    if commit { producer.commit_transaction(PATIENCE) } else { producer.abort_transaction(PATIENCE) }.unwrap();
}

/// One partition at an offset.
pub fn at(topic: &str, partition: i32, offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset).unwrap();
    list
}

/// The values as text.
pub fn texts(records: &[OwnedMessage]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned()).collect()
}

/// This many records, in the order in which they come.
pub fn poll(consumer: &BaseConsumer, count: usize) -> Vec<OwnedMessage> {
    let (mut records, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while records.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records came", records.len());
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(record)) => records.push(record.detach()),
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => panic!("{error}"),
            None => {}
        }
    }
    records
}

/// A broker that is away for a moment is no error to a consumer.
fn is_passing(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown))
}

/// The error code of what was refused.
///
/// # Panics
/// When it was not.
pub fn code<T>(result: Result<T, KafkaError>) -> RDKafkaErrorCode {
    match result {
        Ok(_) => panic!("not refused"),
        Err(error) => error.rdkafka_error_code().unwrap_or_else(|| panic!("refused without a code: {error}")),
    }
}

/// Waits until the check is true.
pub fn eventually(what: &str, check: impl FnMut() -> bool) {
    eventually_within(PATIENCE * 2, what, check);
}

/// Waits until the check is true, for so long.
pub fn eventually_within(time: Duration, what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + time;
    while !check() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// How long administrators wait.
pub fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

/// Waits for an answer.
pub fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer)
}
