//! InitProducerId: a producer id and an epoch for a producer, and the end of the producer before it.

use super::super::journal::Append;
use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{Producer, State, Transaction, Transactions, entry};

/// Producer ids are journaled as given out in blocks of so many.
const BLOCK: i64 = 1000;

impl Transactions {
    /// A producer id for an idempotent producer without transactions.
    pub fn new_producer_id(&mut self, journal: &mut impl Append) -> Result<i64, ErrorCode> {
        if self.next_producer_id >= self.reserved {
            let reserved = self.next_producer_id + BLOCK;
            journal.append(&entry::producer_ids(reserved)).map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
            self.reserved = reserved;
        }
        self.next_producer_id += 1;
        Ok(self.next_producer_id - 1)
    }

    /// The producer of a transactional id begins. `expected` is what it believes to be, when it only wants a new epoch. An open transaction
    /// of the producer before it is aborted first, and this one told to come again: `CONCURRENT_TRANSACTIONS`.
    pub fn init(
        &mut self,
        journal: &mut impl Append,
        now: Moment,
        id: &str,
        timeout_ms: i32,
        expected: Option<Producer>,
    ) -> Result<Producer, ErrorCode> {
        if id.is_empty() || id.len() > self.settings.max_id_bytes {
            return Err(ErrorCode::InvalidRequest);
        }
        if timeout_ms <= 0 || timeout_ms as u128 > self.settings.max_timeout.as_millis() {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        let current = match self.by_id.get(id) {
            Some(current) => current.clone(),
            None if self.by_id.len() >= self.settings.max_ids => return Err(ErrorCode::CoordinatorNotAvailable),
            None => Transaction::new(self.new_producer_id(journal)?),
        };
        if expected.is_some_and(|expected| !may_be(&current, expected)) {
            return Err(ErrorCode::ProducerFenced);
        }
        match current.state {
            State::PrepareCommit | State::PrepareAbort => return Err(ErrorCode::ConcurrentTransactions),
            State::Ongoing => {
                self.store(journal, id, current.fenced(now))?;
                return Err(ErrorCode::ConcurrentTransactions);
            }
            State::Empty | State::CompleteCommit | State::CompleteAbort => {}
        }

        let mut next = current.clone();
        if current.producer.is_exhausted() && expected.is_none_or(|expected| expected.epoch == current.producer.epoch) {
            next.previous_producer_id = current.producer.id;
            next.producer = Producer { id: self.new_producer_id(journal)?, epoch: 0 };
            next.last_epoch = if expected.is_some() { current.producer.epoch } else { Producer::NO_EPOCH };
        } else {
            (next.producer.epoch, next.last_epoch) = next_epoch(&current, expected)?;
            next.previous_producer_id = current.producer.id;
        }
        next.state = State::Empty;
        next.timeout_ms = timeout_ms;
        next.started_ms = -1;
        next.updated_ms = now.wall_ms;
        next.partitions.clear();
        next.groups.clear();
        let producer = next.producer;
        self.store(journal, id, next)?;
        Ok(producer)
    }
}

/// Whether a producer that believes to be `expected` may go on: it has the id, or had it and did not hear that its epochs ran out.
fn may_be(current: &Transaction, expected: Producer) -> bool {
    current.producer.epoch == Producer::NO_EPOCH
        || expected.id == current.producer.id
        || (expected.id == current.previous_producer_id && expected.is_exhausted())
}

/// The epoch to give, and the one to remember as the last.
fn next_epoch(current: &Transaction, expected: Option<Producer>) -> Result<(i16, i16), ErrorCode> {
    let epoch = current.producer.epoch;
    let bumped = |last| if current.producer.is_exhausted() { Err(ErrorCode::ProducerFenced) } else { Ok((epoch + 1, last)) };
    match expected {
        None => bumped(Producer::NO_EPOCH),
        Some(expected) if epoch == Producer::NO_EPOCH || expected.epoch == epoch => bumped(epoch),
        // It asked before and did not hear the answer.
        Some(expected) if expected.epoch == current.last_epoch => Ok((epoch, current.last_epoch)),
        Some(_) => Err(ErrorCode::ProducerFenced),
    }
}
