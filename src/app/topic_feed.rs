//! Writing to an application's source topics from outside of its topology: for sample traffic and tools.

use std::time::Duration;

use super::config::Config;
use super::instance::{InstanceError, kafka_settings};
use crate::kafka::{KafkaAdmin, RecordWriter};
use crate::ports::{Admin as _, NewTopic, PortError};
use crate::record::{OutputRecord, Timestamp};
use crate::topology::Names;

/// How long the last records may take.
const FLUSH_WITHIN: Duration = Duration::from_secs(60);

/// An open way to topics.
pub struct TopicFeed {
    writer: RecordWriter,
    names: Names,
}

/// Records cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The configuration does not allow it.
    #[error(transparent)]
    Config(#[from] InstanceError),
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] PortError),
    /// A topic is missing.
    #[error("topic {0} does not exist, and topics.create is off")]
    NoTopic(String),
}

impl TopicFeed {
    /// Makes the topics (names without prefix) that are missing, if the configuration says so.
    pub fn open(config: &Config, topics: &[&str]) -> Result<Self, FeedError> {
        let settings = kafka_settings(config, "feed");
        settings.check().map_err(InstanceError::Properties)?;
        let names = Names::new(&config.application.id, &config.application.topic_prefix);
        let mut admin = KafkaAdmin::new(&settings)?;
        for name in topics.iter().map(|topic| names.topic(topic)) {
            if admin.topics(&[&name])?.pop().flatten().is_some() {
                continue;
            }
            if !config.topics.create {
                return Err(FeedError::NoTopic(name));
            }
            admin.create_topic(&NewTopic {
                name,
                partitions: config.topics.partitions,
                replication_factor: config.topics.replication_factor,
                settings: vec![("cleanup.policy".into(), "delete".into()), ("retention.ms".into(), "-1".into())],
            })?;
        }
        Ok(TopicFeed { writer: RecordWriter::new(&settings)?, names })
    }

    /// Hands over one record; `None` as time lets the producer stamp it.
    pub fn write(&self, topic: &str, key: &str, value: &[u8], timestamp: Option<Timestamp>) -> Result<(), FeedError> {
        let topic = self.names.topic(topic);
        self.writer.write(&OutputRecord {
            topic: &topic,
            partition: None,
            key: Some(key.as_bytes()),
            value: Some(value),
            timestamp,
            headers: Default::default(),
        })?;
        Ok(())
    }

    /// Waits until all records are on the brokers.
    pub fn flush(&self) -> Result<(), FeedError> {
        self.writer.flush(FLUSH_WITHIN)?;
        Ok(())
    }
}
