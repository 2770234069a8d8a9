//! The transaction coordinator: producer ids and epochs, open transactions, and how they end.
//!
//! ```text
//!   Idle ──first partition or group──► Ongoing ──EndTxn, InitProducerId, time-out──► Ending ──last marker──► Idle
//! ```
//! The outcome is decided in one step; markers then go to each partition and group that took part. Normally that is at once; under
//! the fault `LateMarkers` they land one after the other, some calls later, and until then the id answers CONCURRENT_TRANSACTIONS.
//! Whoever initialises the id again raises the epoch, which fences every older request. As on a broker with clients that lack
//! KIP-890 part 2, the epoch does *not* rise with each transaction, so a late copy of EndTxn can end the next one.

use std::collections::BTreeSet;

use super::broker::Broker;
use super::faults::FaultKind;
use super::group::GroupMetadata;
use super::log::Outcome;
use super::refusal::Refusal;
use crate::clock::Clock;
use crate::record::{Offset, OutputRecord, TopicPartition};

/// The broker looks for timed-out transactions this often (`transaction.abort.timed.out.transaction.cleanup.interval.ms`).
pub const TRANSACTION_SWEEP_MS: i64 = 10_000;

/// How many calls a late request or marker is under way, at most.
const LATE_CALLS: usize = 60;

/// One incarnation of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) producer_id: i64,
    pub(super) epoch: i32,
}

/// Where a marker must go.
#[derive(Clone, Debug)]
enum Target {
    Partition(TopicPartition),
    Group(String),
}

enum State {
    Idle { last: Option<Outcome> },
    Ongoing { since_ms: i64, expires_ms: i64, partitions: BTreeSet<TopicPartition>, groups: BTreeSet<String> },
    Ending { outcome: Outcome, markers: Vec<(u64, Target)> },
}

/// What the coordinator knows of one transactional id.
pub(super) struct Transactional {
    session: Session,
    timeout_ms: i64,
    state: State,
}

/// A transaction that is open or still ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Whose it is.
    pub transactional_id: String,
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub epoch: i32,
    /// Since when, by the cluster's clock; `None` when its outcome is decided and only markers are missing.
    pub since_ms: Option<i64>,
    /// The partitions that take part.
    pub partitions: Vec<TopicPartition>,
}

impl Transactional {
    fn open(&self, id: &str) -> Option<OpenTransaction> {
        let (since_ms, partitions) = match &self.state {
            State::Idle { .. } => return None,
            State::Ongoing { since_ms, partitions, .. } => (Some(*since_ms), partitions.iter().cloned().collect()),
            State::Ending { markers, .. } => (
                None,
                markers.iter().filter_map(|(_, target)| if let Target::Partition(p) = target { Some(p.clone()) } else { None }).collect(),
            ),
        };
        let Session { producer_id, epoch } = self.session;
        Some(OpenTransaction { transactional_id: id.into(), producer_id, epoch, since_ms, partitions })
    }

    /// When the open transaction times out, as the broker's sweep sees it.
    pub(super) fn expires_ms(&self) -> Option<i64> {
        match &self.state {
            State::Ongoing { expires_ms, .. } => Some(*expires_ms),
            State::Idle { .. } | State::Ending { .. } => None,
        }
    }
}

/// A request of a producer that is still on its way to the coordinator.
pub(super) struct LateRequest {
    pub(super) due_step: u64,
    pub(super) transactional_id: String,
    pub(super) session: Session,
    pub(super) request: Late,
}

pub(super) enum Late {
    End(Outcome),
    Offsets { metadata: GroupMetadata, offsets: Vec<(TopicPartition, Offset)> },
}

