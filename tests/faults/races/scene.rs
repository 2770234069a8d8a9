//! An application of running functions whose instances reach Kafka directly or through a proxy, and what it must put out.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use viewmill::kafka::{KafkaAdmin, KafkaSettings};
use viewmill::ports::{Admin, NewTopic};
use viewmill::record::partition_for;

use super::proxy::Proxy;
use crate::support::{Instance, LOOK_INTERVAL, PATIENCE, Run};

/// Partitions of the topic of numbers: with so many each of three instances has one.
pub const PARTITIONS: i32 = 5;

/// How long librdkafka may take for what needs no waiting.
pub const SOON: Duration = Duration::from_secs(20);

/// Whether members keep their place in the group over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    Static,
    Dynamic,
}

/// How an instance reaches Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Direct,
    Proxied,
}

pub struct Scene {
    pub proxy: Proxy,
    pub run: Run,
    settings: Vec<(&'static str, &'static str)>,
    producer: BaseProducer,
}

impl Scene {
    /// A scene whose instances have these environment variables, beside a short session.
    pub fn new(name: &str, members: Members, settings: &[(&'static str, &'static str)]) -> Scene {
        // Tests may begin in the same millisecond, by which runs are told apart.
        let rules = if settings.iter().any(|(name, _)| *name == "VIEWMILL_SABOTAGE") { "naive" } else { "kept" };
        let run = Run::of(&format!("{name}-{members:?}-{rules}").to_lowercase(), crate::TOPOLOGIES);
        let mut all = vec![("VIEWMILL_FAULTS_SESSION_TIMEOUT_MS", "2000"), ("VIEWMILL__PROCESSING__STREAM_THREADS", "1")];
        if members == Members::Dynamic {
            all.push(("VIEWMILL_FAULTS_DYNAMIC_MEMBERSHIP", "1"));
        }
        all.extend_from_slice(settings);
        let producer = ClientConfig::new().set("bootstrap.servers", &run.bootstrap).create().unwrap();
        let scene = Scene { proxy: Proxy::before(&run.bootstrap), run, settings: all, producer };
        for (topic, partitions) in [("numbers", PARTITIONS), ("visits", 1)] {
            let topic = NewTopic { name: scene.topic(topic), partitions, replication_factor: None, settings: Vec::new() };
            scene.admin().create_topic(&topic).unwrap();
        }
        scene
    }

    pub fn task_log(&self) -> String {
        self.topic(&format!("{}-tasks", self.run.id))
    }

    fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.run.topic_prefix)
    }

    pub fn admin(&self) -> KafkaAdmin {
        KafkaAdmin::new(&KafkaSettings::new(&self.run.bootstrap, &self.run.id, "test")).unwrap()
    }

    pub fn start(&self, name: &str, way: Way, settings: &[(&str, &str)]) -> Instance {
        let proxied = self.proxy.bootstrap();
        let mut all = self.settings.clone();
        if way == Way::Proxied {
            all.push(("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", &proxied));
        }
        all.extend_from_slice(settings);
        Instance::start(&self.run, name, &all)
    }

    /// By which name the clients of an instance's stream thread tell themselves.
    pub fn client(&self, instance: &str) -> String {
        format!("{}-{instance}-1", self.run.id)
    }

    /// Writes the next number to these partitions, each under the one key that it has here.
    pub fn write(&self, partitions: &[i32], number: i64) {
        let (topic, value) = (self.topic("numbers"), number.to_string());
        for partition in partitions {
            let key = key_of(*partition);
            self.producer.send(BaseRecord::to(&topic).partition(*partition).key(&key).payload(&value)).unwrap();
        }
        self.producer.flush(SOON).unwrap();
    }

    /// What readers of committed data find in an output topic for the key of a partition, in order.
    pub fn committed(&self, output: &str, partition: i32) -> Vec<i64> {
        let topic = self.topic(output);
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.run.bootstrap)
            .set("group.id", format!("{}-check", self.run.id))
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "10")
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(&topic), SOON).unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            assignment.add_partition_offset(&topic, partition.id(), Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let (mut ends, mut values) = (0, Vec::new());
        while ends < assignment.count() {
            match consumer.poll(SOON).expect("the topic can be read") {
                Ok(message) if message.key() == Some(key_of(partition).as_bytes()) => {
                    values.push(std::str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap());
                }
                Ok(_) => {}
                Err(KafkaError::PartitionEOF(_)) => ends += 1,
                Err(error) => panic!("{topic}: {error}"),
            }
        }
        values
    }

    /// Waits until the numbers 1 to `last` of a partition have come out, or more than that.
    pub fn await_counts(&self, partition: i32, last: usize, within: Duration) {
        let what = format!("{last} counts of partition {partition}");
        eventually(&what, within, || (self.committed("counts", partition).len() >= last).then_some(()));
    }

    /// What was lost or came out twice, of a partition to which the numbers 1 to `last` were written.
    fn faults(&self, partition: i32, last: i64) -> Vec<String> {
        let expected: [(&str, Vec<i64>); 3] = [
            ("counts", (1..=last).collect()),
            ("sums", (1..=last).scan(0, |sum, number| Some(*sum + number).inspect(|next| *sum = *next)).collect()),
            ("minima", (1..=last).map(|_| 1).collect()),
        ];
        let differs = |(output, expected): &(&str, Vec<i64>)| {
            let found = self.committed(output, partition);
            (found != *expected).then(|| format!("{output} of partition {partition}: {found:?} instead of {expected:?}"))
        };
        expected.iter().filter_map(differs).collect()
    }

    /// Waits until more has come out of a partition than was written to it.
    pub fn await_doubled(&self, partition: i32, last: usize) {
        let too_many =
            || ["counts", "sums", "minima"].map(|output| self.committed(output, partition)).into_iter().find(|out| out.len() > last);
        let found = eventually("a record to count twice", SOON, too_many);
        println!("{}: partition {partition} gave {found:?} for {last} records", self.run.id);
    }

    /// Fails when something was lost or came out twice.
    pub fn assert_exact(&self, partitions: &[i32], last: i64) {
        for partition in partitions {
            assert_eq!(self.faults(*partition, last), Vec::<String>::new(), "{}", self.run.id);
        }
    }
}

/// The one key that a partition has here.
fn key_of(partition: i32) -> String {
    (0..).map(|n| format!("k{n}")).find(|key| partition_for(key.as_bytes(), PARTITIONS) == partition).expect("there are enough")
}

/// What an instance says of its tokens; nothing while it does not listen yet.
pub fn tokens_of(instance: &mut Instance) -> Vec<serde_json::Value> {
    let Ok(tasks) = instance.try_get("/v1/tasks") else { return Vec::new() };
    let tasks: serde_json::Value = serde_json::from_str(&tasks.body).unwrap();
    tasks["tasks"].as_array().unwrap().clone()
}

/// Which partitions of the numbers an instance works on.
pub fn partitions_of(instance: &mut Instance) -> Vec<i32> {
    let rows = tokens_of(instance);
    let ours = rows.iter().filter(|row| row["subtopology"] == "numbers" && row["state"] == "active");
    ours.map(|row| row["partition"].as_i64().unwrap() as i32).collect()
}

/// Waits until all partitions are worked on, each by one of these, and each of these works on some.
pub fn await_shared_out(instances: &mut [&mut Instance]) -> Vec<Vec<i32>> {
    eventually("all partitions to be shared out", PATIENCE, || {
        all_owned(instances).filter(|owned| owned.iter().all(|some| !some.is_empty()))
    })
}

/// The partitions of each of these, when they are all, and each of one.
pub fn all_owned(instances: &mut [&mut Instance]) -> Option<Vec<Vec<i32>>> {
    let owned: Vec<Vec<i32>> = instances.iter_mut().map(|instance| partitions_of(instance)).collect();
    let mut all = owned.concat();
    all.sort_unstable();
    (all == (0..PARTITIONS).collect::<Vec<_>>()).then_some(owned)
}

/// Waits until there is an answer.
pub fn eventually<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {within:?} for {what}");
        std::thread::sleep(LOOK_INTERVAL);
    }
}
