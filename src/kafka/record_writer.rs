//! Writes records outside of transactions: for tools that feed topics, such as sample traffic, and for the members topic.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};

use super::KafkaSettings;
use super::error::from_kafka;
use crate::ports::{PortError, PortErrorClass};
use crate::record::OutputRecord;

/// How long a write waits for room in the queue.
const ROOM_WITHIN: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Failures(AtomicU64);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An idempotent producer with Kafka's murmur2 partitioner. Headers are not written.
pub struct RecordWriter {
    producer: BaseProducer<Failures>,
}

impl RecordWriter {
    /// A writer; brokers are reached with the first records.
    pub fn new(settings: &KafkaSettings) -> Result<Self, PortError> {
        Self::with_config(&settings.record_writer())
    }

    /// A writer of the members topic: what cannot be sent within seconds is dropped, and counts as refused.
    pub fn for_members(settings: &KafkaSettings) -> Result<Self, PortError> {
        Self::with_config(&settings.members_writer())
    }

    fn with_config(config: &ClientConfig) -> Result<Self, PortError> {
        let producer = config.create_with_context(Failures::default()).map_err(|e| from_kafka("make a producer", "", &e))?;
        Ok(RecordWriter { producer })
    }

    /// Hands over one record; waits while the queue is full.
    pub fn write(&self, record: &OutputRecord<'_>) -> Result<(), PortError> {
        let until = Instant::now() + ROOM_WITHIN;
        loop {
            let mut kafka_record = BaseRecord::<[u8], [u8]>::to(record.topic);
            kafka_record.key = record.key;
            kafka_record.payload = record.value;
            kafka_record.partition = record.partition;
            kafka_record.timestamp = record.timestamp.map(|time| time.as_millis());
            match self.producer.send(kafka_record) {
                Ok(()) => {
                    self.producer.poll(Duration::ZERO);
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if Instant::now() < until => {
                    self.producer.poll(Duration::from_millis(20));
                }
                Err((error, _)) => return Err(from_kafka("write a record", record.topic, &error)),
            }
        }
    }

    /// Waits until all records are on the brokers; fails when some were refused since the last call.
    pub fn flush(&self, within: Duration) -> Result<(), PortError> {
        self.producer.flush(within).map_err(|e| from_kafka("write records", "", &e))?;
        match self.producer.context().0.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            failed => Err(PortError::new(PortErrorClass::Fatal, "write records", format!("{failed} were refused"))),
        }
    }
}
