//! One transactional id: who has it, and how far its transaction is.

use std::collections::BTreeSet;

use super::super::moment::Moment;

/// A producer as it names itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// Its id.
    pub id: i64,
    /// Its epoch: of two producers with one id, the older one is fenced.
    pub epoch: i16,
}

impl Producer {
    /// Kafka's -1: no epoch was given out yet, or none before this one.
    pub const NO_EPOCH: i16 = -1;

    /// Whether no further epoch can be given to a producer: one is kept to fence the last.
    pub fn is_exhausted(self) -> bool {
        self.epoch >= i16::MAX - 1
    }
}

/// How far a transaction is, in Kafka's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    Empty = 0,
    Ongoing = 1,
    PrepareCommit = 2,
    PrepareAbort = 3,
    CompleteCommit = 4,
    CompleteAbort = 5,
}

impl State {
    pub(super) const ALL: [State; 6] =
        [State::Empty, State::Ongoing, State::PrepareCommit, State::PrepareAbort, State::CompleteCommit, State::CompleteAbort];

    /// As Kafka's tools show it.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Ongoing => "Ongoing",
            State::PrepareCommit => "PrepareCommit",
            State::PrepareAbort => "PrepareAbort",
            State::CompleteCommit => "CompleteCommit",
            State::CompleteAbort => "CompleteAbort",
        }
    }

    /// How the transaction ended, once that is decided.
    pub fn outcome(self) -> Option<Outcome> {
        match self {
            State::PrepareCommit | State::CompleteCommit => Some(Outcome::Commit),
            State::PrepareAbort | State::CompleteAbort => Some(Outcome::Abort),
            State::Empty | State::Ongoing => None,
        }
    }
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Commit,
    Abort,
}

/// A partition by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Its topic.
    pub topic: String,
    /// Its index.
    pub partition: i32,
}

/// A marker that is written but perhaps not on disk: a power cut may take it, and the next start writes it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedMarker {
    /// Where.
    pub partition: TopicPartition,
    /// The marker's offset.
    pub offset: i64,
    /// Whose transaction it ends.
    pub producer: Producer,
    /// How.
    pub outcome: Outcome,
}

/// What is known of a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Who has the id.
    pub producer: Producer,
    /// The producer id before this one, for a producer that did not hear of the change; -1: none.
    pub previous_producer_id: i64,
    /// The epoch before this one, for the same reason; -1: none.
    pub last_epoch: i16,
    /// After so long an open transaction is aborted.
    pub timeout_ms: i32,
    /// How far it is.
    pub state: State,
    /// What the transaction writes to.
    pub partitions: BTreeSet<TopicPartition>,
    /// The groups whose offsets it commits.
    pub groups: BTreeSet<String>,
    /// When the transaction began, in milliseconds since 1970; -1: there was none.
    pub started_ms: i64,
    /// When anything changed.
    pub updated_ms: i64,
    /// For a prepared commit: how far each partition's log went. A commit whose records a power cut took was not answered yet, and is
    /// aborted.
    pub covers: Vec<(TopicPartition, i64)>,
    /// Markers of ended transactions that are perhaps not on disk.
    pub owed: Vec<OwedMarker>,
}

impl Transaction {
    pub(super) fn new(producer_id: i64) -> Self {
        Transaction {
            producer: Producer { id: producer_id, epoch: Producer::NO_EPOCH },
            previous_producer_id: -1,
            last_epoch: Producer::NO_EPOCH,
            timeout_ms: 0,
            state: State::Empty,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            started_ms: -1,
            updated_ms: 0,
            covers: Vec::new(),
            owed: Vec::new(),
        }
    }

    /// Whether its end is decided, and not yet written everywhere.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.state, State::PrepareCommit | State::PrepareAbort)
    }

    pub(super) fn prepared(mut self, now: Moment, outcome: Outcome, end_of: impl Fn(&TopicPartition) -> Option<i64>) -> Self {
        match outcome {
            Outcome::Commit => {
                self.state = State::PrepareCommit;
                self.covers = self.partitions.iter().filter_map(|part| Some((part.clone(), end_of(part)?))).collect();
            }
            Outcome::Abort => self.state = State::PrepareAbort,
        }
        self.updated_ms = now.wall_ms;
        self
    }

    /// Takes the open transaction from its producer: the next epoch is nobody's, and the transaction is aborted.
    pub(super) fn fenced(self, now: Moment) -> Self {
        self.orphaned().prepared(now, Outcome::Abort, |_| None)
    }

    /// Takes the id from its producer: the next epoch is nobody's.
    pub(super) fn orphaned(mut self) -> Self {
        self.producer.epoch = self.producer.epoch.saturating_add(1);
        self.last_epoch = Producer::NO_EPOCH;
        self
    }

    pub(super) fn completed(mut self, now: Moment, markers: Vec<OwedMarker>, flushed: &[(TopicPartition, i64)]) -> Option<Self> {
        self.state = match self.state {
            State::PrepareCommit => State::CompleteCommit,
            State::PrepareAbort => State::CompleteAbort,
            _ => return None,
        };
        self.updated_ms = now.wall_ms;
        self.partitions.clear();
        self.groups.clear();
        self.covers.clear();
        let is_on_disk =
            |marker: &OwedMarker| flushed.iter().any(|(partition, end)| *partition == marker.partition && marker.offset < *end);
        self.owed.retain(|marker| !is_on_disk(marker));
        self.owed.extend(markers);
        Some(self)
    }
}
