//! Kafka's rules for producers and transactions, one by one, and then all at once by chance.

mod ends;
mod laws;
mod producers;
mod recovery;

use std::collections::HashMap;
use std::time::Duration;

use super::super::journal::remembered::Remembered;
use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{
    End, LogEnds, Outcome, OwedMarker, Producer, State, TopicPartition, Transaction, TransactionEntry, TransactionSettings, Transactions,
};

const MINUTE: i32 = 60_000;

/// A coordinator whose clock and journal the test holds.
#[derive(Default)]
struct Scene {
    transactions: Transactions,
    journal: Remembered,
    now: Moment,
}

impl Scene {
    fn new() -> Self {
        Scene::with(TransactionSettings::default())
    }

    fn with(settings: TransactionSettings) -> Self {
        let now = Moment { monotonic: Duration::ZERO, wall_ms: 1_000_000_000_000 };
        Scene { transactions: Transactions::new(settings), journal: Remembered::default(), now }
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
    }

    fn init(&mut self, id: &str) -> Result<Producer, ErrorCode> {
        self.init_as(id, None)
    }

    fn init_as(&mut self, id: &str, expected: Option<Producer>) -> Result<Producer, ErrorCode> {
        self.transactions.init(&mut self.journal, self.now, id, MINUTE, expected)
    }

    fn add(&mut self, id: &str, producer: Producer, partition: i32) -> Result<bool, ErrorCode> {
        self.transactions.add(&mut self.journal, self.now, id, producer, [orders(partition)], None)
    }

    fn add_group(&mut self, id: &str, producer: Producer, group: &str) -> Result<bool, ErrorCode> {
        self.transactions.add(&mut self.journal, self.now, id, producer, [], Some(group))
    }

    fn end(&mut self, id: &str, producer: Producer, outcome: Outcome) -> Result<End, ErrorCode> {
        self.transactions.end(&mut self.journal, self.now, id, producer, outcome, |_| Some(100))
    }

    /// The markers are written.
    fn complete(&mut self, id: &str) {
        self.transactions.completed(&mut self.journal, self.now, id, Vec::new(), &[]).expect("the journal takes it");
    }

    fn abort_overdue(&mut self) -> Vec<String> {
        self.transactions.abort_overdue(&mut self.journal, self.now)
    }

    fn state(&self, id: &str) -> State {
        self.get(id).state
    }

    fn get(&self, id: &str) -> &Transaction {
        self.transactions.get(id).expect("the id is known")
    }

    /// What the next process knows.
    fn restarted(&self) -> Transactions {
        let mut transactions = Transactions::new(self.transactions.settings.clone());
        for record in &self.journal.records {
            transactions.replay(TransactionEntry::read(record).expect("readable").expect("of transactions"));
        }
        transactions
    }

    /// A producer with an open transaction on partition 0.
    fn open(&mut self, id: &str) -> Producer {
        let producer = self.init(id).expect("a producer");
        self.add(id, producer, 0).expect("added");
        producer
    }
}

fn orders(partition: i32) -> TopicPartition {
    TopicPartition { topic: "orders".to_owned(), partition }
}
