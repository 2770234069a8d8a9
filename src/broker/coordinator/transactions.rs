//! What handlers ask of transactions.

use super::super::groups::Commit;
use super::super::transactions::{Described, End, Filter, Listed, Outcome, Producer, TopicPartition};
use super::super::wire::ErrorCode;
use super::Coordinator;

impl Coordinator {
    /// InitProducerId without a transactional id.
    pub async fn new_producer(&self) -> Result<Producer, ErrorCode> {
        let (id, position) = self.with(|state, _| (state.transactions.new_producer_id(&mut state.journal), state.journal.position()));
        let id = id?;
        // The same id must never be given out twice; a block of them is journaled at once.
        self.on_disk(position).await?;
        Ok(Producer { id, epoch: 0 })
    }

    /// InitProducerId with a transactional id. What it says is on disk: the producer before must stay fenced.
    pub async fn init_producer(&self, id: &str, timeout_ms: i32, expected: Option<Producer>) -> Result<Producer, ErrorCode> {
        let (result, position) = self.with(|state, now| {
            let result = state.transactions.init(&mut state.journal, now, id, timeout_ms, expected);
            (result, state.journal.position())
        });
        match result {
            Ok(producer) => self.on_disk(position).await.map(|()| producer),
            Err(error) => {
                // It may have been the first to find the transaction of the producer before it.
                if self.with(|state, _| state.transactions.get(id).is_some_and(|transaction| transaction.is_unfinished())) {
                    self.spawn_finish(id);
                }
                Err(error)
            }
        }
    }

    /// AddPartitionsToTxn.
    pub async fn add_partitions(&self, id: &str, producer: Producer, partitions: Vec<TopicPartition>) -> Result<(), ErrorCode> {
        self.with_journal(|state, now| {
            state.transactions.add(&mut state.journal, now, id, producer, partitions.iter().cloned(), None)?;
            // Under the lock: the end of this transaction must not overtake it.
            for partition in &partitions {
                if let Some(log) = self.shared.logs.partition(&partition.topic, partition.partition) {
                    log.begin_transaction(producer.id, producer.epoch);
                }
            }
            Ok(())
        })
        .await
    }

    /// AddOffsetsToTxn.
    pub async fn add_offsets(&self, id: &str, producer: Producer, group: &str) -> Result<(), ErrorCode> {
        self.with_journal(|state, now| state.transactions.add(&mut state.journal, now, id, producer, [], Some(group)).map(|_| ())).await
    }

    /// TxnOffsetCommit: an error for each offset, or one for all.
    pub async fn commit_offsets_in_transaction(&self, id: &str, producer: Producer, commit: &Commit) -> Result<Vec<ErrorCode>, ErrorCode> {
        self.read_is_on_disk(commit).await?;
        self.with_journal(|state, now| {
            state.transactions.check_offsets(id, producer, &commit.group)?;
            state.groups.commit_in_transaction(&mut state.journal, now, producer.id, commit)
        })
        .await
    }

    /// EndTxn. Answers when the end is on disk and in all logs.
    pub async fn end_transaction(&self, id: &str, producer: Producer, outcome: Outcome) -> Result<(), ErrorCode> {
        let logs = &self.shared.logs;
        let end_of =
            |partition: &TopicPartition| logs.partition(&partition.topic, partition.partition).map(|log| log.progress().high_watermark);
        match self.with(|state, now| state.transactions.end(&mut state.journal, now, id, producer, outcome, end_of))? {
            End::Repeated => Ok(()),
            End::Prepared => match self.spawn_finish(id) {
                Some(finish) => finish.await.unwrap_or(Err(ErrorCode::CoordinatorNotAvailable)),
                None => Err(ErrorCode::CoordinatorNotAvailable),
            },
        }
    }

    /// DescribeTransactions, one of them.
    pub fn describe_transaction(&self, id: &str) -> Result<Described, ErrorCode> {
        self.with(|state, _| state.transactions.describe(id))
    }

    /// ListTransactions.
    pub fn list_transactions(&self, filter: &Filter) -> (Vec<Listed>, Vec<String>) {
        self.with(|state, now| state.transactions.list(now, filter))
    }
}
