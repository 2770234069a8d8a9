//! Settings of topics, and those of the broker to be read.

use std::collections::BTreeMap;

use super::disk::on_disk;
use crate::broker::log::{ConfigEntry, ConfigKind, LogError, TopicConfig};
use crate::broker::node::{NODE_ID, Node};
use crate::broker::wire::ErrorCode;
use crate::broker::wire::alter_configs::{self, AlterConfigsRequest, AlterConfigsResponse};
use crate::broker::wire::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use crate::broker::wire::incremental_alter_configs::{
    self, AlterableConfig, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

/// Kafka's number of a value set for the topic.
pub const TOPIC: i8 = 1;
/// Of one that the broker was started with.
const BROKER: i8 = 4;
/// Of a default.
pub const DEFAULT: i8 = 5;

const OF_TOPIC: i8 = 2;
const OF_BROKER: i8 = 4;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// An error, and what the client is told besides.
type Refused = (ErrorCode, String);

/// Answers DescribeConfigs.
pub fn describe_configs(node: &Node, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let told = Told { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let describe = |resource: DescribeConfigsResource| {
        let described = described(node, &resource, told);
        let result = DescribeConfigsResult {
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
            ..DescribeConfigsResult::default()
        };
        match described {
            Ok(configs) => {
                let wanted = |config: &DescribeConfigsResourceResult| {
                    resource.configuration_keys.as_ref().is_none_or(|keys| keys.contains(&config.name))
                };
                DescribeConfigsResult { configs: configs.into_iter().filter(wanted).collect(), ..result }
            }
            Err((error_code, message)) => DescribeConfigsResult { error_code, error_message: Some(message), ..result },
        }
    };
    DescribeConfigsResponse { throttle_time_ms: 0, results: request.resources.into_iter().map(describe).collect() }
}

fn described(node: &Node, resource: &DescribeConfigsResource, told: Told) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    match resource.resource_type {
        OF_TOPIC => of_topic(node, &resource.resource_name, told),
        OF_BROKER => of_broker(node, &resource.resource_name),
        other => Err((ErrorCode::InvalidRequest, format!("Unsupported resource type: {other}"))),
    }
}

/// What is told of each setting besides its value.
#[derive(Clone, Copy)]
struct Told {
    synonyms: bool,
    documentation: bool,
}

fn of_topic(node: &Node, name: &str, told: Told) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let topic = node.logs.topic(name).ok_or_else(|| no_topic(name))?;
    let configs = topic.config.describe().into_iter().zip(defaults()?).map(|(entry, default)| {
        let source = if entry.is_default { DEFAULT } else { TOPIC };
        let mut synonyms = Vec::new();
        if told.synonyms {
            let own = DescribeConfigsSynonym { name: entry.name.to_owned(), value: Some(entry.value.clone()), source };
            synonyms.extend((!entry.is_default).then_some(own));
            synonyms.push(DescribeConfigsSynonym { name: broker_name(default.name), value: Some(default.value), source: DEFAULT });
        }
        let documentation = format!("As in Apache Kafka: https://kafka.apache.org/documentation/#topicconfigs_{}", entry.name);
        DescribeConfigsResourceResult {
            name: entry.name.to_owned(),
            value: Some(entry.value),
            config_source: source,
            synonyms,
            config_type: entry.kind as i8,
            documentation: told.documentation.then_some(documentation),
            ..DescribeConfigsResourceResult::default()
        }
    });
    Ok(configs.collect())
}

/// The settings of a topic for which nothing is set, in the order of those of any topic.
fn defaults() -> Result<Vec<ConfigEntry>, Refused> {
    let none = TopicConfig::new(BTreeMap::new()).map_err(|error| (ErrorCode::from(&error), error.to_string()))?;
    Ok(none.describe())
}

/// What tools look at. It is set where the broker is started.
fn of_broker(node: &Node, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    if !name.is_empty() && name != NODE_ID.to_string() {
        return Err((ErrorCode::InvalidRequest, format!("Unexpected broker id, expected {NODE_ID} or empty string, but received {name}")));
    }
    let told = [
        ("auto.create.topics.enable", node.auto_create_topics.to_string(), ConfigKind::Boolean),
        ("broker.id", NODE_ID.to_string(), ConfigKind::Int),
        ("default.replication.factor", "1".to_owned(), ConfigKind::Int),
        ("fetch.max.bytes", node.fetch_bytes.to_string(), ConfigKind::Int),
        ("log.dirs", node.directory.clone(), ConfigKind::String),
        ("num.partitions", node.default_partitions.to_string(), ConfigKind::Int),
    ];
    let of_topics = defaults()?.into_iter().map(|entry| (broker_name(entry.name), entry.value, entry.kind));
    let told = told.into_iter().map(|(name, value, kind)| (name.to_owned(), value, kind)).chain(of_topics);
    let told = told.map(|(name, value, kind)| DescribeConfigsResourceResult {
        name,
        value: Some(value),
        read_only: true,
        config_source: BROKER,
        config_type: kind as i8,
        ..DescribeConfigsResourceResult::default()
    });
    Ok(told.collect())
}

