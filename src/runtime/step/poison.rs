//! What becomes of a record that cannot be processed.

use crate::ports::{InputMessage, PortError, PortErrorClass, TransactionalProducer};
use crate::processor::ProcessorError;
use crate::record::{Header, Headers, OutputRecord, Timestamp, TopicPartition};
use crate::topology::Names;

/// What becomes of a record that cannot be processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoisonPolicy {
    /// It goes to `<topic>-dlq`, in the transaction that moves past it.
    #[default]
    DeadLetter,
    /// It is logged and counted.
    Skip,
    /// Nothing is processed any more.
    Stop,
}

/// A dead letter: the record as it was, and headers that tell where, why and when.
pub(super) struct DeadLetter<'a, M> {
    pub source: &'a TopicPartition,
    pub message: &'a M,
    pub error: &'a ProcessorError,
    pub now: Timestamp,
}

impl<M: InputMessage> DeadLetter<'_, M> {
    /// Hands it to the producer. A record so large that it has no room for the headers goes without its value, which stays where the
    /// headers point: it must not stop everything behind it.
    pub(super) fn send(&self, producer: &mut impl TransactionalProducer) -> Result<(), PortError> {
        let topic = Names::dead_letters(&self.source.topic);
        let mut record = OutputRecord {
            topic: &topic,
            partition: Some(self.source.partition),
            key: self.message.key(),
            value: self.message.value(),
            timestamp: Some(self.message.timestamp()),
            headers: self.headers(self.error.to_string()),
        };
        match producer.send(&record) {
            Err(error) if error.class == PortErrorClass::RecordTooLarge && record.value.is_some() => {
                record.value = None;
                record.headers = self.headers(format!("{} (the value is left out, it is too large beside these headers)", self.error));
                producer.send(&record)
            }
            sent => sent,
        }
    }

    fn headers(&self, detail: String) -> Headers {
        let text = |name: &str, value: String| Header { name: format!("viewmill-dlq-{name}"), value: Some(value.into_bytes()) };
        let mut headers: Vec<Header> = self.message.headers().iter().cloned().collect();
        headers.extend([
            text("topic", self.source.topic.to_string()),
            text("partition", self.source.partition.to_string()),
            text("offset", self.message.offset().to_string()),
            text("error", self.error.kind().to_string()),
            text("detail", detail),
            text("time", self.now.to_string()),
        ]);
        Headers::new(headers)
    }
}
