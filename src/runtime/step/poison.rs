//! What becomes of a record that cannot be processed.

use crate::ports::InputMessage;
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
pub(super) struct DeadLetter {
    topic: String,
    partition: i32,
    timestamp: Timestamp,
    headers: Headers,
}

impl DeadLetter {
    pub(super) fn new<M: InputMessage>(source: &TopicPartition, message: &M, error: &ProcessorError, now: Timestamp) -> Self {
        let text = |name: &str, value: String| Header { name: format!("viewmill-dlq-{name}"), value: Some(value.into_bytes()) };
        let mut headers: Vec<Header> = message.headers().iter().cloned().collect();
        headers.extend([
            text("topic", source.topic.to_string()),
            text("partition", source.partition.to_string()),
            text("offset", message.offset().to_string()),
            text("error", error.kind().to_string()),
            text("detail", error.to_string()),
            text("time", now.to_string()),
        ]);
        DeadLetter {
            topic: Names::dead_letters(&source.topic),
            partition: source.partition,
            timestamp: message.timestamp(),
            headers: Headers::new(headers),
        }
    }

    /// As a record with the key and value of the message that it was made of.
    pub(super) fn record<'a, M: InputMessage>(&'a self, message: &'a M) -> OutputRecord<'a> {
        OutputRecord {
            topic: &self.topic,
            partition: Some(self.partition),
            key: message.key(),
            value: message.value(),
            timestamp: Some(self.timestamp),
            headers: self.headers.clone(),
        }
    }
}