/// What a topic's setting is called as the broker's default.
fn broker_name(of_topic: &str) -> String {
    let name = match of_topic {
        "compression.type" | "min.insync.replicas" | "unclean.leader.election.enable" => of_topic,
        "max.message.bytes" => "message.max.bytes",
        "delete.retention.ms" => "log.cleaner.delete.retention.ms",
        "file.delete.delay.ms" => "log.segment.delete.delay.ms",
        "flush.messages" => "log.flush.interval.messages",
        "flush.ms" => "log.flush.interval.ms",
        "max.compaction.lag.ms" => "log.cleaner.max.compaction.lag.ms",
        "min.cleanable.dirty.ratio" => "log.cleaner.min.cleanable.ratio",
        "min.compaction.lag.ms" => "log.cleaner.min.compaction.lag.ms",
        "segment.index.bytes" => "log.index.size.max.bytes",
        "segment.jitter.ms" => "log.roll.jitter.ms",
        "segment.ms" => "log.roll.ms",
        other => return format!("log.{other}"),
    };
    name.to_owned()
}

/// Answers AlterConfigs: what is not named goes back to its default.
pub fn alter_configs(node: &Node, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let validate_only = request.validate_only;
    let response = |resource: alter_configs::AlterConfigsResource| {
        let altered = only_topics(resource.resource_type).and_then(|()| {
            let mut configs = BTreeMap::new();
            for config in resource.configs {
                let value = config.value.ok_or_else(|| (ErrorCode::InvalidConfig, no_value(&config.name)))?;
                configs.insert(config.name, value);
            }
            alter(node, &resource.resource_name, |_| Ok(configs), validate_only)
        });
        let (error_code, error_message) = told(altered);
        alter_configs::AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
        }
    };
    AlterConfigsResponse { throttle_time_ms: 0, responses: request.resources.into_iter().map(response).collect() }
}

/// Answers IncrementalAlterConfigs: what is not named stays.
pub fn incremental_alter_configs(node: &Node, request: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse {
    let validate_only = request.validate_only;
    let response = |resource: incremental_alter_configs::AlterConfigsResource| {
        let altered = only_topics(resource.resource_type).and_then(|()| {
            let changes = known_operations(resource.configs)?;
            alter(node, &resource.resource_name, |config| changed(config, changes), validate_only)
        });
        let (error_code, error_message) = told(altered);
        incremental_alter_configs::AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name,
        }
    };
    IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses: request.resources.into_iter().map(response).collect() }
}

fn known_operations(changes: Vec<AlterableConfig>) -> Result<Vec<AlterableConfig>, Refused> {
    match changes.iter().find(|change| !(SET..=SUBTRACT).contains(&change.config_operation)) {
        Some(AlterableConfig { name, config_operation, .. }) => {
            Err((ErrorCode::InvalidRequest, format!("Unknown operation {config_operation} on config {name}")))
        }
        None => Ok(changes),
    }
}

/// The overrides of a topic after changes of known operations.
fn changed(config: &TopicConfig, changes: Vec<AlterableConfig>) -> Result<BTreeMap<String, String>, LogError> {
    let entries = config.describe();
    let mut configs = config.overrides().clone();
    for change in changes {
        let list = || {
            let entry = entries.iter().find(|entry| entry.name == change.name).filter(|entry| entry.kind == ConfigKind::List);
            let current = entry.map(|entry| configs.get(&change.name).unwrap_or(&entry.value));
            let current = current.map(|list| list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect());
            let refused = || LogError::InvalidConfig(format!("Config value append/subtract is not allowed for config: {}", change.name));
            current.ok_or_else(refused)
        };
        let given = || change.value.clone().ok_or_else(|| LogError::InvalidConfig(no_value(&change.name)));
        let items = |value: &str| value.split(',').map(str::trim).map(str::to_owned).collect::<Vec<String>>();
        match change.config_operation {
            DELETE => _ = configs.remove(&change.name),
            SET => {
                let value = given()?;
                configs.insert(change.name, value);
            }
            APPEND => {
                let (mut list, value): (Vec<String>, String) = (list()?, given()?);
                list.extend(items(&value).into_iter().filter(|item| !list.contains(item)).collect::<Vec<_>>());
                configs.insert(change.name, list.join(","));
            }
            // SUBTRACT: others were refused before.
            _ => {
                let (mut list, value): (Vec<String>, String) = (list()?, given()?);
                let gone = items(&value);
                list.retain(|item| !gone.contains(item));
                configs.insert(change.name, list.join(","));
            }
        }
    }
    Ok(configs)
}

fn alter(
    node: &Node,
    name: &str,
    change: impl FnOnce(&TopicConfig) -> Result<BTreeMap<String, String>, LogError>,
    validate_only: bool,
) -> Result<(), Refused> {
    if node.logs.topic(name).is_none() {
        return Err(no_topic(name));
    }
    let altered = on_disk(|| node.logs.alter_configs(name, change, validate_only));
    altered.map(|_| ()).map_err(|error| (ErrorCode::from(&error), error.to_string()))
}

fn only_topics(resource_type: i8) -> Result<(), Refused> {
    match resource_type {
        OF_TOPIC => Ok(()),
        OF_BROKER => Err((ErrorCode::InvalidRequest, "The broker's settings are set where it is started, not by clients.".to_owned())),
        other => Err((ErrorCode::InvalidRequest, format!("Unsupported resource type: {other}"))),
    }
}

fn no_topic(name: &str) -> Refused {
    (ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."))
}

fn no_value(config: &str) -> String {
    format!("Null value not supported for config: {config}")
}

fn told(altered: Result<(), Refused>) -> (ErrorCode, Option<String>) {
    altered.map_or_else(|(error, message)| (error, Some(message)), |()| (ErrorCode::None, None))
}
