//! One event of a history.

use serde::Deserialize;
use serde_json::value::RawValue;
use viewmill::ports::LogRecord;
use viewmill::record::TopicPartition;

use crate::events::{Axis, Event};

/// An event and where it stands.
#[derive(Debug)]
pub struct Entry {
    /// Where it stands: the topic with its prefix.
    pub partition: TopicPartition,
    /// The event.
    pub event: Event,
    /// When it happened, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// The version of its topic's events that it made.
    pub(super) number: u64,
    offset: i64,
    value: Vec<u8>,
}

/// What is written as it stands.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Entry {
    /// `None` for what is no event of this order and topic.
    pub(super) fn read(order_id: &str, partition: &TopicPartition, record: LogRecord) -> Option<Entry> {
        let value = record.value?;
        let event = Event::from_json(&value).ok()?;
        let is_ours = record.key.as_deref() == Some(order_id.as_bytes()) && event.aggregate_id() == order_id;
        (is_ours && partition.topic.ends_with(event.axis().topic())).then(|| Entry {
            partition: partition.clone(),
            time_ms: event.envelope.time_ms().unwrap_or(record.timestamp.as_millis()),
            event,
            number: 0,
            offset: record.offset.0,
            value,
        })
    }

    /// The side of the order that it moves.
    pub fn axis(&self) -> Axis {
        self.event.axis()
    }

    /// Its offset.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Its version, if its writer counts.
    pub fn version(&self) -> Option<u64> {
        self.event.envelope.version()
    }

    /// Its data, digit for digit; none where it has none.
    pub fn data(&self) -> Option<&RawValue> {
        serde_json::from_slice::<Written<'_>>(&self.value).ok()?.data
    }

    /// Its place in the order of a history.
    pub fn key(&self) -> (i64, (u8, u64, i64)) {
        (self.time_ms, (self.axis() as u8, self.number, self.offset))
    }
}
