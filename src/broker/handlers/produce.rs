//! Records are appended, as they came.

use super::Refusal;
use super::disk::on_disk;
use crate::broker::log::{AppendError, Appended};
use crate::broker::node::Node;
use crate::broker::wire::ErrorCode;
use crate::broker::wire::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData, TopicProduceResponse,
};

/// Answers Produce; `None` when the client wants no answer. A refusal that it would not hear of closes its connection.
pub fn produce(node: &Node, request: ProduceRequest) -> Result<Option<ProduceResponse>, Refusal> {
    let acks = request.acks;
    let responses = if matches!(acks, -1..=1) {
        on_disk(|| request.topic_data.into_iter().map(|topic| append_topic(node, topic)).collect())
    } else {
        request.topic_data.into_iter().map(refuse_acks).collect()
    };
    let response = ProduceResponse { responses, throttle_time_ms: 0 };
    if acks != 0 {
        return Ok(Some(response));
    }
    let failed = |partition: &PartitionProduceResponse| partition.error_code != ErrorCode::None;
    if response.responses.iter().any(|topic| topic.partition_responses.iter().any(failed)) { Err(Refusal::Silent) } else { Ok(None) }
}

fn append_topic(node: &Node, topic: TopicProduceData) -> TopicProduceResponse {
    let partition_responses = topic.partition_data.into_iter().map(|data| append(node, &topic.name, data)).collect();
    TopicProduceResponse { name: topic.name, partition_responses }
}

fn append(node: &Node, topic: &str, data: PartitionProduceData) -> PartitionProduceResponse {
    let index = data.index;
    let Some(log) = node.logs.partition(topic, index) else {
        return PartitionProduceResponse { index, error_code: ErrorCode::UnknownTopicOrPartition, ..none() };
    };
    let appended = log.append(data.records.unwrap_or_default());
    match appended.and_then(|appended| log.acknowledge(appended.last_offset + 1).map(|()| appended)) {
        Ok(Appended { base_offset, log_append_time, log_start, .. }) => PartitionProduceResponse {
            index,
            error_code: ErrorCode::None,
            base_offset,
            log_append_time_ms: log_append_time,
            log_start_offset: log_start,
            ..none()
        },
        Err(error) => {
            if let AppendError::Storage { .. } = error {
                tracing::error!(topic, partition = index, %error, "records cannot be written; their producer is told to try again");
            }
            PartitionProduceResponse { index, error_code: ErrorCode::from(&error), error_message: Some(error.to_string()), ..none() }
        }
    }
}

fn refuse_acks(topic: TopicProduceData) -> TopicProduceResponse {
    let refuse =
        |data: PartitionProduceData| PartitionProduceResponse { index: data.index, error_code: ErrorCode::InvalidRequiredAcks, ..none() };
    TopicProduceResponse { name: topic.name, partition_responses: topic.partition_data.into_iter().map(refuse).collect() }
}

/// Nothing was appended.
fn none() -> PartitionProduceResponse {
    PartitionProduceResponse { base_offset: -1, log_append_time_ms: -1, log_start_offset: -1, ..PartitionProduceResponse::default() }
}
