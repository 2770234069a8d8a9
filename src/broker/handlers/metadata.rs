//! Topics and their partitions, as clients find them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::disk::on_disk;
use crate::broker::log::{LogError, Topic};
use crate::broker::node::{Endpoint, NODE_ID, Node};
use crate::broker::wire::ErrorCode;
use crate::broker::wire::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use crate::broker::wire::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

/// What may be done with the cluster, as bits of Kafka's ACL operations: create, alter, describe, cluster action, describe and alter
/// configs, idempotent write. All of it, to all.
pub const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// With a topic: read, write, create, delete, alter, describe, describe and alter configs.
const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// Operations were not asked for.
pub const UNTOLD: i32 = i32::MIN;
/// Partitions of one answer to DescribeTopicPartitions (Kafka: `max.request.partition.size.limit`).
const PARTITIONS_OF_A_PAGE: i32 = 2000;

/// Answers Metadata. Topics that do not exist are made, if both sides want that.
pub fn metadata(node: &Node, broker: &Endpoint, version: i16, request: MetadataRequest) -> MetadataResponse {
    let topic_operations = if request.include_topic_authorized_operations { TOPIC_OPERATIONS } else { UNTOLD };
    let cluster_operations = if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { UNTOLD };
    let topics = match request.topics {
        None => node.logs.topics().iter().map(|topic| described(topic)).collect(),
        Some(topics) if topics.is_empty() && version == 0 => node.logs.topics().iter().map(|topic| described(topic)).collect(),
        Some(topics) => {
            let create = node.auto_create_topics && (request.allow_auto_topic_creation || version < 4);
            topics
                .into_iter()
                .map(|asked| match asked.name {
                    // Java's client asks by id with an empty name.
                    Some(name) if asked.topic_id.is_nil() => by_name(node, name, create),
                    _ => by_id(node, asked.topic_id),
                })
                .collect()
        }
    };
    MetadataResponse {
        brokers: vec![MetadataResponseBroker { node_id: NODE_ID, host: broker.host.clone(), port: i32::from(broker.port), rack: None }],
        cluster_id: Some(node.cluster_id.clone()),
        controller_id: NODE_ID,
        topics: with_operations(topics, topic_operations),
        cluster_authorized_operations: cluster_operations,
        ..MetadataResponse::default()
    }
}

fn with_operations(mut topics: Vec<MetadataResponseTopic>, operations: i32) -> Vec<MetadataResponseTopic> {
    topics.iter_mut().for_each(|topic| topic.topic_authorized_operations = operations);
    topics
}

fn by_id(node: &Node, id: Uuid) -> MetadataResponseTopic {
    match node.logs.topic_by_id(id) {
        Some(topic) => described(&topic),
        None => MetadataResponseTopic { error_code: ErrorCode::UnknownTopicId, topic_id: id, ..MetadataResponseTopic::default() },
    }
}

fn by_name(node: &Node, name: String, create: bool) -> MetadataResponseTopic {
    match found_or_made(node, &name, create) {
        Ok(topic) => described(&topic),
        Err(error_code) => MetadataResponseTopic { error_code, name: Some(name), ..MetadataResponseTopic::default() },
    }
}

fn found_or_made(node: &Node, name: &str, create: bool) -> Result<Arc<Topic>, ErrorCode> {
    if let Some(topic) = node.logs.topic(name) {
        return Ok(topic);
    }
    let partitions = node.default_partitions;
    if !create {
        let checked = node.logs.check_topic(name, partitions, &BTreeMap::new());
        let invalid = matches!(checked, Err(LogError::InvalidTopic(_)));
        return Err(if invalid { ErrorCode::InvalidTopic } else { ErrorCode::UnknownTopicOrPartition });
    }
    match on_disk(|| node.logs.create_topic(name, partitions, BTreeMap::new())) {
        Ok(topic) => {
            tracing::info!(topic = name, partitions, "a topic was made because a client asked for it");
            Ok(topic)
        }
        // Another client was faster.
        Err(LogError::TopicExists(_)) => node.logs.topic(name).ok_or(ErrorCode::LeaderNotAvailable),
        Err(error) => {
            tracing::warn!(topic = name, %error, "a topic that a client asked for cannot be made");
            Err(ErrorCode::from(&error))
        }
    }
}

fn described(topic: &Topic) -> MetadataResponseTopic {
    let partitions = (0..).zip(&topic.partitions).map(|(partition_index, log)| MetadataResponsePartition {
        error_code: ErrorCode::None,
        partition_index,
        leader_id: NODE_ID,
        leader_epoch: log.leader_epoch(),
        replica_nodes: vec![NODE_ID],
        isr_nodes: vec![NODE_ID],
        offline_replicas: Vec::new(),
    });
    MetadataResponseTopic {
        error_code: ErrorCode::None,
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: false,
        partitions: partitions.collect(),
        topic_authorized_operations: UNTOLD,
    }
}

/// Answers DescribeTopicPartitions: by name in order, from the cursor on, as many partitions as fit a page.
pub fn describe_topic_partitions(node: &Node, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let asked: BTreeSet<String> = if request.topics.is_empty() {
        node.logs.topics().iter().map(|topic| topic.name.clone()).collect()
    } else {
        request.topics.into_iter().map(|topic| topic.name).collect()
    };
    let (from, mut first) = request.cursor.map_or((String::new(), 0), |cursor| (cursor.topic_name, cursor.partition_index.max(0)));
    let mut room = request.response_partition_limit.clamp(1, PARTITIONS_OF_A_PAGE);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in asked.into_iter().filter(|name| *name >= from) {
        let begin = if name == from { std::mem::take(&mut first) } else { 0 };
        let whole = by_name(node, name.clone(), false);
        let count = i32::try_from(whole.partitions.len()).unwrap_or(i32::MAX);
        if room == 0 {
            response.next_cursor = Some(Cursor { topic_name: name, partition_index: begin });
            break;
        }
        let end = count.min(begin.saturating_add(room));
        let page = whole.partitions.into_iter().filter(|partition| (begin..end).contains(&partition.partition_index));
        response.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: whole.error_code,
            name: whole.name,
            topic_id: whole.topic_id,
            is_internal: false,
            partitions: page.map(of_page).collect(),
            topic_authorized_operations: TOPIC_OPERATIONS,
        });
        if end < count {
            response.next_cursor = Some(Cursor { topic_name: name, partition_index: end });
            break;
        }
        room -= (end - begin).max(0);
    }
    response
}

fn of_page(partition: MetadataResponsePartition) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition {
        error_code: partition.error_code,
        partition_index: partition.partition_index,
        leader_id: partition.leader_id,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replica_nodes,
        isr_nodes: partition.isr_nodes,
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        offline_replicas: partition.offline_replicas,
    }
}
