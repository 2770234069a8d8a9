//! How each kind of client is set up, and which properties of librdkafka are not the user's to set.
//!
//! Three layers, later ones win: our defaults for speed and bounds, the user's properties, and what correctness rests on.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::error::from_kafka;
use crate::ports::{PortError, PortErrorClass};

/// All that the clients of one stream thread need to know.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port,…`.
    pub bootstrap_servers: String,
    /// Properties of librdkafka that are passed through; see [`reserved_property`].
    pub properties: BTreeMap<String, String>,
    /// The consumer group, and the beginning of all names.
    pub application_id: String,
    /// Which instance of the application this is; stable over restarts.
    pub instance_id: String,
    /// Which thread of the instance: `1`, `2`, …; stable over restarts.
    pub thread: String,
    /// Instead of the member's name; see [`KafkaSettings::for_tokens`].
    transactional_id: Option<String>,
    /// Whether members keep their place in the group over a quick restart (`group.instance.id`).
    pub static_membership: bool,
    /// After how long without a heartbeat a member counts as dead.
    pub session_timeout_ms: u32,
    /// The longest time between two polls of the group; also how long a rebalance waits for a member.
    pub max_poll_interval_ms: u32,
    /// After how long the coordinator aborts an open transaction.
    pub transaction_timeout_ms: u32,
    /// How long the producer waits for the answer to a request, unless half of its transaction is shorter. Two in a row must fit into
    /// what ending a transaction may take.
    pub producer_request_timeout_ms: u32,
    /// How often the group's consumer looks by itself whether the task log has grown; `None`: never, because librdkafka would rejoin in
    /// the middle of a revoke.
    pub group_metadata_refresh_ms: Option<u32>,
}

impl KafkaSettings {
    /// Settings with the defaults that the guarantees were tried with.
    pub fn new(bootstrap_servers: impl Into<String>, application_id: impl Into<String>, instance_id: impl Into<String>) -> Self {
        KafkaSettings {
            bootstrap_servers: bootstrap_servers.into(),
            properties: BTreeMap::new(),
            application_id: application_id.into(),
            instance_id: instance_id.into(),
            thread: "0".into(),
            transactional_id: None,
            static_membership: true,
            session_timeout_ms: 10_000,
            max_poll_interval_ms: 30_000,
            transaction_timeout_ms: 10_000,
            producer_request_timeout_ms: 5_000,
            group_metadata_refresh_ms: None,
        }
    }

    /// The same settings for another thread.
    pub fn for_thread(&self, thread: impl Into<String>) -> Self {
        KafkaSettings { thread: thread.into(), ..self.clone() }
    }

    /// The same settings for another way into the cluster.
    pub fn through(&self, bootstrap_servers: impl Into<String>) -> Self {
        KafkaSettings { bootstrap_servers: bootstrap_servers.into(), ..self.clone() }
    }

    /// Settings of the producer that gives tokens their meaning: the same for all instances, so that each fences the others.
    pub fn for_tokens(&self) -> Self {
        KafkaSettings { transactional_id: Some(format!("{}-tokens", self.application_id)), ..self.clone() }
    }

    /// `<application-id>-<instance-id>-<thread>`: the static member's id and, unless told otherwise, the transactional id.
    pub fn member_name(&self) -> String {
        format!("{}-{}-{}", self.application_id, self.instance_id, self.thread)
    }

    fn transactional_id(&self) -> String {
        self.transactional_id.clone().unwrap_or_else(|| self.member_name())
    }

    /// Refuses properties that are ours, and those that librdkafka does not know, by name. Asks no broker.
    ///
    /// # Errors
    /// `Fatal`, naming the property.
    pub fn check(&self) -> Result<(), PortError> {
        const OPERATION: &str = "read the properties for kafka";
        for name in self.properties.keys() {
            if let Some(reason) = reserved_property(name) {
                return Err(PortError::new(PortErrorClass::Fatal, OPERATION, format!("`{name}` cannot be set: {reason}")));
            }
        }
        let readers = [self.data_consumer(), self.changelog_reader(), self.members_reader(), self.record_reader()];
        let others = [self.membership(), self.topic_follower(), self.producer(), self.plain_producer(), self.record_sender(), self.admin()];
        for config in readers.into_iter().chain(others) {
            config.create_native_config().map_err(|error| from_kafka(OPERATION, "kafka.properties", &error))?;
        }
        Ok(())
    }

