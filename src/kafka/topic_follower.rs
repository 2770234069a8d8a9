//! Follows a topic from where it ended when the follower was made.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::{Message as _, Offset as NativeOffset, TopicPartitionList};

use super::error::from_kafka;
use super::settings::KafkaSettings;
use crate::ports::{FollowedRecord, PortError, PortErrorClass, TopicFollower};
use crate::record::{Header, Headers};

const OPERATION: &str = "follow a topic";
/// How long one question may take.
const MAX_ASK: Duration = Duration::from_secs(5);
/// So many records are taken at once at most.
const MAX_TAKEN: usize = 10_000;

/// [`TopicFollower`] on librdkafka.
pub struct KafkaTopicFollower {
    consumer: BaseConsumer,
    topic: String,
}

impl KafkaTopicFollower {
    /// A follower of all partitions that the topic has now. What is committed from this moment on will be read.
    ///
    /// # Errors
    /// Kafka does not answer, or has no such topic.
    pub fn new(settings: &KafkaSettings, topic: &str) -> Result<Self, PortError> {
        let failed = |error| from_kafka(OPERATION, topic, &error);
        let consumer: BaseConsumer = settings.topic_follower().create().map_err(failed)?;
        let metadata = consumer.fetch_metadata(Some(topic), MAX_ASK).map_err(failed)?;
        let partitions = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
        let partitions = partitions.map(|found| found.partitions()).filter(|partitions| !partitions.is_empty());
        let partitions =
            partitions.ok_or_else(|| PortError::new(PortErrorClass::Retriable, OPERATION, format!("{topic}: is not there")))?;
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            // Asked for, not left to the first fetch: that could come after a record that somebody waits for.
            let (_, stable_end) = consumer.fetch_watermarks(topic, partition.id(), MAX_ASK).map_err(failed)?;
            list.add_partition_offset(topic, partition.id(), NativeOffset::Offset(stable_end)).map_err(failed)?;
        }
        consumer.assign(&list).map_err(failed)?;
        Ok(KafkaTopicFollower { consumer, topic: topic.to_owned() })
    }
}

impl TopicFollower for KafkaTopicFollower {
    fn follow(&mut self, at_most: Duration, each: &mut dyn FnMut(FollowedRecord<'_>)) -> Result<(), PortError> {
        let mut wait = at_most;
        for _ in 0..MAX_TAKEN {
            let Some(polled) = self.consumer.poll(wait) else { return Ok(()) };
            match polled {
                Ok(message) => {
                    let headers = message.headers().map(|headers| {
                        let header = |header: rdkafka::message::Header<'_, &[u8]>| Header {
                            name: header.key.into(),
                            value: header.value.map(<[u8]>::to_vec),
                        };
                        headers.iter().map(header).collect()
                    });
                    let headers = Headers::new(headers.unwrap_or_default());
                    each(FollowedRecord { key: message.key(), value: message.payload(), headers: &headers });
                }
                Err(error) => {
                    let error = from_kafka(OPERATION, &self.topic, &error);
                    // librdkafka goes on by itself where it was; nothing is passed over.
                    if !error.is_retriable() {
                        return Err(error);
                    }
                    tracing::debug!(%error, "follows a topic on");
                }
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }
}