impl Broker {
    /// InitProducerId: fences older producers of the id, ends what they left open, gives a new epoch.
    pub(super) fn init_producer(&mut self, id: &str, timeout_ms: i64) -> Result<Session, Refusal> {
        let Some(known) = self.transactions.get(id) else {
            let session = Session { producer_id: 1000 + self.transactions.len() as i64, epoch: 0 };
            self.transactions.insert(id.into(), Transactional { session, timeout_ms, state: State::Idle { last: None } });
            return Ok(session);
        };
        match known.state {
            State::Ending { .. } => return Err(Refusal::ConcurrentTransactions),
            State::Ongoing { .. } => {
                self.dice.note(&format!("{id} is initialised again, its open transaction aborted"));
                self.fence(id);
            }
            State::Idle { .. } => {}
        }
        let known = self.transactions.get_mut(id).ok_or(Refusal::Unavailable)?;
        if matches!(known.state, State::Ending { .. }) {
            return Err(Refusal::ConcurrentTransactions);
        }
        known.session.epoch += 1;
        known.timeout_ms = timeout_ms;
        known.state = State::Idle { last: None };
        Ok(known.session)
    }

    /// Raises the epoch, so that the present producer is fenced, and aborts what it left open.
    pub(super) fn fence(&mut self, id: &str) {
        let Some(known) = self.transactions.get_mut(id) else { return };
        known.session.epoch += 1;
        if matches!(known.state, State::Ongoing { .. }) {
            self.start_ending(id, Outcome::Abort);
        }
    }

    /// A transaction lived longer than its time-out.
    pub(super) fn time_out_transaction(&mut self, id: &str) {
        self.dice.note(&format!("the transaction of {id} times out"));
        self.fence(id);
    }

    /// AddPartitionsToTxn: begins the transaction if it is the first.
    pub(super) fn add_partition(&mut self, id: &str, session: Session, partition: &TopicPartition) -> Result<(), Refusal> {
        self.partition(partition)?;
        self.open_transaction(id, session)?.0.insert(partition.clone());
        Ok(())
    }

    fn open_transaction(&mut self, id: &str, session: Session) -> Result<(&mut BTreeSet<TopicPartition>, &mut BTreeSet<String>), Refusal> {
        let now_ms = self.clock.now().0;
        let known = self.verify(id, session)?;
        if matches!(known.state, State::Idle { .. }) {
            let swept_ms = (now_ms + known.timeout_ms + TRANSACTION_SWEEP_MS - 1).div_euclid(TRANSACTION_SWEEP_MS) * TRANSACTION_SWEEP_MS;
            known.state = State::Ongoing { since_ms: now_ms, expires_ms: swept_ms, partitions: BTreeSet::new(), groups: BTreeSet::new() };
        }
        match &mut known.state {
            State::Ongoing { partitions, groups, .. } => Ok((partitions, groups)),
            State::Idle { .. } | State::Ending { .. } => Err(Refusal::ConcurrentTransactions),
        }
    }

    fn verify(&mut self, id: &str, session: Session) -> Result<&mut Transactional, Refusal> {
        self.transactions.get_mut(id).filter(|known| known.session == session).ok_or(Refusal::Fenced)
    }

    /// Produce: only into a partition of the open transaction.
    pub(super) fn produce(
        &mut self,
        id: &str,
        session: Session,
        partition: &TopicPartition,
        record: &OutputRecord<'_>,
    ) -> Result<Offset, Refusal> {
        match &self.verify(id, session)?.state {
            State::Ongoing { partitions, .. } if partitions.contains(partition) => {}
            _ => return Err(Refusal::InvalidTransactionState),
        }
        let timestamp = record.timestamp.unwrap_or(self.clock.now());
        self.append_to(partition, record, timestamp, Some(session.producer_id))
    }

    /// AddOffsetsToTxn and TxnOffsetCommit: the group decides whether the member may.
    pub(super) fn stage_offsets(
        &mut self,
        id: &str,
        session: Session,
        metadata: &GroupMetadata,
        offsets: &[(TopicPartition, Offset)],
    ) -> Result<(), Refusal> {
        self.open_transaction(id, session)?.1.insert(metadata.group.clone());
        let tokens = self.group_topics.get(&metadata.group).cloned();
        let group = self.group(&metadata.group);
        group.validate(metadata)?;
        let stray = offsets.iter().find(|(at, _)| tokens.as_ref() == Some(&at.topic) && !group.holds(&metadata.member_id, at.partition));
        let stray =
            stray.map(|(token, _)| format!("{id} commits {token} in generation {}, in which it does not hold it", metadata.generation));
        group.offsets.stage(session.producer_id, offsets);
        self.stray_commits.extend(stray);
        Ok(())
    }