    /// The group's consumer: subscribes to the task log, fetches nothing.
    ///
    /// It must not look for new partitions by itself: librdkafka (2.12.1) rejoins when it sees some, even while a revoke waits to be
    /// served. The tokens of that revoke are then given to others though this member still works on them, and it never joins again,
    /// because it waits for the end of a rebalance that it has left. Whoever leads the group asks for the partitions at each rebalance,
    /// and an instance that adds some joins afterwards.
    pub(super) fn membership(&self) -> ClientConfig {
        let mut config = self.consumer(&[("queued.max.messages.kbytes", "64"), ("queued.min.messages", "10")]);
        if self.static_membership {
            config.set("group.instance.id", self.member_name());
        }
        config
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", self.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", (self.session_timeout_ms / 5).max(1).to_string())
            .set("max.poll.interval.ms", self.max_poll_interval_ms.max(self.session_timeout_ms).to_string())
            .set("topic.metadata.refresh.interval.ms", self.group_metadata_refresh_ms.map_or("-1".into(), |ms| ms.to_string()))
            // Tokens are assigned at the end and paused; where reading would begin never matters.
            .set("auto.offset.reset", "latest");
        config
    }

    /// The consumer of sources. Memory is partitions × (queue + one fetch), and a fetch is bounded as it is on the wire: what
    /// compresses by ten unpacks to ten times as much.
    pub(super) fn data_consumer(&self) -> ClientConfig {
        self.reader(&[
            // The end of a partition is told when a fetch comes back empty, and a partition that is added waits for the running
            // fetch of the others: both wait so long.
            ("fetch.wait.max.ms", "20"),
            // Two fetches: 2 MiB took 40 MiB more at the peak with twelve partitions, and were no faster.
            ("queued.max.messages.kbytes", "512"),
            ("queued.min.messages", "20000"),
            ("fetch.message.max.bytes", "262144"),
        ])
    }

    /// The consumer behind a changelog reader: few partitions at a time, so longer queues; each is read to its end, so
    /// ends must be told at once.
    pub(super) fn changelog_reader(&self) -> ClientConfig {
        self.reader(&[
            ("fetch.wait.max.ms", "5"),
            ("queued.max.messages.kbytes", "4096"),
            ("queued.min.messages", "50000"),
            ("fetch.message.max.bytes", "524288"),
        ])
    }

    /// The consumer behind the reader of the members topic: one small partition, read for as long as the instance runs.
    pub(super) fn members_reader(&self) -> ClientConfig {
        self.reader(&[
            // A record comes at once; so long only an empty answer waits.
            ("fetch.wait.max.ms", "500"),
            ("queued.max.messages.kbytes", "1024"),
            ("queued.min.messages", "1000"),
            ("fetch.message.max.bytes", "262144"),
        ])
    }

    /// The consumer behind a reader of single records: what lies behind them is fetched in vain, so fetches are small.
    pub(super) fn record_reader(&self) -> ClientConfig {
        self.reader(&[
            ("fetch.wait.max.ms", "5"),
            ("queued.max.messages.kbytes", "512"),
            ("queued.min.messages", "200"),
            ("fetch.message.max.bytes", "65536"),
        ])
    }

    /// A client that asks for high watermarks only.
    pub(super) fn high_watermarks(&self) -> ClientConfig {
        let mut config = self.consumer(&[]);
        config.set("isolation.level", "read_uncommitted");
        config
    }

    /// The transactional producer.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.plain_producer();
        config.set("transactional.id", self.transactional_id()).set("transaction.timeout.ms", self.transaction_timeout_ms.to_string());
        config
    }

    /// The producer without transactions. Idempotent, which also means that all replicas in sync acknowledge each record: none is
    /// there twice or out of order for a retry, so the end of a log can be reckoned.
    pub(super) fn plain_producer(&self) -> ClientConfig {
        let mut config = self.base(&[
            ("linger.ms", "5"),
            ("compression.type", "lz4"),
            ("queue.buffering.max.kbytes", "65536"),
            ("queue.buffering.max.messages", "500000"),
            ("batch.num.messages", "10000"),
            ("batch.size", "524288"),
        ]);
        config
            .set("enable.idempotence", "true")
            // A record that cannot be delivered must fail while its transaction still lives.
            .set("message.timeout.ms", (self.transaction_timeout_ms / 10 * 9).max(1).to_string())
            .set("socket.timeout.ms", (self.transaction_timeout_ms / 2).min(self.producer_request_timeout_ms).max(900).to_string())
            .set("socket.max.fails", "1")
            // Kafka's own default, so that keys land where other clients put them.
            .set("partitioner", "murmur2_random");
        config
    }

    /// A producer that shall be refused: its id, which no instance has, and settings that brokers do not grant.
    pub(super) fn transactional_id_probe(&self) -> (String, ClientConfig) {
        let id = format!("{}-check", self.application_id);
        let mut config = self.producer();
        // The largest that librdkafka can calculate with.
        config.set("transactional.id", &id).set("transaction.timeout.ms", (i32::MAX - 1_000).to_string());
        (id, config)
    }

    /// A producer outside of transactions.
    pub(super) fn record_writer(&self) -> ClientConfig {
        let mut config = self.base(&[("linger.ms", "20"), ("compression.type", "lz4"), ("queue.buffering.max.kbytes", "65536")]);
        config.set("enable.idempotence", "true").set("partitioner", "murmur2_random");
        config
    }

    /// The producer of the members topic: what it could not send soon is out of date.
    pub(super) fn members_writer(&self) -> ClientConfig {
        let mut config = self.base(&[("linger.ms", "0"), ("queue.buffering.max.kbytes", "4096")]);
        // Idempotent, so that no late copy of a record lies behind a newer one.
        config.set("enable.idempotence", "true").set("message.timeout.ms", "5000").set("socket.timeout.ms", "5000");
        config
    }

    /// The producer of commands: somebody waits for each record.
    pub(super) fn record_sender(&self) -> ClientConfig {
        let mut config = self.base(&[
            ("linger.ms", "0"),
            ("compression.type", "lz4"),
            ("queue.buffering.max.kbytes", "32768"),
            ("queue.buffering.max.messages", "100000"),
        ]);
        config
            .set("enable.idempotence", "true")
            // While one request is under way, what comes waits for the next: many commands share one.
            .set("max.in.flight.requests.per.connection", "1")
            .set("message.timeout.ms", "10000")
            .set("socket.timeout.ms", "5000")
            .set("partitioner", "murmur2_random");
        config
    }

    /// The consumer behind a follower: somebody waits for what comes.
    pub(super) fn topic_follower(&self) -> ClientConfig {
        let mut config = self.consumer(&[
            // A record comes at once; so long only an empty answer waits.
            ("fetch.wait.max.ms", "500"),
            ("queued.max.messages.kbytes", "4096"),
            ("queued.min.messages", "10000"),
            ("fetch.message.max.bytes", "1048576"),
            ("fetch.error.backoff.ms", "100"),
        ]);
        config.set("auto.offset.reset", "error");
        config
    }

    /// The client for administration.
    pub(super) fn admin(&self) -> ClientConfig {
        self.base(&[])
    }

    /// A consumer that is assigned by us and reads what is committed.
    fn reader(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut all = vec![
            ("fetch.error.backoff.ms", "100"),
            // The default of 1 s would starve a reader that empties its short queue in milliseconds.
            ("fetch.queue.backoff.ms", "10"),
            ("check.crcs", "true"),
        ];
        all.extend_from_slice(defaults);
        let mut config = self.consumer(&all);
        config.set("auto.offset.reset", "error").set("enable.partition.eof", "true");
        config
    }

    fn consumer(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = self.base(defaults);
        config
            .set("group.id", &self.application_id)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        config
    }

    fn base(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set_log_level(RDKafkaLogLevel::Info)
            .set("client.id", self.member_name())
            .set("socket.timeout.ms", "10000")
            .set("socket.connection.setup.timeout.ms", "10000")
            // With the default of 100 a new client that has learnt the brokers' ids waits 50 ms before it connects to one of them: half of this,
            // but 11 at least, lies between two connections.
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "1000")
            // So long a topic that is missing may just have been made.
            .set("topic.metadata.propagation.max.ms", "5000");
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in &self.properties {
            if name == "debug" {
                config.set_log_level(RDKafkaLogLevel::Debug);
            }
            config.set(name, value);
        }
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("allow.auto.create.topics", "false")
            // Pushing metrics to the cluster can hold up the end of a client.
            .set("enable.metrics.push", "false");
        config
    }
}

