//! Requests to the transaction coordinator.

use std::collections::BTreeMap;

use super::offsets::{OnlyKnown, by_topic, partitions};
use crate::broker::coordinator::Coordinator;
use crate::broker::groups::{Commit, Committer, OffsetToCommit};
use crate::broker::transactions::{Filter, Outcome, Producer, TopicPartition};
use crate::broker::wire::ErrorCode;
use crate::broker::wire::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use crate::broker::wire::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use crate::broker::wire::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TopicData, TransactionState as DescribedState,
};
use crate::broker::wire::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::broker::wire::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::broker::wire::list_transactions::{ListTransactionsRequest, ListTransactionsResponse, TransactionState as ListedState};
use crate::broker::wire::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};

/// Answers InitProducerId.
pub async fn init_producer_id(coordinator: &Coordinator, version: i16, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let result = match (request.producer_id, request.producer_epoch) {
        (-1, -1) => init(coordinator, &request, None).await,
        (-1, _) | (_, -1) => Err(ErrorCode::InvalidRequest),
        (id, epoch) => init(coordinator, &request, Some(Producer { id, epoch })).await,
    };
    let (error_code, producer) = match result {
        Ok(producer) => (ErrorCode::None, producer),
        Err(error) => (fenced_as_known(error, version >= 4), Producer { id: -1, epoch: -1 }),
    };
    InitProducerIdResponse { throttle_time_ms: 0, error_code, producer_id: producer.id, producer_epoch: producer.epoch }
}

async fn init(coordinator: &Coordinator, request: &InitProducerIdRequest, expected: Option<Producer>) -> Result<Producer, ErrorCode> {
    match &request.transactional_id {
        None => coordinator.new_producer().await,
        Some(id) => coordinator.init_producer(id, request.transaction_timeout_ms, expected).await,
    }
}

/// Answers AddPartitionsToTxn: all of them, or none.
pub async fn add_partitions_to_txn(
    coordinator: &Coordinator,
    version: i16,
    request: AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    let asked: Vec<(String, i32)> =
        partitions(request.v3_and_below_topics.into_iter().map(|topic| (topic.name, topic.partitions))).collect();
    let known = |(topic, partition): &(String, i32)| coordinator.has_partition(topic, *partition);
    let error_of_known = if asked.iter().all(known) {
        let producer = Producer { id: request.v3_and_below_producer_id, epoch: request.v3_and_below_producer_epoch };
        let partitions = asked.iter().map(|(topic, partition)| TopicPartition { topic: topic.clone(), partition: *partition }).collect();
        let result = coordinator.add_partitions(&request.v3_and_below_transactional_id, producer, partitions).await;
        result.err().map_or(ErrorCode::None, |error| fenced_as_known(error, version >= 2))
    } else {
        ErrorCode::OperationNotAttempted
    };
    let answers = asked.into_iter().map(|asked| {
        let error = if known(&asked) { error_of_known } else { ErrorCode::UnknownTopicOrPartition };
        (asked.0, asked.1, error)
    });
    let results_by_topic_v3_and_below = by_topic(answers.collect())
        .into_iter()
        .map(|(name, errors)| AddPartitionsToTxnTopicResult {
            name,
            results_by_partition: errors
                .into_iter()
                .map(|(partition_index, error)| AddPartitionsToTxnPartitionResult { partition_index, partition_error_code: error as i16 })
                .collect(),
        })
        .collect();
    AddPartitionsToTxnResponse { throttle_time_ms: 0, results_by_topic_v3_and_below }
}

/// Answers AddOffsetsToTxn.
pub async fn add_offsets_to_txn(coordinator: &Coordinator, version: i16, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
    let result = coordinator.add_offsets(&request.transactional_id, producer, &request.group_id).await;
    AddOffsetsToTxnResponse {
        throttle_time_ms: 0,
        error_code: result.err().map_or(ErrorCode::None, |error| fenced_as_known(error, version >= 2)),
    }
}

