//! What is under the lock.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tokio::sync::oneshot;

use super::super::groups::{Answer, GroupEntry, Groups, Waiter};
use super::super::journal::fields::Unreadable;
use super::super::journal::{Journal, JournalError};
use super::super::log::Fsync;
use super::super::transactions::{Outcome, State as TransactionState, TransactionEntry, Transactions};
use super::{CoordinatorSettings, boot};

pub(super) struct State {
    pub groups: Groups,
    pub transactions: Transactions,
    pub journal: Journal,
    /// In which the journal's transactions and offsets are known to fit the logs.
    pub boot: Option<String>,
    /// Requests that wait.
    pub waiting: HashMap<Waiter, oneshot::Sender<Answer>>,
    /// Transactional ids whose end is being written into the logs right now.
    pub finishing: HashSet<String>,
    waiters: u64,
}

impl State {
    pub fn open(directory: &Path, settings: &CoordinatorSettings) -> Result<State, JournalError> {
        let mut groups = Groups::new(settings.groups.clone());
        let mut transactions = Transactions::new(settings.transactions.clone());
        let mut boot = None;
        let journal = Journal::open(directory, settings.fsync != Fsync::Never, |record| match boot::read(record)? {
            Some(read) => {
                boot = Some(read);
                Ok(())
            }
            None => replay(&mut groups, &mut transactions, record),
        })?;
        Ok(State { groups, transactions, journal, boot, waiting: HashMap::new(), finishing: HashSet::new(), waiters: 0 })
    }

    /// All that outlives the process, as records that lead to it. Transactions come first: the end of one must not find the next one's
    /// offsets.
    pub fn snapshot(&self) -> Vec<Vec<u8>> {
        let boot = self.boot.as_deref().map(boot::record);
        boot.into_iter().chain(self.transactions.snapshot()).chain(self.groups.snapshot()).collect()
    }

    pub fn wait(&mut self, sender: oneshot::Sender<Answer>) -> Waiter {
        self.waiters += 1;
        let waiter = Waiter(self.waiters);
        self.waiting.insert(waiter, sender);
        waiter
    }

    pub fn send_answers(&mut self) {
        for (waiter, answer) in self.groups.take_answers() {
            if let Some(sender) = self.waiting.remove(&waiter) {
                // Who asked may have gone.
                let _ = sender.send(answer);
            }
        }
    }
}

fn replay(groups: &mut Groups, transactions: &mut Transactions, record: &[u8]) -> Result<(), Unreadable> {
    if let Some(entry) = TransactionEntry::read(record)? {
        if let TransactionEntry::Stored(_, transaction) = &entry
            && matches!(transaction.state, TransactionState::CompleteCommit | TransactionState::CompleteAbort)
        {
            groups.end_transaction(transaction.producer.id, transaction.state.outcome() == Some(Outcome::Commit));
        }
        transactions.replay(entry);
        return Ok(());
    }
    let entry = GroupEntry::read(record)?.ok_or(Unreadable { what: "the kind" })?;
    groups.replay(entry);
    Ok(())
}
