//! What time does to transactions: open ones are aborted, transactional ids that nobody used are forgotten.

use super::super::journal::Append;
use super::super::moment::Moment;
use super::{State, Transactions, entry};

impl Transactions {
    /// Aborts, by fencing its producer, each transaction that is open beyond its time-out. Returns their ids.
    /// One that cannot be journaled is tried again with the next tick.
    pub fn abort_overdue(&mut self, journal: &mut impl Append, now: Moment) -> Vec<String> {
        let overdue = |state, started_ms: i64, timeout_ms: i32| {
            state == State::Ongoing && started_ms.saturating_add(i64::from(timeout_ms)) < now.wall_ms
        };
        let ids: Vec<String> = self
            .by_id
            .iter()
            .filter(|(_, transaction)| overdue(transaction.state, transaction.started_ms, transaction.timeout_ms))
            .map(|(id, _)| id.clone())
            .collect();
        ids.into_iter()
            .filter(|id| {
                let next = self.by_id[id].clone().fenced(now);
                self.store(journal, id, next).is_ok()
            })
            .collect()
    }

    /// Forgets ids that were not used for `transactional.id.expiration.ms`.
    pub fn forget_unused(&mut self, journal: &mut impl Append, now: Moment) {
        let expiration = i64::try_from(self.settings.id_expiration.as_millis()).unwrap_or(i64::MAX);
        let horizon = now.wall_ms.saturating_sub(expiration);
        let at_rest = |state| matches!(state, State::Empty | State::CompleteCommit | State::CompleteAbort);
        self.by_id.retain(|id, transaction| {
            let unused = at_rest(transaction.state) && transaction.owed.is_empty() && transaction.updated_ms <= horizon;
            !unused || journal.append(&entry::forgotten(id)).is_err()
        });
    }
}
