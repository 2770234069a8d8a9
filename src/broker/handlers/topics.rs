//! Topics come, grow and go.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::configs::{DEFAULT, TOPIC};
use super::disk::on_disk;
use crate::broker::log::{LogError, Topic};
use crate::broker::node::{NODE_ID, Node};
use crate::broker::wire::ErrorCode;
use crate::broker::wire::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use crate::broker::wire::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use crate::broker::wire::delete_topics::{DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};

/// An error, and what the client is told besides.
type Refused = (ErrorCode, String);

/// Answers CreateTopics, each topic for itself.
pub fn create_topics(node: &Node, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let twice = named_twice(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut response = CreateTopicsResponse::default();
    for topic in request.topics {
        let name = topic.name.clone();
        if twice.contains(&name) {
            if !response.topics.iter().any(|told| told.name == name) {
                response.topics.push(refused_topic(name, (ErrorCode::InvalidRequest, "Duplicate topic name.".to_owned())));
            }
            continue;
        }
        response.topics.push(create(node, topic, request.validate_only).unwrap_or_else(|refused| refused_topic(name, refused)));
    }
    response
}

fn refused_topic(name: String, (error_code, message): Refused) -> CreatableTopicResult {
    CreatableTopicResult { name, error_code, error_message: Some(message), ..CreatableTopicResult::default() }
}

fn create(node: &Node, topic: CreatableTopic, validate_only: bool) -> Result<CreatableTopicResult, Refused> {
    let partitions = wanted_partitions(node, &topic)?;
    let mut configs = BTreeMap::new();
    for config in topic.configs {
        let value = config
            .value
            .ok_or_else(|| (ErrorCode::InvalidConfig, format!("Null value not supported for topic configs: {}", config.name)))?;
        configs.insert(config.name, value);
    }
    let failed = |error: LogError| (ErrorCode::from(&error), error.to_string());
    let result =
        CreatableTopicResult { name: topic.name, num_partitions: partitions, replication_factor: 1, ..CreatableTopicResult::default() };
    if validate_only {
        node.logs.check_topic(&result.name, partitions, &configs).map_err(failed)?;
        return Ok(CreatableTopicResult { configs: Some(Vec::new()), ..result });
    }
    let made = on_disk(|| node.logs.create_topic(&result.name, partitions, configs)).map_err(failed)?;
    tracing::info!(topic = made.name, partitions, "a topic was made");
    Ok(CreatableTopicResult { topic_id: made.id, configs: Some(configs_of(&made)), ..result })
}

fn configs_of(topic: &Topic) -> Vec<CreatableTopicConfigs> {
    let told = topic.config.describe().into_iter().map(|entry| CreatableTopicConfigs {
        name: entry.name.to_owned(),
        value: Some(entry.value),
        read_only: false,
        config_source: if entry.is_default { DEFAULT } else { TOPIC },
        is_sensitive: false,
    });
    told.collect()
}

/// By number, or by assignments, which can name but the one node.
fn wanted_partitions(node: &Node, topic: &CreatableTopic) -> Result<i32, Refused> {
    if !topic.assignments.is_empty() {
        if topic.num_partitions != -1 || topic.replication_factor != -1 {
            let what = "Both numPartitions/replicationFactor and assignments were set; both cannot be used at the same time.";
            return Err((ErrorCode::InvalidRequest, what.to_owned()));
        }
        return assigned(&topic.assignments);
    }
    if !matches!(topic.replication_factor, -1 | 1) {
        let what = if topic.replication_factor < 1 {
            "Replication factor must be larger than 0, or -1 to use the default value.".to_owned()
        } else {
            format!("Replication factor {} is larger than the number of brokers, 1.", topic.replication_factor)
        };
        return Err((ErrorCode::InvalidReplicationFactor, what));
    }
    match topic.num_partitions {
        -1 => Ok(node.default_partitions),
        count if count < 1 => {
            let what = "Number of partitions was set to an invalid non-positive value.";
            Err((ErrorCode::InvalidPartitions, what.to_owned()))
        }
        count => Ok(count),
    }
}

fn assigned(assignments: &[CreatableReplicaAssignment]) -> Result<i32, Refused> {
    let invalid = |what: &str| Err((ErrorCode::InvalidReplicaAssignment, what.to_owned()));
    if assignments.iter().any(|assigned| assigned.broker_ids != [NODE_ID]) {
        return invalid("A partition has exactly one replica, on the only broker, 1.");
    }
    let mut indexes: Vec<i32> = assignments.iter().map(|assigned| assigned.partition_index).collect();
    indexes.sort_unstable();
    if !indexes.iter().copied().eq((0..).take(indexes.len())) {
        return invalid("Partitions should be a consecutive 0-based integer sequence.");
    }
    i32::try_from(indexes.len()).or_else(|_| invalid("Too many partitions."))
}

/// Answers DeleteTopics, by name or id.
pub async fn delete_topics(node: &Node, version: i16, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let asked = if version < 6 {
        request.topic_names.into_iter().map(|name| DeleteTopicState { name: Some(name), topic_id: Uuid::nil() }).collect()
    } else {
        request.topics
    };
    let mut response = DeleteTopicsResponse::default();
    for topic in asked {
        let found = match &topic.name {
            Some(name) => node.logs.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition),
            None => node.logs.topic_by_id(topic.topic_id).ok_or(ErrorCode::UnknownTopicId),
        };
        let result = match found {
            Ok(found) => delete(node, &found).await,
            Err(error_code) => DeletableTopicResult { name: topic.name, topic_id: topic.topic_id, error_code, error_message: None },
        };
        response.responses.push(result);
    }
    response
}

async fn delete(node: &Node, topic: &Topic) -> DeletableTopicResult {
    let result = DeletableTopicResult { name: Some(topic.name.clone()), topic_id: topic.id, ..DeletableTopicResult::default() };
    match on_disk(|| node.logs.delete_topic(&topic.name)) {
        Ok(()) => {
            tracing::info!(topic = topic.name, "a topic was deleted");
            if let Err(error) = node.coordinator.topic_deleted(&topic.name).await {
                tracing::warn!(topic = topic.name, ?error, "offsets committed for a deleted topic may stay");
            }
            result
        }
        Err(error) => DeletableTopicResult { error_code: ErrorCode::from(&error), error_message: Some(error.to_string()), ..result },
    }
}

/// Answers CreatePartitions, each topic for itself.
pub fn create_partitions(node: &Node, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let twice = named_twice(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut response = CreatePartitionsResponse::default();
    for topic in request.topics {
        let refused = if twice.contains(&topic.name) {
            Some((ErrorCode::InvalidRequest, "Duplicate topic name.".to_owned()))
        } else {
            grow(node, &topic, request.validate_only).err()
        };
        let (error_code, message) = refused.map_or((ErrorCode::None, None), |(error, message)| (error, Some(message)));
        response.results.push(CreatePartitionsTopicResult { name: topic.name, error_code, error_message: message });
    }
    response
}

fn grow(node: &Node, topic: &CreatePartitionsTopic, validate_only: bool) -> Result<(), Refused> {
    if let Some(assignments) = &topic.assignments
        && assignments.iter().any(|assigned| assigned.broker_ids != [NODE_ID])
    {
        let what = "A partition has exactly one replica, on the only broker, 1.";
        return Err((ErrorCode::InvalidReplicaAssignment, what.to_owned()));
    }
    let grown = on_disk(|| node.logs.create_partitions(&topic.name, topic.count, validate_only));
    grown.map(|_| ()).map_err(|error| (ErrorCode::from(&error), error.to_string()))
}

fn named_twice<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).map(str::to_owned).collect()
}
