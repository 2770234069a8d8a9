//! What became of the records of the open transaction: counted, and the last offset of each partition kept.

use std::sync::Arc;

use hashbrown::HashMap;
use rdkafka::error::RDKafkaErrorCode;

use super::error::class_of;
use super::ffi::{Delivery, Event};
use crate::ports::{Delivered, PortError, PortErrorClass};
use crate::record::{Offset, TopicPartition};

/// A partition as delivery reports name it: the topic's identity and the partition.
type Place = (usize, i32);

/// The books of one producer's open transaction.
#[derive(Default)]
pub(super) struct Deliveries {
    sent: u64,
    reported: u64,
    last: HashMap<Place, i64>,
    failure: Option<Failure>,
    is_gapped: bool,
}

/// The first record that was not delivered as it should be.
struct Failure {
    place: Place,
    offset: i64,
    error: Option<RDKafkaErrorCode>,
}

impl Deliveries {
    /// A record was handed to librdkafka.
    pub(super) fn note_sent(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// How many records have no report yet.
    pub(super) fn pending(&self) -> u64 {
        self.sent.saturating_sub(self.reported)
    }

    /// Takes in the reports of an event, if it has any. Reports come in runs of one partition, so the map is touched once a run.
    pub(super) fn absorb(&mut self, event: &Event) {
        let mut run: Option<(Place, i64)> = None;
        event.deliveries(|delivery| {
            self.reported += 1;
            let place = (delivery.topic_identity(), delivery.partition);
            if delivery.error.is_some() || delivery.offset < 0 {
                self.note_failure(place, delivery);
                return;
            }
            match &mut run {
                Some((current, last)) if *current == place => *last = delivery.offset.max(*last),
                other => {
                    if let Some(finished) = other.replace((place, delivery.offset)) {
                        self.note_last(finished);
                    }
                }
            }
        });
        if let Some(finished) = run {
            self.note_last(finished);
        }
    }

    fn note_last(&mut self, (place, offset): (Place, i64)) {
        let last = self.last.entry(place).or_insert(offset);
        *last = offset.max(*last);
    }

    /// Keeps the first cause: librdkafka purges all other records when one fails, and may report those before it.
    fn note_failure(&mut self, place: Place, delivery: &Delivery) {
        let failure = Failure { place, offset: delivery.offset, error: delivery.error };
        self.is_gapped |= failure.is_cause();
        if self.failure.as_ref().is_none_or(|known| !known.is_cause() && failure.is_cause()) {
            self.failure = Some(failure);
        }
    }

    /// True once a record failed by itself, until the producer is replaced: its sequence number is missing at the broker, and
    /// librdkafka 2.12 would fail the next transaction for that.
    pub(super) fn is_gapped(&self) -> bool {
        self.is_gapped
    }

    /// True when it is known why the transaction failed, or no more reports can tell.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.is_cause() || self.pending() == 0)
    }

    /// The last offset of each partition, or what went wrong first.
    ///
    /// # Errors
    /// `Unauthorized`, `UnknownTopic`, `RecordTooLarge` (refused by the broker though librdkafka took it), `FencedProducer`; `Fatal` when
    /// the broker refuses the record's time or form; anything else `RequiresAbort`, also a good report without an offset: a duplicate's place in the log is not known.
    pub(super) fn delivered(&self, names: &HashMap<usize, Arc<str>>) -> Result<Delivered, PortError> {
        let partition = |(topic, partition): Place| {
            names.get(&topic).map(|name| TopicPartition { topic: name.clone(), partition }).unwrap_or_else(|| {
                // Handles to topics live as long as the producer, so every report's topic has a name.
                TopicPartition::new("?", partition)
            })
        };
        match &self.failure {
            Some(failure) => Err(failure.describe(&partition(failure.place))),
            None => Ok(self.last.iter().map(|(place, offset)| (partition(*place), Offset(*offset))).collect()),
        }
    }

    /// Forgets everything, for a new producer.
    pub(super) fn clear(&mut self) {
        *self = Deliveries::default();
    }

    /// Forgets the transaction, for the next one of the same producer.
    pub(super) fn reset(&mut self) {
        self.sent = 0;
        self.reported = 0;
        self.last.clear();
        self.failure = None;
    }
}

impl Failure {
    fn is_cause(&self) -> bool {
        !matches!(self.error, Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
    }

    fn describe(&self, partition: &TopicPartition) -> PortError {
        const OPERATION: &str = "deliver the records of the transaction";
        let Some(code) = self.error else {
            let detail = format!("{partition}: delivered without an offset ({})", self.offset);
            return PortError::new(PortErrorClass::RequiresAbort, OPERATION, detail);
        };
        let class = match class_of(code) {
            // The broker will never take it, however often it is sent.
            _ if matches!(code, RDKafkaErrorCode::InvalidTimestamp | RDKafkaErrorCode::InvalidRecord) => PortErrorClass::Fatal,
            class @ (PortErrorClass::Unauthorized
            | PortErrorClass::UnknownTopic
            | PortErrorClass::RecordTooLarge
            | PortErrorClass::FencedProducer) => class,
            _ => PortErrorClass::RequiresAbort,
        };
        PortError::new(class, OPERATION, format!("{partition}: {code}"))
    }
}
