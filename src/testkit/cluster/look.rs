//! A look behind the ports at one moment: what a test that checks rules after every step needs, cheaply.

use super::FakeCluster;
use super::broker::Broker;
use super::log::{Isolation, StoredRecord};
use super::transactions::OpenTransaction;
use crate::ports::LogBounds;
use crate::record::{Offset, TopicPartition};

/// The cluster as it is while a [`FakeCluster::look`] lasts.
pub struct Look<'a> {
    broker: &'a mut Broker,
}

impl FakeCluster {
    /// Looks at the cluster while nothing else happens to it.
    pub fn look<T>(&self, work: impl FnOnce(&mut Look<'_>) -> T) -> T {
        let mut broker = self.lock();
        broker.settle();
        work(&mut Look { broker: &mut broker })
    }
}

impl Look<'_> {
    /// Shows the committed records from an offset on, in order; answers where to read on: the stable end. Unknown partitions hold
    /// nothing.
    pub fn read(&mut self, topic: &str, partition: i32, from: Offset, mut visit: impl FnMut(&StoredRecord)) -> Offset {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        let log = self.broker.topics.get(topic).and_then(|topic| topic.partitions.get(index));
        let slice = log.and_then(|log| log.read(from.max(log.bounds().start).0, usize::MAX, Isolation::ReadCommitted).ok());
        let Some(slice) = slice else { return from };
        slice.records.iter().for_each(|record| visit(record));
        from.max(Offset(slice.next))
    }

    /// Start, stable end and end of a partition; all zero when it is not known.
    pub fn bounds(&self, topic: &str, partition: i32) -> LogBounds {
        let index = usize::try_from(partition).unwrap_or(usize::MAX);
        let log = self.broker.topics.get(topic).and_then(|topic| topic.partitions.get(index));
        log.map_or(LogBounds { start: Offset(0), stable_end: Offset(0), end: Offset(0) }, |log| log.bounds())
    }

    /// True when no transaction holds back records of a partition.
    pub fn is_stable(&self, topic: &str, partition: i32) -> bool {
        let bounds = self.bounds(topic, partition);
        bounds.stable_end == bounds.end
    }

    /// The committed offset of a partition, if there is one; `None` while a transaction may still change it.
    pub fn stable_offset(&mut self, group: &str, partition: &TopicPartition) -> Option<Option<Offset>> {
        self.broker.group(group).offsets.stable(partition).ok()
    }

    /// The transactions that are open, or ended with markers still missing.
    pub fn open_transactions(&self) -> Vec<OpenTransaction> {
        self.broker.open_transactions()
    }

    /// Offset commits that the group took though the member did not hold the token in that generation, as text.
    pub fn stray_commits(&self) -> &[String] {
        &self.broker.stray_commits
    }

    /// The clock's reading.
    pub fn now_ms(&self) -> i64 {
        self.broker.now_ms()
    }
}
