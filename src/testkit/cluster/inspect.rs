//! What a test may see and change behind the ports.

use std::collections::BTreeMap;

use super::FakeCluster;
use super::broker::Broker;
use super::faults::FaultKind;
use super::log::{Isolation, PartitionLog, StoredRecord, Tombstones};
use super::refusal::Refusal;
use super::transactions::OpenTransaction;
use crate::ports::{LogBounds, PortError};
use crate::record::{Headers, Offset, OutputRecord, Timestamp, TopicPartition};

/// A member as the coordinator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its member id.
    pub member_id: String,
    /// Its instance id if it is a static member.
    pub instance_id: Option<String>,
    /// The tokens of the last complete generation.
    pub tokens: Vec<i32>,
}

impl FakeCluster {
    /// Makes a topic, unless it exists; settings are names and values such as `cleanup.policy`, `compact`.
    pub fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let settings: Vec<(String, String)> = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        self.lock().create(name, partitions, &settings);
    }

    /// Makes a topic of the kind of changelogs and the task log.
    pub fn create_compacted_topic(&self, name: &str, partitions: i32) {
        self.create_topic(name, partitions, &[("cleanup.policy", "compact")]);
    }

    /// Removes a topic with all that it holds.
    pub fn delete_topic(&self, name: &str) {
        self.lock().topics.remove(name);
    }

    /// Forbids or allows everybody to read and write a topic.
    pub fn set_forbidden(&self, name: &str, forbidden: bool) {
        let mut broker = self.lock();
        if forbidden {
            broker.forbidden.insert(name.into());
        } else {
            broker.forbidden.remove(name);
        }
    }

    /// Sets what a record may weigh in bytes (key, value and headers).
    pub fn set_max_record_bytes(&self, bytes: usize) {
        self.lock().max_record_bytes = bytes;
    }

    /// Gives the cluster another id, or none.
    pub fn set_cluster_id(&self, id: Option<&str>) {
        self.lock().cluster_id = id.map(Into::into);
    }

    /// Appends a record outside of any transaction, to the partition given or by its key, and tells where it stands.
    pub fn append(
        &self,
        topic: &str,
        partition: impl Into<Option<i32>>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
    ) -> Result<(TopicPartition, Offset), PortError> {
        let partition = partition.into();
        self.append_record(&OutputRecord { topic, partition, key, value, timestamp: Some(timestamp), headers: Headers::default() })
    }

    /// Appends a record with headers outside of any transaction; without a timestamp the clock's time is taken.
    pub fn append_record(&self, record: &OutputRecord<'_>) -> Result<(TopicPartition, Offset), PortError> {
        let mut broker = self.lock();
        broker.settle();
        let timestamp = record.timestamp.unwrap_or(Timestamp(broker.now_ms()));
        let appended = broker.place(record).and_then(|place| {
            let offset = broker.append_to(&place, record, timestamp, None)?;
            Ok((place, offset))
        });
        appended.map_err(|refusal| refusal.at("append a record", record.topic))
    }

    /// Everything that a partition holds for such a reader, from the log's start. Unknown partitions hold nothing.
    pub fn read_all(&self, topic: &str, partition: i32, isolation: Isolation) -> Vec<StoredRecord> {
        let mut broker = self.lock();
        broker.settle();
        let slice = log(&mut broker, topic, partition).and_then(|log| log.read(log.bounds().start.0, usize::MAX, isolation));
        slice.map(|slice| slice.records.iter().map(|record| record.as_ref().clone()).collect()).unwrap_or_default()
    }

    /// Start, stable end and end of each partition of a topic.
    pub fn bounds(&self, topic: &str) -> Vec<LogBounds> {
        let mut broker = self.lock();
        broker.settle();
        broker.topics.get(topic).map(|topic| topic.partitions.iter().map(|log| log.bounds()).collect()).unwrap_or_default()
    }

    /// The end (high watermark) of each partition of a topic.
    pub fn end_offsets(&self, topic: &str) -> Vec<Offset> {
        self.bounds(topic).into_iter().map(|bounds| bounds.end).collect()
    }

    /// The committed offset of a partition, whatever is pending for it.
    pub fn committed(&self, group: &str, partition: &TopicPartition) -> Option<Offset> {
        let mut broker = self.lock();
        broker.settle();
        broker.group(group).offsets.committed(partition)
    }

    /// Sets or forgets (as after 7 days) a committed offset.
    pub fn set_committed(&self, group: &str, partition: &TopicPartition, offset: Option<Offset>) {
        self.lock().group(group).offsets.set(partition.clone(), offset);
    }

    /// The transactions that are open, or ended with markers still missing.
    pub fn open_transactions(&self) -> Vec<OpenTransaction> {
        let mut broker = self.lock();
        broker.settle();
        broker.open_transactions()
    }

    /// The group's members.
    pub fn members(&self, group: &str) -> Vec<MemberView> {
        let mut broker = self.lock();
        broker.settle();
        let members = broker.group(group).members();
        members
            .map(|(id, instance_id, tokens)| MemberView {
                member_id: id.into(),
                instance_id: instance_id.map(Into::into),
                tokens: tokens.iter().copied().collect(),
            })
            .collect()
    }

    /// The group's generation, and whether no rebalance is under way.
    pub fn generation(&self, group: &str) -> (i32, bool) {
        let mut broker = self.lock();
        broker.settle();
        let group = broker.group(group);
        (group.generation(), group.is_stable())
    }

    /// Makes every member join again.
    pub fn rebalance(&self, group: &str) {
        let mut broker = self.lock();
        broker.settle();
        let now_ms = broker.now_ms();
        broker.group(group).prepare(now_ms);
    }

    /// Raises the epoch of a transactional id as if another process had initialised it.
    pub fn fence(&self, transactional_id: &str) {
        let mut broker = self.lock();
        broker.settle();
        broker.fence(transactional_id);
    }

    /// Compacts every partition of a topic: below the stable end the last record of each key stays, the rest leaves gaps.
    pub fn compact(&self, topic: &str, tombstones: Tombstones) {
        let mut broker = self.lock();
        broker.settle();
        if let Some(topic) = broker.topics.get_mut(topic) {
            topic.partitions.iter_mut().for_each(|log| log.compact(tombstones));
        }
    }

    /// Moves the start of a partition's log up to an offset.
    pub fn delete_records(&self, topic: &str, partition: i32, before: Offset) {
        let mut broker = self.lock();
        broker.settle();
        if let Ok(log) = log(&mut broker, topic, partition) {
            log.delete_before(before.0);
        }
    }

    /// The last lines of what happened: faults, rebalances, events told to members, late requests.
    pub fn trace(&self) -> Vec<String> {
        self.lock().dice.lines()
    }

    /// Adds a line to the trace, so that a simulation's own steps stand between the cluster's.
    pub fn note(&self, what: &str) {
        let mut broker = self.lock();
        broker.settle();
        broker.dice.note(what);
    }

    /// How often each kind of fault was taken.
    pub fn faults_taken(&self) -> BTreeMap<FaultKind, u64> {
        self.lock().dice.taken()
    }
}

/// A log, for tests also of a forbidden topic.
fn log<'a>(broker: &'a mut Broker, topic: &str, partition: i32) -> Result<&'a mut PartitionLog, Refusal> {
    let topic = broker.topics.get_mut(topic).ok_or(Refusal::UnknownTopic)?;
    usize::try_from(partition).ok().and_then(|i| topic.partitions.get_mut(i)).ok_or(Refusal::UnknownTopic)
}