/// Why a property of librdkafka is not the user's to set, `None` when it is.
pub fn reserved_property(name: &str) -> Option<&'static str> {
    const GROUP: &str = "members, their time-outs and their placement are the engine's";
    const TRANSACTION: &str = "exactly-once rests on it";
    const POSITION: &str = "positions come from the task log";
    match name {
        "bootstrap.servers" | "metadata.broker.list" => Some("it has a key of its own, kafka.bootstrap_servers"),
        "transactional.id" => Some("it is made of application, instance and thread"),
        "transaction.timeout.ms" | "message.timeout.ms" | "delivery.timeout.ms" | "socket.max.fails" => Some(TRANSACTION),
        "acks" | "request.required.acks" | "retries" | "message.send.max.retries" => Some(TRANSACTION),
        "max.in.flight" | "max.in.flight.requests.per.connection" => Some(TRANSACTION),
        "isolation.level" => Some(TRANSACTION),
        "delivery.report.only.error" | "dr_cb" | "dr_msg_cb" => Some("every delivery report is checked"),
        "partitioner" => Some("keys are placed like Kafka's own producer places them"),
        "partition.assignment.strategy" | "session.timeout.ms" | "heartbeat.interval.ms" | "max.poll.interval.ms" => Some(GROUP),
        "auto.offset.reset" | "auto.commit.enable" | "auto.commit.interval.ms" | "offset.store.method" => Some(POSITION),
        "allow.auto.create.topics" => Some("topics are made by topics.create, with the settings they need"),
        "log.queue" | "log_level" => Some("log.level decides"),
        _ if name.starts_with("group.") => Some(GROUP),
        // Those about TLS and SASL describe the way to the cluster.
        _ if name.starts_with("enable.ssl.") || name.starts_with("enable.sasl.") => None,
        _ if name.starts_with("enable.") => Some(POSITION),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(properties: &[(&str, &str)]) -> KafkaSettings {
        let mut settings = KafkaSettings::new("127.0.0.1:1", "shop", "a").for_thread("2");
        settings.properties = properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        settings
    }

    #[test]
    fn what_the_guarantees_rest_on_cannot_be_set() {
        for name in ["transactional.id", "group.id", "group.instance.id", "isolation.level", "enable.auto.commit", "acks"] {
            assert!(reserved_property(name).is_some(), "{name}");
            let refused = settings(&[(name, "1")]).check().unwrap_err();
            assert!(refused.detail.contains(name), "{refused}");
        }
    }

    #[test]
    fn the_way_to_the_cluster_can_be_set() {
        for name in ["security.protocol", "sasl.username", "ssl.ca.location", "enable.ssl.certificate.verification", "linger.ms"] {
            assert_eq!(reserved_property(name), None, "{name}");
        }
        settings(&[("security.protocol", "ssl"), ("linger.ms", "7"), ("enable.ssl.certificate.verification", "false")]).check().unwrap();
    }

    #[test]
    fn an_unknown_property_is_refused_by_name() {
        let refused = settings(&[("linger.millis", "7")]).check().unwrap_err();
        assert!(refused.detail.contains("linger.millis"), "{refused}");
    }

    #[test]
    fn the_users_properties_win_over_defaults_and_lose_against_guarantees() {
        let producer = settings(&[("linger.ms", "7"), ("partitioner", "random")]).producer();
        assert_eq!(producer.get("linger.ms"), Some("7"));
        assert_eq!(producer.get("partitioner"), Some("murmur2_random"));
        assert_eq!(producer.get("transactional.id"), Some("shop-a-2"));
    }

    #[test]
    fn a_dynamic_member_has_no_instance_id() {
        let mut settings = settings(&[]);
        assert_eq!(settings.membership().get("group.instance.id"), Some("shop-a-2"));
        settings.static_membership = false;
        assert_eq!(settings.membership().get("group.instance.id"), None);
    }
}