    /// EndTxn; a repeated one is fine as long as nothing else has begun.
    pub(super) fn end_transaction(&mut self, id: &str, session: Session, outcome: Outcome) -> Result<(), Refusal> {
        match &self.verify(id, session)?.state {
            State::Ongoing { .. } => {
                self.start_ending(id, outcome);
                Ok(())
            }
            State::Ending { outcome: decided, .. } if *decided == outcome => Err(Refusal::ConcurrentTransactions),
            State::Idle { last: Some(last) } if *last == outcome => Ok(()),
            State::Ending { .. } | State::Idle { .. } => Err(Refusal::InvalidTransactionState),
        }
    }

    fn start_ending(&mut self, id: &str, outcome: Outcome) {
        let late = self.dice.take(FaultKind::LateMarkers, id);
        let Some(known) = self.transactions.get_mut(id) else { return };
        let State::Ongoing { partitions, groups, .. } = &mut known.state else { return };
        let partitions = std::mem::take(partitions).into_iter().map(Target::Partition);
        let targets: Vec<Target> = partitions.chain(std::mem::take(groups).into_iter().map(Target::Group)).collect();
        let step = self.step;
        let due = |dice: &mut super::faults::Dice| if late { step + 1 + dice.up_to(LATE_CALLS / 4) as u64 } else { step };
        let markers = targets.into_iter().map(|target| (due(&mut self.dice), target)).collect();
        known.state = State::Ending { outcome, markers };
        self.land_markers(id, step);
    }

    /// Writes the markers that are due by a step; after the last one the id is idle again.
    pub(super) fn land_markers(&mut self, id: &str, step: u64) {
        let Some(known) = self.transactions.get_mut(id) else { return };
        let State::Ending { outcome, markers } = &mut known.state else { return };
        let (outcome, producer_id) = (*outcome, known.session.producer_id);
        let due: Vec<Target> = markers.extract_if(.., |(at, _)| *at <= step).map(|(_, target)| target).collect();
        if markers.is_empty() {
            known.state = State::Idle { last: Some(outcome) };
        }
        for target in due {
            match target {
                // A topic that was deleted meanwhile needs no marker.
                Target::Partition(partition) => _ = self.partition(&partition).map(|log| log.end_transaction(producer_id, outcome)),
                Target::Group(name) => self.group(&name).offsets.end_transaction(producer_id, outcome),
            }
        }
    }

    /// Sends a copy of a request on a long way.
    pub(super) fn send_late(&mut self, id: &str, session: Session, request: Late) {
        let due_step = self.step + 1 + self.dice.up_to(LATE_CALLS) as u64;
        self.late.push(LateRequest { due_step, transactional_id: id.into(), session, request });
    }

    /// True while a late request of this producer has not arrived.
    pub(super) fn is_under_way(&self, id: &str, session: Session) -> bool {
        self.late.iter().any(|late| late.transactional_id == id && late.session == session)
    }

    /// A late request arrives.
    pub(super) fn land(&mut self, late: LateRequest) {
        let LateRequest { transactional_id: id, session, request, .. } = late;
        let (what, result) = match request {
            Late::End(outcome) => (format!("EndTxn({outcome:?})"), self.end_transaction(&id, session, outcome)),
            Late::Offsets { metadata, offsets } => {
                // The broker verifies that the group is part of an open transaction; a late copy does not begin one.
                let ongoing = matches!(self.transactions.get(&id), Some(Transactional { state: State::Ongoing { groups, .. }, .. }) if groups.contains(&metadata.group));
                let staged =
                    if ongoing { self.stage_offsets(&id, session, &metadata, &offsets) } else { Err(Refusal::InvalidTransactionState) };
                (format!("TxnOffsetCommit({offsets:?})"), staged)
            }
        };
        self.dice.note(&format!("late {what} of {id} arrives: {result:?}"));
    }

    /// Every transaction that is not over.
    pub(super) fn open_transactions(&self) -> Vec<OpenTransaction> {
        self.transactions.iter().filter_map(|(id, known)| known.open(id)).collect()
    }
}
