//! DescribeTransactions and ListTransactions.

use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{State, TopicPartition, Transaction, Transactions};

/// Partitions of Kafka's topic for group offsets, as which a transaction shows the groups that it commits for.
const OFFSETS_PARTITIONS: i32 = 50;
const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// What ListTransactions asks for; an empty list asks for all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub states: Vec<String>,
    pub producer_ids: Vec<i64>,
    /// Only those open longer than this; negative: all.
    pub longer_than_ms: i64,
}

/// One of the listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: String,
    pub producer_id: i64,
    pub state: State,
}

/// What DescribeTransactions tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub transaction: Transaction,
    /// Sorted by topic; groups appear as their partition of Kafka's topic for offsets.
    pub partitions: Vec<TopicPartition>,
}

impl Transactions {
    /// Tells of one.
    pub fn describe(&self, id: &str) -> Result<Described, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let transaction = self.by_id.get(id).ok_or(ErrorCode::TransactionalIdNotFound)?.clone();
        let of_groups = transaction.groups.iter().map(|group| offsets_partition(group));
        let mut partitions: Vec<TopicPartition> = transaction.partitions.iter().cloned().chain(of_groups).collect();
        partitions.sort();
        partitions.dedup();
        Ok(Described { transaction, partitions })
    }

    /// Lists those that pass the filter, by id, and the states of the filter that do not exist.
    pub fn list(&self, now: Moment, filter: &Filter) -> (Vec<Listed>, Vec<String>) {
        let known =
            |name: &&String| State::ALL.iter().any(|state| state.name() == *name) || ["Dead", "PrepareEpochFence"].contains(&name.as_str());
        let unknown = filter.states.iter().filter(|name| !known(name)).cloned().collect();
        let passes = |transaction: &Transaction| {
            (filter.states.is_empty() || filter.states.iter().any(|name| name == transaction.state.name()))
                && (filter.producer_ids.is_empty() || filter.producer_ids.contains(&transaction.producer.id))
                && (filter.longer_than_ms < 0 || now.wall_ms - transaction.started_ms > filter.longer_than_ms)
        };
        let mut listed: Vec<Listed> = self
            .by_id
            .iter()
            .filter(|(_, transaction)| passes(transaction))
            .map(|(id, transaction)| Listed { id: id.clone(), producer_id: transaction.producer.id, state: transaction.state })
            .collect();
        listed.sort_by(|one, other| one.id.cmp(&other.id));
        (listed, unknown)
    }
}

fn offsets_partition(group: &str) -> TopicPartition {
    // Java's String.hashCode, without its sign.
    let hash = group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    TopicPartition { topic: OFFSETS_TOPIC.to_owned(), partition: (hash & i32::MAX) % OFFSETS_PARTITIONS }
}
