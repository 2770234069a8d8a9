//! Single partitions: records deleted, producers described.

use super::disk::on_disk;
use crate::broker::node::Node;
use crate::broker::wire::ErrorCode;
use crate::broker::wire::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use crate::broker::wire::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};

/// Answers DeleteRecords.
pub fn delete_records(node: &Node, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics = on_disk(|| {
        let topics = request.topics.into_iter().map(|topic| DeleteRecordsTopicResult {
            partitions: topic.partitions.iter().map(|asked| delete(node, &topic.name, asked)).collect(),
            name: topic.name,
        });
        topics.collect()
    });
    DeleteRecordsResponse { throttle_time_ms: 0, topics }
}

fn delete(node: &Node, topic: &str, asked: &DeleteRecordsPartition) -> DeleteRecordsPartitionResult {
    let partition_index = asked.partition_index;
    let deleted = match node.logs.partition(topic, partition_index) {
        Some(log) => log.delete_records(asked.offset).map_err(|error| ErrorCode::from(&error)),
        None => Err(ErrorCode::UnknownTopicOrPartition),
    };
    match deleted {
        Ok(low_watermark) => DeleteRecordsPartitionResult { partition_index, low_watermark, error_code: ErrorCode::None },
        Err(error_code) => DeleteRecordsPartitionResult { partition_index, low_watermark: -1, error_code },
    }
}

/// Answers DescribeProducers.
pub fn describe_producers(node: &Node, request: DescribeProducersRequest) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| TopicResponse {
        partitions: topic.partition_indexes.iter().map(|index| producers(node, &topic.name, *index)).collect(),
        name: topic.name,
    });
    DescribeProducersResponse { throttle_time_ms: 0, topics: topics.collect() }
}

fn producers(node: &Node, topic: &str, partition_index: i32) -> PartitionResponse {
    let Some(log) = node.logs.partition(topic, partition_index) else {
        return PartitionResponse { partition_index, error_code: ErrorCode::UnknownTopicOrPartition, ..PartitionResponse::default() };
    };
    let active_producers = log.producers().into_iter().map(|producer| ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: i32::from(producer.epoch),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_start,
    });
    PartitionResponse { partition_index, active_producers: active_producers.collect(), ..PartitionResponse::default() }
}
