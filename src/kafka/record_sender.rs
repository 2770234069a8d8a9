//! The sender of commands: an idempotent producer that tells of each record.

use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};

use super::error::from_kafka;
use super::settings::KafkaSettings;
use crate::ports::{Delivery, PortError, RecordSender};
use crate::record::{Offset, OutputRecord};

const OPERATION: &str = "write a command";

struct Reports {
    name: String,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Mutex<Option<Delivery>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, done: Self::DeliveryOpaque) {
        let told = match result {
            Ok(message) => Ok(Offset(rdkafka::Message::offset(message))),
            Err((error, _)) => Err(from_kafka(OPERATION, &self.name, error)),
        };
        tell(&done, told);
    }
}

fn tell(done: &Mutex<Option<Delivery>>, told: Result<Offset, PortError>) {
    if let Some(done) = done.lock().unwrap_or_else(PoisonError::into_inner).take() {
        done(told);
    }
}

/// [`RecordSender`] on librdkafka, whose reports are read by a thread of its own.
pub struct KafkaRecordSender {
    producer: ThreadedProducer<Reports>,
}

impl KafkaRecordSender {
    /// A sender; brokers are reached with the first records.
    ///
    /// # Errors
    /// `Fatal` when librdkafka refuses the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, PortError> {
        let context = Reports { name: settings.member_name() };
        let producer = settings.record_sender().create_with_context(context).map_err(|e| from_kafka("make a producer", "", &e))?;
        Ok(KafkaRecordSender { producer })
    }
}

impl RecordSender for KafkaRecordSender {
    fn send(&self, record: &OutputRecord<'_>, done: Delivery) {
        let mut headers = OwnedHeaders::new();
        for header in record.headers.iter() {
            headers = headers.insert(Header { key: &header.name, value: header.value.as_deref() });
        }
        let mut kafka_record = BaseRecord::<[u8], [u8], _>::with_opaque_to(record.topic, Box::new(Mutex::new(Some(done)))).headers(headers);
        kafka_record.key = record.key;
        kafka_record.payload = record.value;
        kafka_record.partition = record.partition;
        kafka_record.timestamp = record.timestamp.map(|time| time.as_millis());
        if let Err((error, refused)) = self.producer.send(kafka_record) {
            tell(&refused.delivery_opaque, Err(from_kafka(OPERATION, record.topic, &error)));
        }
    }
}

impl Drop for KafkaRecordSender {
    fn drop(&mut self) {
        // What nobody waits for any more need not be waited for here either.
        let _ = self.producer.flush(std::time::Duration::from_secs(1));
    }
}
