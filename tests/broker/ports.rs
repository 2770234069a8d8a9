//! The ports on librdkafka against real Apache Kafka: what the engine may rely on.
//!
//! `VIEWMILL_TEST_KAFKA` names the brokers; each test has its own topics, group and transactional ids.

mod administration;
mod consuming;
mod disconnecting;
mod growing;
mod membership;
mod ordering;
mod producing;
mod proxy;
mod reading;
mod throughput;
mod without_transactions;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use viewmill::kafka::{KafkaAdmin, KafkaDataConsumer, KafkaMembership, KafkaMessage, KafkaProducer, KafkaSettings};
use viewmill::ports::{
    Admin, DataConsumer, Delivered, Fetched, Generation, InputMessage, Membership, MembershipEvent, NewTopic, PortError,
    TransactionalProducer,
};
use viewmill::record::{Headers, Offset, OutputRecord, TopicPartition};

/// Longer than anything here should take; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const CALL: Duration = Duration::from_secs(5);

pub fn bootstrap_servers() -> String {
    std::env::var("VIEWMILL_TEST_KAFKA").expect("VIEWMILL_TEST_KAFKA must name a Kafka broker: run scripts/test")
}

/// Settings of an application that no other test knows.
pub fn application() -> KafkaSettings {
    // RUST_LOG=librdkafka=debug and VIEWMILL_TEST_KAFKA_DEBUG=eos,broker show what librdkafka does.
    let _ = tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_test_writer().try_init();
    let mut settings = KafkaSettings::new(bootstrap_servers(), format!("ports-{}", uuid::Uuid::new_v4()), "a");
    settings.session_timeout_ms = 6_000;
    settings.max_poll_interval_ms = 10_000;
    if let Ok(contexts) = std::env::var("VIEWMILL_TEST_KAFKA_DEBUG") {
        settings.properties.insert("debug".into(), contexts);
    }
    settings
}

/// Makes a topic of the application and answers its name.
pub fn topic(settings: &KafkaSettings, name: &str, partitions: i32) -> String {
    let name = format!("{}.{name}", settings.application_id);
    // Some records are of 1970: a broker that looks at their age removes them.
    let settings_of_topic = vec![("retention.ms".to_owned(), "-1".to_owned())];
    let topic = NewTopic { name: name.clone(), partitions, replication_factor: None, settings: settings_of_topic };
    KafkaAdmin::new(settings).unwrap().create_topic(&topic).unwrap();
    name
}

/// A producer that is ready to begin.
pub fn producer(settings: &KafkaSettings) -> KafkaProducer {
    let mut producer = KafkaProducer::new(settings);
    until(|| done(producer.replace(CALL)));
    producer
}

/// Takes `Retriable` for "not yet"; any other error fails the test.
pub fn done<T>(result: Result<T, PortError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) if error.is_retriable() => None,
        Err(error) => panic!("{:?}: {error}", error.class),
    }
}

/// Tries again until there is an answer.
pub fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(Instant::now() < deadline, "gave up after {PATIENCE:?}");
    }
}

pub fn partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

pub fn record<'a>(topic: &'a str, partition: i32, key: &'a str, value: &'a str) -> OutputRecord<'a> {
    OutputRecord {
        topic,
        partition: Some(partition),
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        timestamp: None,
        headers: Headers::default(),
    }
}

/// Begins a transaction and delivers `count` records with values `from`, `from + 1`, … to a partition.
pub fn deliver(producer: &mut KafkaProducer, topic: &str, partition: i32, from: usize, count: usize) -> Delivered {
    producer.begin().unwrap();
    for value in from..from + count {
        producer.send(&record(topic, partition, "key", &value.to_string())).unwrap();
    }
    producer.flush(CALL).unwrap()
}

/// The same, committed.
pub fn commit(producer: &mut KafkaProducer, topic: &str, partition: i32, from: usize, count: usize) -> Delivered {
    let delivered = deliver(producer, topic, partition, from, count);
    until(|| done(producer.commit(CALL)));
    delivered
}

/// A consumer of one partition from an offset.
pub fn consumer(settings: &KafkaSettings, partition: &TopicPartition, from: i64) -> KafkaDataConsumer {
    let mut consumer = KafkaDataConsumer::new(settings).unwrap();
    consumer.assign(&[(partition.clone(), Offset(from))]).unwrap();
    consumer
}

/// Takes from a partition until its end was reached at `end` or later; answers records and that end.
pub fn read_to(consumer: &mut KafkaDataConsumer, partition: &TopicPartition, end: i64) -> (Vec<KafkaMessage>, Offset) {
    let (mut records, mut taken) = (Vec::new(), VecDeque::new());
    let reached = until(|| {
        if consumer.fetch(partition, 1000, &mut taken).unwrap() == 0 {
            consumer.wait(Duration::from_millis(500)).unwrap();
        }
        let mut reached = None;
        for fetched in taken.drain(..) {
            match fetched {
                Fetched::Message(message) => records.push(message),
                Fetched::End(at) if at.0 >= end => reached = Some(at),
                Fetched::End(_) => {}
            }
        }
        reached
    });
    (records, reached)
}

/// The numbers that `deliver` wrote.
pub fn values(records: &[KafkaMessage]) -> Vec<usize> {
    records.iter().map(|record| std::str::from_utf8(record.value().unwrap()).unwrap().parse().unwrap()).collect()
}

/// A member with what it was told, folded.
pub struct Member {
    pub group: KafkaMembership,
    pub tokens: Vec<i32>,
    pub generation: Option<Generation>,
    pub events: Vec<MembershipEvent>,
}

impl Member {
    pub fn join(settings: &KafkaSettings, task_log: &str) -> Self {
        let group = KafkaMembership::join(settings, task_log).unwrap();
        Member { group, tokens: Vec::new(), generation: None, events: Vec::new() }
    }

    pub fn poll(&mut self) -> Result<(), PortError> {
        for event in self.group.poll(Duration::from_millis(50))? {
            match &event {
                MembershipEvent::Assigned { tokens, generation } => {
                    self.tokens.extend(tokens);
                    self.generation = Some(generation.clone());
                }
                MembershipEvent::Revoked { tokens } | MembershipEvent::Lost { tokens } => {
                    self.tokens.retain(|token| !tokens.contains(token));
                }
            }
            self.events.push(event);
        }
        self.tokens.sort_unstable();
        Ok(())
    }

    pub fn generation_id(&self) -> i32 {
        self.generation.as_ref().map_or(-1, |generation| generation.generation_id)
    }
}

/// Polls all members until they are as wanted.
pub fn settle(members: &mut [&mut Member], wanted: impl Fn(&[&mut Member]) -> bool) {
    until(|| {
        members.iter_mut().for_each(|member| member.poll().unwrap());
        wanted(members).then_some(())
    });
}
