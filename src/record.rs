//! What travels: records, their headers, and where they stand in a log.
//!
//! Offsets, timestamps and partitions are newtypes or structs, so that one is never passed for another.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Anything that can travel on an edge of a topology.
pub trait Data: Clone + Send + 'static {}
impl<T: Clone + Send + 'static> Data for T {}

/// Milliseconds since the Unix epoch (Kafka's record time).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Before every record: the stream time of a task that has seen nothing.
    pub const MIN: Timestamp = Timestamp(i64::MIN);

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A position in one partition's log, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offset(pub i64);

impl Offset {
    /// The offset after this one.
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A topic as a topology names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicName {
    /// Shared with others; without prefix.
    Declared(Arc<str>),
    /// Internal: the repartition of this name.
    Repartition(Arc<str>),
}

impl fmt::Display for TopicName {
    /// As in descriptions and in the test driver: `order-events`, `by-word-repartition`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicName::Declared(name) => f.write_str(name),
            TopicName::Repartition(name) => write!(f, "{name}-repartition"),
        }
    }
}

/// One partition of one topic. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicPartition {
    /// The topic's full name, prefix included.
    pub topic: Arc<str>,
    /// The partition, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names a partition.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.topic, self.partition)
    }
}

/// How far a reader is: for each source partition the offset of the next record.
///
/// Written as `View-Position`: `topic:partition=next,…`, ordered by topic and partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position(pub BTreeMap<TopicPartition, Offset>);

impl Position {
    /// Reads what [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Position> {
        let partition = |text: &str| {
            let (place, next) = text.rsplit_once('=')?;
            let (topic, partition) = place.rsplit_once(':')?;
            let (partition, next) = (partition.parse::<i32>().ok()?, next.parse::<i64>().ok()?);
            let is_one = !topic.is_empty() && partition >= 0 && next >= 0;
            is_one.then(|| (TopicPartition::new(topic, partition), Offset(next)))
        };
        let parts = text.split(',').filter(|_| !text.is_empty());
        parts.map(partition).collect::<Option<_>>().map(Position)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (partition, next)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{partition}={next}")?;
        }
        Ok(())
    }
}

/// One header of a record; the value may be Kafka's null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The header's name; names may repeat.
    pub name: String,
    /// The header's bytes.
    pub value: Option<Vec<u8>>,
}

/// The headers of a record, in order. Cheap to clone; no allocation when there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Vec<Header>>>);

impl Headers {
    /// Makes headers from a list.
    pub fn new(list: Vec<Header>) -> Self {
        Headers(if list.is_empty() { None } else { Some(Arc::new(list)) })
    }

    /// All headers, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Header> {
        self.0.iter().flat_map(|list| list.iter())
    }

    /// The last header of a name: Kafka's rule when names repeat.
    pub fn last(&self, name: &str) -> Option<&[u8]> {
        self.0.as_ref()?.iter().rev().find(|h| h.name == name)?.value.as_deref()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// What flows over an edge: a key, a value, their time and their headers.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// Event time.
    pub timestamp: Timestamp,
    /// Headers, passed through from the source.
    pub headers: Headers,
}

impl<K, V> Record<K, V> {
    /// A record without headers.
    pub fn new(key: K, value: V, timestamp: Timestamp) -> Self {
        Record { key, value, timestamp, headers: Headers::default() }
    }

    /// The same record with another value.
    pub fn with_value<W>(self, value: W) -> Record<K, W> {
        Record { key: self.key, value, timestamp: self.timestamp, headers: self.headers }
    }

    /// The same record with another key.
    pub fn with_key<L>(self, key: L) -> Record<L, V> {
        Record { key, value: self.value, timestamp: self.timestamp, headers: self.headers }
    }
}

/// Bytes on their way to Kafka: an output, a changelog record, a marker or a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRecord<'a> {
    /// The topic's full name.
    pub topic: &'a str,
    /// The partition; `None` lets Kafka's murmur2 choose by the key.
    pub partition: Option<i32>,
    /// The key's bytes; `None` is Kafka's null.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is Kafka's null (a tombstone).
    pub value: Option<&'a [u8]>,
    /// The record's time; `None` lets the producer stamp it.
    pub timestamp: Option<Timestamp>,
    /// Headers.
    pub headers: Headers,
}

/// The seed in Kafka's own murmur2.
const KAFKA_SEED: u32 = 0x9747_b28c;

/// The partition that Kafka's default partitioner gives to a key: murmur2, positive, modulo the count.
pub fn partition_for(key: &[u8], partitions: i32) -> i32 {
    let hash = murmur2::murmur2(key, KAFKA_SEED) & 0x7fff_ffff;
    (hash % partitions.max(1) as u32) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_javas_partitioner_sends_them() {
        // org.apache.kafka.common.utils.Utils.murmur2 of these keys, from Kafka's UtilsTest.
        for (key, hash) in [("21", -973_932_308_i32), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)] {
            let positive = (hash & 0x7fff_ffff) as u32;
            for partitions in [1, 3, 4, 12] {
                assert_eq!(partition_for(key.as_bytes(), partitions), (positive % partitions as u32) as i32, "{key}");
            }
        }
    }

    #[test]
    fn a_position_is_written_in_order() {
        let position = Position(
            [("b", 1, 7), ("a", 10, 2), ("a", 2, 0)]
                .map(|(topic, partition, next)| (TopicPartition::new(topic, partition), Offset(next)))
                .into(),
        );
        assert_eq!(position.to_string(), "a:2=0,a:10=2,b:1=7");
        assert_eq!(Position::parse("a:2=0,a:10=2,b:1=7"), Some(position));
        assert_eq!(Position::parse(""), Some(Position::default()));
        for odd in [",", "a", "a:1", "a=1", ":1=1", "a:-1=1", "a:1=-1", "a:1=1,", "a:x=1"] {
            assert_eq!(Position::parse(odd), None, "{odd}");
        }
    }
}
