//! Records are appended, as they came.

use std::sync::Arc;

use super::Refusal;
use super::disk::{each_on_disk, on_disk};
use crate::broker::log::{AppendError, Appended, PartitionLog};
use crate::broker::node::Node;
use crate::broker::wire::ErrorCode;
use crate::broker::wire::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData, TopicProduceResponse,
};

/// Answers Produce; `None` when the client wants no answer. A refusal that it would not hear of closes its connection.
pub async fn produce(node: &Node, request: ProduceRequest) -> Result<Option<ProduceResponse>, Refusal> {
    let acks = request.acks;
    let responses = if matches!(acks, -1..=1) {
        let (mut responses, unflushed) = on_disk(|| append_all(node, request.topic_data));
        // Without knowing what is on disk nothing can be said.
        acknowledge(&mut responses, unflushed).await.ok_or(Refusal::Stopping)?;
        responses
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

/// Records that are written, and must be on disk before their producer hears of it.
struct Unflushed {
    /// Where in the response they are told of.
    topic: usize,
    partition: usize,
    log: Arc<PartitionLog>,
    up_to: i64,
}

/// Writes all records, and says what the answer is if they come to disk.
fn append_all(node: &Node, topics: Vec<TopicProduceData>) -> (Vec<TopicProduceResponse>, Vec<Unflushed>) {
    let (mut responses, mut unflushed) = (Vec::with_capacity(topics.len()), Vec::new());
    for topic in topics {
        let mut partition_responses = Vec::with_capacity(topic.partition_data.len());
        for data in topic.partition_data {
            let index = data.index;
            partition_responses.push(match append(node, &topic.name, data) {
                Ok((log, appended)) => {
                    if log.acknowledges_on_disk() {
                        let (topic, partition, up_to) = (responses.len(), partition_responses.len(), appended.last_offset + 1);
                        unflushed.push(Unflushed { topic, partition, log, up_to });
                    }
                    written(index, appended)
                }
                Err(refused) => refused,
            });
        }
        responses.push(TopicProduceResponse { name: topic.name, partition_responses });
    }
    (responses, unflushed)
}

fn append(node: &Node, topic: &str, data: PartitionProduceData) -> Result<(Arc<PartitionLog>, Appended), PartitionProduceResponse> {
    let index = data.index;
    let Some(log) = node.logs.partition(topic, index) else {
        return Err(PartitionProduceResponse { index, error_code: ErrorCode::UnknownTopicOrPartition, ..none() });
    };
    match log.append(data.records.unwrap_or_default()) {
        Ok(appended) => Ok((log, appended)),
        Err(error) => Err(refused(topic, index, &error)),
    }
}

/// Waits for the disk with all partitions at once; what did not get there was not done.
async fn acknowledge(responses: &mut [TopicProduceResponse], unflushed: Vec<Unflushed>) -> Option<()> {
    let flushed = each_on_disk(unflushed, |one| {
        let result = one.log.acknowledge(one.up_to);
        (one, result)
    });
    for (one, result) in flushed.await? {
        let TopicProduceResponse { name, partition_responses } = &mut responses[one.topic];
        if let Err(error) = result {
            let response = &mut partition_responses[one.partition];
            *response = refused(name, response.index, &error);
        }
    }
    Some(())
}

fn written(index: i32, appended: Appended) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: ErrorCode::None,
        base_offset: appended.base_offset,
        log_append_time_ms: appended.log_append_time,
        log_start_offset: appended.log_start,
        ..none()
    }
}

fn refused(topic: &str, index: i32, error: &AppendError) -> PartitionProduceResponse {
    if let AppendError::Storage { .. } = error {
        tracing::error!(topic, partition = index, %error, "records cannot be written; their producer is told to try again");
    }
    PartitionProduceResponse { index, error_code: ErrorCode::from(error), error_message: Some(error.to_string()), ..none() }
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