/// Answers TxnOffsetCommit.
pub async fn txn_offset_commit(coordinator: &Coordinator, request: TxnOffsetCommitRequest) -> TxnOffsetCommitResponse {
    let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
    let by = Committer { generation: request.generation_id, member_id: request.member_id, instance_id: request.group_instance_id };
    let all = partitions(request.topics.into_iter().map(|topic| (topic.name, topic.partitions)));
    let to_commit = all.map(|(topic, partition)| OffsetToCommit {
        topic,
        partition: partition.partition_index,
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata,
    });
    let answers = OnlyKnown::of(to_commit, |offset| coordinator.has_partition(&offset.topic, offset.partition))
        .answer(async |offsets| {
            let commit = Commit { group: request.group_id, by, offsets, retention_ms: None, knows_missing_group: false };
            coordinator.commit_offsets_in_transaction(&request.transactional_id, producer, &commit).await
        })
        .await;
    let topics = by_topic(answers)
        .into_iter()
        .map(|(name, errors)| TxnOffsetCommitResponseTopic {
            name,
            partitions: errors
                .into_iter()
                .map(|(partition_index, error_code)| TxnOffsetCommitResponsePartition { partition_index, error_code })
                .collect(),
        })
        .collect();
    TxnOffsetCommitResponse { throttle_time_ms: 0, topics }
}

/// Answers EndTxn, once the end is on disk and in all partitions.
pub async fn end_txn(coordinator: &Coordinator, version: i16, request: EndTxnRequest) -> EndTxnResponse {
    let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
    let outcome = if request.committed { Outcome::Commit } else { Outcome::Abort };
    let result = coordinator.end_transaction(&request.transactional_id, producer, outcome).await;
    EndTxnResponse { throttle_time_ms: 0, error_code: result.err().map_or(ErrorCode::None, |error| fenced_as_known(error, version >= 2)) }
}

/// Answers DescribeTransactions.
pub fn describe_transactions(coordinator: &Coordinator, request: DescribeTransactionsRequest) -> DescribeTransactionsResponse {
    let describe = |transactional_id: String| match coordinator.describe_transaction(&transactional_id) {
        Err(error_code) => DescribedState { error_code, transactional_id, ..DescribedState::default() },
        Ok(described) => {
            let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
            for partition in described.partitions {
                topics.entry(partition.topic).or_default().push(partition.partition);
            }
            DescribedState {
                error_code: ErrorCode::None,
                transactional_id,
                transaction_state: described.transaction.state.name().to_owned(),
                transaction_timeout_ms: described.transaction.timeout_ms,
                transaction_start_time_ms: described.transaction.started_ms,
                producer_id: described.transaction.producer.id,
                producer_epoch: described.transaction.producer.epoch,
                topics: topics.into_iter().map(|(topic, partitions)| TopicData { topic, partitions }).collect(),
            }
        }
    };
    DescribeTransactionsResponse { throttle_time_ms: 0, transaction_states: request.transactional_ids.into_iter().map(describe).collect() }
}

/// Answers ListTransactions.
pub fn list_transactions(coordinator: &Coordinator, request: ListTransactionsRequest) -> ListTransactionsResponse {
    let filter =
        Filter { states: request.state_filters, producer_ids: request.producer_id_filters, longer_than_ms: request.duration_filter };
    let (listed, unknown_state_filters) = coordinator.list_transactions(&filter);
    let transaction_states = listed
        .into_iter()
        .map(|one| ListedState { transactional_id: one.id, producer_id: one.producer_id, transaction_state: one.state.name().to_owned() })
        .collect();
    ListTransactionsResponse { throttle_time_ms: 0, error_code: ErrorCode::None, unknown_state_filters, transaction_states }
}

/// Old clients know only the older of the two errors for a producer that another one replaced.
fn fenced_as_known(error: ErrorCode, knows_fenced: bool) -> ErrorCode {
    if error == ErrorCode::ProducerFenced && !knows_fenced { ErrorCode::InvalidProducerEpoch } else { error }
}
