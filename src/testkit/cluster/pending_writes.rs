//! What a producer's client holds for its open transaction: records not yet delivered, and what takes part already.

use std::collections::{BTreeSet, VecDeque};

use super::broker::Broker;
use super::refusal::Refusal;
use super::transactions::Session;
use crate::clock::Clock as _;
use crate::ports::Delivered;
use crate::record::{Headers, Offset, OutputRecord, Timestamp, TopicPartition};

/// A copied record on its way to a partition.
pub(super) struct Buffered {
    place: TopicPartition,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    timestamp: Option<Timestamp>,
    headers: Headers,
}

impl Buffered {
    /// Puts it into the log outside of any transaction.
    pub(super) fn append(&self, broker: &mut Broker) -> Result<Offset, Refusal> {
        let timestamp = self.timestamp.unwrap_or(broker.clock.now());
        broker.append_to(&self.place, &self.record(), timestamp, None)
    }

    fn record(&self) -> OutputRecord<'_> {
        OutputRecord {
            topic: &self.place.topic,
            partition: Some(self.place.partition),
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            timestamp: self.timestamp,
            headers: self.headers.clone(),
        }
    }
}

/// The client's side of one transaction.
#[derive(Default)]
pub(super) struct PendingWrites {
    buffered: VecDeque<Buffered>,
    /// The partitions that the coordinator knows of, as far as the client knows.
    added: BTreeSet<TopicPartition>,
    /// True once a request with offsets went out.
    pub(super) offsets_sent: bool,
    /// The last offset of each partition.
    pub(super) delivered: Delivered,
}

impl PendingWrites {
    /// Copies a record for a partition.
    pub(super) fn push(&mut self, place: TopicPartition, record: &OutputRecord<'_>) {
        self.buffered.push_back(Buffered {
            place,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            timestamp: record.timestamp,
            headers: record.headers.clone(),
        });
    }

    /// How many records wait.
    pub(super) fn len(&self) -> usize {
        self.buffered.len()
    }

    /// True when the coordinator may know of this transaction, so that it must be told of its end.
    pub(super) fn reached_the_coordinator(&self) -> bool {
        self.offsets_sent || !self.added.is_empty()
    }

    /// Delivers the oldest record that waits; it stays when that is refused.
    pub(super) fn deliver_next(&mut self, broker: &mut Broker, id: &str, session: Session) -> Result<(), Refusal> {
        let Some(next) = self.buffered.front() else { return Ok(()) };
        if !self.added.contains(&next.place) {
            broker.add_partition(id, session, &next.place)?;
            self.added.insert(next.place.clone());
        }
        let offset = broker.produce(id, session, &next.place, &next.record())?;
        if let Some(done) = self.buffered.pop_front() {
            self.delivered.insert(done.place, offset);
        }
        Ok(())
    }

    /// The same outside of transactions.
    pub(super) fn deliver_next_plain(&mut self, broker: &mut Broker) -> Result<(), Refusal> {
        let Some(next) = self.buffered.front() else { return Ok(()) };
        let offset = next.append(broker)?;
        if let Some(done) = self.buffered.pop_front() {
            self.delivered.insert(done.place, offset);
        }
        Ok(())
    }

    /// Takes the oldest records that wait.
    pub(super) fn take(&mut self, count: usize) -> impl Iterator<Item = Buffered> + '_ {
        self.buffered.drain(..count)
    }
}
