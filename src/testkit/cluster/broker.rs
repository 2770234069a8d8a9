//! What the fake cluster keeps behind its lock, and how time and late requests take effect on it.
//!
//! Nothing runs by itself. Each call at a port is one step: first the requests and markers that are due by their number of steps
//! arrive, then the time-outs that lie before the clock's reading happen, in the order of their times, and then the call is served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::faults::{Dice, FaultKind};
use super::group::{Group, GroupDue};
use super::group_client::GroupClient;
use super::log::PartitionLog;
use super::pending_writes::Buffered;
use super::refusal::Refusal;
use super::transactions::{LateRequest, Transactional};
use crate::clock::{Clock, ManualClock};
use crate::ports::TopicInfo;
use crate::record::{Offset, OutputRecord, Timestamp, TopicPartition, partition_for};

/// The default of Kafka's `message.max.bytes` in librdkafka.
const MAX_RECORD_BYTES: usize = 1_000_000;

/// How many calls a late record is under way, at most.
const LATE_CALLS: usize = 12;

/// One topic.
#[derive(Default)]
pub(super) struct Topic {
    pub(super) partitions: Vec<PartitionLog>,
    pub(super) settings: BTreeMap<String, String>,
    /// Counts all topics that were ever made: one that is made again has another.
    pub(super) id: u64,
}

impl Topic {
    pub(super) fn cleanup_policy(&self) -> &str {
        self.settings.get("cleanup.policy").map_or("delete", String::as_str)
    }

    fn delete_retention_ms(&self) -> Option<i64> {
        self.settings.get("delete.retention.ms").map_or(Some(86_400_000), |value| value.parse().ok())
    }
}

/// The cluster's state.
pub(super) struct Broker {
    pub(super) clock: ManualClock,
    pub(super) dice: Dice,
    /// How many calls there have been.
    pub(super) step: u64,
    /// False while nobody answers.
    pub(super) reachable: bool,
    pub(super) cluster_id: Option<String>,
    pub(super) max_record_bytes: usize,
    pub(super) topics: BTreeMap<Arc<str>, Topic>,
    /// Topics that nobody may read or write.
    pub(super) forbidden: BTreeSet<String>,
    pub(super) transactions: BTreeMap<String, Transactional>,
    pub(super) late: Vec<LateRequest>,
    /// Records of clients that are gone, with the step of their arrival.
    pub(super) late_records: Vec<(u64, Buffered)>,
    /// So many calls from now its caller crashes.
    pub(super) crash_in: Option<u64>,
    pub(super) groups: BTreeMap<String, Group>,
    /// The topic whose partitions a group assigns.
    pub(super) group_topics: BTreeMap<String, Arc<str>>,
    pub(super) clients: BTreeMap<u64, GroupClient>,
    pub(super) last_client: u64,
    /// Offset commits that were taken from members that did not hold the token.
    pub(super) stray_commits: Vec<String>,
    pub(super) topics_made: u64,
}

/// Something that time does.
enum Due {
    Transaction(String),
    Group(String, GroupDue),
}

