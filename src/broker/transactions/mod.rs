//! The transaction coordinator: producer ids, their epochs, open transactions and their ends.
//!
//! A pure state machine in the sense of Kafka's first transaction protocol: time and the journal are passed in, nothing waits. A
//! change is journaled before it is believed; when the journal refuses, the caller gets `COORDINATOR_NOT_AVAILABLE` and nothing
//! has changed.
//!
//! ```text
//! Empty ── add ──► Ongoing ── end ──► PrepareCommit | PrepareAbort ── markers are written ──► CompleteCommit | CompleteAbort
//!   ▲                 │ time-out, or a new producer of the id: epoch + 1, PrepareAbort                  │
//!   └──── init ◄──────┴───────────────────────────── init, or add: Ongoing ◄────────────────────────────┘
//! ```
//!
//! Who prepared an end owes the markers: [`Transactions::unfinished`] names those transactions, [`Transactions::completed`] closes
//! them. After a start they are simply found again.

mod entry;
mod expiry;
mod init;
mod listing;
mod recovery;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

pub use self::entry::TransactionEntry;
pub use self::listing::{Described, Filter, Listed};
pub use self::recovery::LogEnds;
pub use self::transaction::{Outcome, OwedMarker, Producer, State, TopicPartition, Transaction};

use super::journal::Append;
use super::moment::Moment;
use super::wire::ErrorCode;

/// Limits, with Kafka's names and defaults.
#[derive(Debug, Clone)]
pub struct TransactionSettings {
    /// `transaction.max.timeout.ms`
    pub max_timeout: Duration,
    /// `transactional.id.expiration.ms`
    pub id_expiration: Duration,
    /// No more transactional ids are remembered; a new one is refused until others expire.
    pub max_ids: usize,
    /// Bytes of a transactional id; in Kafka what fits into the protocol's texts.
    pub max_id_bytes: usize,
    /// No more partitions and groups in one transaction.
    pub max_parts: usize,
}

impl Default for TransactionSettings {
    fn default() -> Self {
        TransactionSettings {
            max_timeout: Duration::from_secs(15 * 60),
            id_expiration: Duration::from_secs(7 * 24 * 3600),
            max_ids: 100_000,
            max_id_bytes: 1024,
            max_parts: 100_000,
        }
    }
}

/// All transactional ids, and the producer ids given out.
#[derive(Debug, Default)]
pub struct Transactions {
    settings: TransactionSettings,
    by_id: HashMap<String, Transaction>,
    next_producer_id: i64,
    /// Producer ids below this are journaled as given out, whether they were or not.
    reserved: i64,
}

/// How EndTxn was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Decided and journaled; the markers are to be written now.
    Prepared,
    /// The same end came before: a repetition.
    Repeated,
}

impl Transactions {
    /// None yet.
    pub fn new(settings: TransactionSettings) -> Self {
        Transactions { settings, ..Transactions::default() }
    }

    /// AddPartitionsToTxn, and AddOffsetsToTxn: what the producer is going to write to. Returns whether anything is new.
    pub fn add(
        &mut self,
        journal: &mut impl Append,
        now: Moment,
        id: &str,
        producer: Producer,
        partitions: impl IntoIterator<Item = TopicPartition>,
        group: Option<&str>,
    ) -> Result<bool, ErrorCode> {
        let current = self.owned_by(id, producer)?;
        if producer.epoch != current.producer.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        if matches!(current.state, State::PrepareCommit | State::PrepareAbort) {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let added: BTreeSet<TopicPartition> = partitions.into_iter().filter(|part| !current.partitions.contains(part)).collect();
        let added_group = group.filter(|group| !current.groups.contains(*group));
        if current.state == State::Ongoing && added.is_empty() && added_group.is_none() {
            return Ok(false);
        }
        if current.partitions.len() + current.groups.len() + added.len() >= self.settings.max_parts {
            return Err(ErrorCode::PolicyViolation);
        }
        let mut next = current.clone();
        if next.state != State::Ongoing {
            next.state = State::Ongoing;
            next.started_ms = now.wall_ms;
        }
        next.updated_ms = now.wall_ms;
        next.partitions.extend(added);
        next.groups.extend(added_group.map(str::to_owned));
        self.store(journal, id, next)?;
        Ok(true)
    }

    /// Whether this producer may now commit a group's offsets in its transaction (TxnOffsetCommit).
    pub fn check_offsets(&self, id: &str, producer: Producer, group: &str) -> Result<(), ErrorCode> {
        let current = self.owned_by(id, producer)?;
        if producer.epoch != current.producer.epoch {
            return Err(ErrorCode::InvalidProducerEpoch);
        }
        match current.state {
            State::Ongoing if current.groups.contains(group) => Ok(()),
            State::PrepareCommit | State::PrepareAbort => Err(ErrorCode::ConcurrentTransactions),
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// EndTxn. `end_of` says how far a partition's log goes now: what a commit covers.
    pub fn end(
        &mut self,
        journal: &mut impl Append,
        now: Moment,
        id: &str,
        producer: Producer,
        outcome: Outcome,
        end_of: impl Fn(&TopicPartition) -> Option<i64>,
    ) -> Result<End, ErrorCode> {
        let current = self.owned_by(id, producer)?;
        if producer.epoch != current.producer.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        match (current.state, outcome) {
            (State::Ongoing, _) => {
                let next = current.clone().prepared(now, outcome, end_of);
                self.store(journal, id, next)?;
                Ok(End::Prepared)
            }
            (State::CompleteCommit, Outcome::Commit) | (State::CompleteAbort, Outcome::Abort) => Ok(End::Repeated),
            (State::PrepareCommit, Outcome::Commit) | (State::PrepareAbort, Outcome::Abort) => Err(ErrorCode::ConcurrentTransactions),
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// The markers of a prepared transaction are written, after the logs were on disk up to `flushed`. Whether the markers are on
    /// disk too is known later: until [`Transactions::on_disk`] they are looked for at the next start.
    pub fn completed(
        &mut self,
        journal: &mut impl Append,
        now: Moment,
        id: &str,
        markers: Vec<OwedMarker>,
        flushed: &[(TopicPartition, i64)],
    ) -> Result<(), ErrorCode> {
        let Some(next) = self.by_id.get(id).cloned().and_then(|current| current.completed(now, markers, flushed)) else { return Ok(()) };
        self.store(journal, id, next)
    }

    /// The transactions whose end is decided and whose markers are to be written, with what that takes.
    pub fn unfinished(&self) -> impl Iterator<Item = (&str, &Transaction)> {
        self.by_id.iter().filter(|(_, transaction)| transaction.is_unfinished()).map(|(id, transaction)| (id.as_str(), transaction))
    }

    /// The transactions that are open: after a start, the logs are told of them again.
    pub fn open(&self) -> impl Iterator<Item = (&str, &Transaction)> {
        self.by_id.iter().filter(|(_, transaction)| transaction.state == State::Ongoing).map(|(id, transaction)| (id.as_str(), transaction))
    }

    /// A transactional id's state.
    pub fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    /// Checks in Kafka's order what all but InitProducerId must bring: a known id, and its producer id.
    fn owned_by(&self, id: &str, producer: Producer) -> Result<&Transaction, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        self.by_id.get(id).filter(|current| current.producer.id == producer.id).ok_or(ErrorCode::InvalidProducerIdMapping)
    }

    fn store(&mut self, journal: &mut impl Append, id: &str, next: Transaction) -> Result<(), ErrorCode> {
        journal.append(&entry::stored(id, &next)).map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
        self.by_id.insert(id.to_owned(), next);
        Ok(())
    }
}