impl Broker {
    pub(super) fn new(seed: u64, clock: ManualClock) -> Self {
        Broker {
            clock,
            dice: Dice::new(seed),
            step: 0,
            reachable: true,
            cluster_id: Some(format!("fake-cluster-{seed}")),
            max_record_bytes: MAX_RECORD_BYTES,
            topics: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            transactions: BTreeMap::new(),
            late: Vec::new(),
            late_records: Vec::new(),
            crash_in: None,
            groups: BTreeMap::new(),
            group_topics: BTreeMap::new(),
            clients: BTreeMap::new(),
            last_client: 0,
            stray_commits: Vec::new(),
            topics_made: 0,
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now().0
    }

    /// A call arrives at a port.
    pub(super) fn enter(&mut self) -> Result<(), Refusal> {
        self.step += 1;
        self.settle();
        self.maybe_crash();
        if self.reachable { Ok(()) } else { Err(Refusal::Unavailable) }
    }

    /// Lets happen what is due by now.
    pub(super) fn settle(&mut self) {
        self.dice.stamp = format!("#{} {} ms:", self.step, self.now_ms());
        if !self.reachable {
            return;
        }
        self.refresh_partition_counts();
        self.land_due(self.step);
        let now_ms = self.now_ms();
        while let Some((at_ms, due)) = self.next_due().filter(|(at_ms, _)| *at_ms <= now_ms) {
            match due {
                Due::Transaction(id) => self.time_out_transaction(&id),
                Due::Group(name, due) => self.group(&name).fall_due(due, at_ms),
            }
        }
        self.take_notes();
    }

    /// Lets everything arrive that was to arrive up to a step.
    pub(super) fn land_due(&mut self, step: u64) {
        let ids: Vec<String> = self.transactions.keys().cloned().collect();
        ids.iter().for_each(|id| self.land_markers(id, step));
        let mut due: Vec<LateRequest> = self.late.extract_if(.., |late| late.due_step <= step).collect();
        due.sort_by_key(|late| late.due_step);
        due.into_iter().for_each(|late| self.land(late));
        let due: Vec<(u64, Buffered)> = self.late_records.extract_if(.., |(at, _)| *at <= step).collect();
        for (_, record) in due {
            // A topic that was deleted meanwhile takes none.
            _ = record.append(self);
        }
    }

    /// Sends records on a long way, on which they keep their order.
    pub(super) fn send_records_late(&mut self, records: impl Iterator<Item = Buffered>) {
        let mut due = self.step;
        for record in records {
            due += 1 + self.dice.up_to(LATE_CALLS) as u64;
            self.late_records.push((due, record));
        }
    }

    /// The process that calls ends here, in the middle of what it was doing, if a test said so: at the beginning of a call, or at its end
    /// when the cluster has done what was asked.
    pub(super) fn maybe_crash(&mut self) {
        match &mut self.crash_in {
            Some(0) => {
                self.crash_in = None;
                std::panic::resume_unwind(Box::new(super::Crash));
            }
            Some(calls) => *calls -= 1,
            None => {}
        }
    }

    fn next_due(&self) -> Option<(i64, Due)> {
        let transactions = self.transactions.iter().filter_map(|(id, t)| Some((t.expires_ms()?, Due::Transaction(id.clone()))));
        let groups = self.groups.iter().filter_map(|(name, group)| {
            let (at_ms, due) = group.next_due()?;
            Some((at_ms, Due::Group(name.clone(), due)))
        });
        transactions.chain(groups).min_by_key(|(at_ms, _)| *at_ms)
    }

    fn refresh_partition_counts(&mut self) {
        for (name, topic) in &self.group_topics {
            if let (Some(group), Some(topic)) = (self.groups.get_mut(name), self.topics.get(topic)) {
                group.partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            }
        }
    }

    /// Moves what the groups noted into the trace.
    pub(super) fn take_notes(&mut self) {
        for (name, group) in &mut self.groups {
            group.notes.drain(..).for_each(|note| self.dice.note(&format!("group {name}: {note}")));
        }
    }

    /// Lets the background threads of all members run once.
    pub(super) fn tick(&mut self) {
        self.step += 1;
        self.settle();
        self.tick_all();
    }

    /// The same within a call.
    pub(super) fn tick_all(&mut self) {
        let clients: Vec<u64> = self.clients.keys().copied().collect();
        for client in clients {
            self.disturb_group(client);
            self.tick_client(client);
        }
    }

    /// Lets the background thread of one member run.
    pub(super) fn tick_client(&mut self, client: u64) {
        let now_ms = self.now_ms();
        let Some(client) = self.clients.get_mut(&client) else { return };
        let group = if self.reachable { self.groups.get_mut(&client.group) } else { None };
        client.tick(group, &mut self.dice, now_ms);
        self.take_notes();
    }

    /// The faults that come from the group itself.
    pub(super) fn disturb_group(&mut self, client: u64) {
        let now_ms = self.now_ms();
        let Some(client) = self.clients.get(&client) else { return };
        let metadata = client.metadata();
        let Some(group) = self.groups.get_mut(&client.group).filter(|group| group.is_stable()) else { return };
        if self.dice.take(FaultKind::SpontaneousRebalance, &client.group) {
            group.prepare(now_ms);
        }
        if !metadata.member_id.is_empty() && self.dice.take(FaultKind::MemberEvicted, &metadata.member_id) {
            group.remove(&metadata.member_id, "evicted", now_ms);
        }
    }

    /// A group; there is one as soon as somebody asks.
    pub(super) fn group(&mut self, name: &str) -> &mut Group {
        self.groups.entry(name.into()).or_insert_with(|| Group::new(0))
    }

    /// A request that may run out of time before anything happens.
    pub(super) fn delay(&mut self, what: &str) -> Result<(), Refusal> {
        if self.dice.take(FaultKind::CallDelayed, what) { Err(Refusal::Unavailable) } else { Ok(()) }
    }

    /// Makes a topic unless there is one.
    pub(super) fn create(&mut self, name: &str, partitions: i32, settings: &[(String, String)]) {
        if self.topics.contains_key(name) {
            return;
        }
        self.topics_made += 1;
        let topic = Topic {
            partitions: (0..partitions).map(|_| PartitionLog::default()).collect(),
            settings: settings.iter().cloned().collect(),
            id: self.topics_made,
        };
        self.topics.insert(name.into(), topic);
    }

    pub(super) fn describe(&self, name: &str) -> Option<TopicInfo> {
        let topic = self.topics.get(name)?;
        let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        Some(TopicInfo {
            name: name.into(),
            partitions,
            cleanup_policy: Some(topic.cleanup_policy().into()),
            id: Some(format!("id-{}", topic.id)),
            delete_retention_ms: topic.delete_retention_ms(),
        })
    }

    /// A partition's log.
    pub(super) fn partition(&mut self, partition: &TopicPartition) -> Result<&mut PartitionLog, Refusal> {
        if self.forbidden.contains(partition.topic.as_ref()) {
            return Err(Refusal::Unauthorized);
        }
        let topic = self.topics.get_mut(&partition.topic).ok_or(Refusal::UnknownTopic)?;
        usize::try_from(partition.partition).ok().and_then(|i| topic.partitions.get_mut(i)).ok_or(Refusal::UnknownTopic)
    }

    /// Where a record goes: its own choice, else by its key, else anywhere.
    pub(super) fn place(&mut self, record: &OutputRecord<'_>) -> Result<TopicPartition, Refusal> {
        let (name, topic) = self.topics.get_key_value(record.topic).ok_or(Refusal::UnknownTopic)?;
        let count = topic.partitions.len();
        let partition = match (record.partition, record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_for(key, count as i32),
            (None, None) => self.dice.up_to(count.saturating_sub(1)) as i32,
        };
        let place = TopicPartition { topic: name.clone(), partition };
        self.partition(&place)?;
        Ok(place)
    }

    /// Appends to a log as the partition's leader.
    pub(super) fn append_to(
        &mut self,
        partition: &TopicPartition,
        record: &OutputRecord<'_>,
        timestamp: Timestamp,
        producer_id: Option<i64>,
    ) -> Result<Offset, Refusal> {
        let compacted = self.topics.get(&partition.topic).is_some_and(|topic| topic.cleanup_policy().contains("compact"));
        if compacted && record.key.is_none() {
            return Err(Refusal::InvalidRecord);
        }
        Ok(self.partition(partition)?.append(record, timestamp, producer_id))
    }
}
