//! Topic configs, checked as Kafka checks them.
//!
//! In force are: `cleanup.policy`, `segment.bytes`, `segment.ms`, `retention.ms`, `retention.bytes`, `max.message.bytes`, `message.timestamp.*`,
//! `delete.retention.ms`, `min.cleanable.dirty.ratio`, `min.compaction.lag.ms`, `max.compaction.lag.ms`. All others of Kafka 4.1 are checked, kept
//! and told, and change nothing: there is one replica, the broker decides when to fsync, and `compression.type` leaves every batch as its
//! producer compressed it.

mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::LogError;
use spec::{INTERNAL_SEGMENT_BYTES, SPECS, Spec, items};

/// What is overridden for a topic, and what follows for its logs.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    overrides: BTreeMap<String, String>,
    /// `cleanup.policy` has compact.
    pub compact: bool,
    /// `cleanup.policy` has delete.
    pub delete: bool,
    /// `segment.bytes`
    pub segment_bytes: u64,
    /// `segment.ms`; of a compacted topic not above `max.compaction.lag.ms`, or the lag could not be kept.
    pub segment_ms: i64,
    /// `retention.ms`; `None`: for ever.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`; `None`: whatever there is.
    pub retention_bytes: Option<u64>,
    /// `max.message.bytes`
    pub max_message_bytes: usize,
    /// `message.timestamp.type` is LogAppendTime.
    pub log_append_time: bool,
    /// `message.timestamp.before.max.ms`
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`
    pub timestamp_after_max_ms: i64,
    /// `delete.retention.ms`
    pub delete_retention_ms: i64,
    /// `min.cleanable.dirty.ratio`
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`
    pub max_compaction_lag_ms: i64,
}

/// One config of a topic, as DescribeConfigs tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Kafka's name.
    pub name: &'static str,
    /// In force.
    pub value: String,
    /// What it would be if nobody had set it.
    pub default: &'static str,
    /// Nobody set it for this topic.
    pub is_default: bool,
    /// Its type.
    pub kind: ConfigKind,
}

/// Types of configs, with Kafka's numbers (`ConfigType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigKind {
    /// true or false
    Boolean = 1,
    /// text
    String = 2,
    /// 32 bits
    Int = 3,
    /// 64 bits
    Long = 5,
    /// a fraction
    Double = 6,
    /// comma-separated
    List = 7,
}

impl TopicConfig {
    /// Checks names and values; [`LogError::InvalidConfig`] says which is wrong, in Kafka's words.
    pub fn new(overrides: BTreeMap<String, String>) -> Result<TopicConfig, LogError> {
        for (name, value) in &overrides {
            let spec = find(name).ok_or_else(|| LogError::InvalidConfig(format!("Unknown topic config name: {name}")))?;
            let invalid = |what| LogError::InvalidConfig(format!("Invalid value {value} for configuration {name}: {what}"));
            spec.check(value).map_err(invalid)?;
            if value.contains(['\n', '\r']) {
                return Err(invalid("Value must be one line".to_owned()));
            }
        }
        let text = |name: &str| value(&overrides, name);
        let number = |name: &str| text(name).parse::<i64>().unwrap_or(i64::MAX);
        let policies: Vec<&str> = items(text("cleanup.policy")).collect();
        let (min_lag, max_lag) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"));
        if min_lag > max_lag {
            let what = format!("conflict topic config setting min.compaction.lag.ms ({min_lag}) > max.compaction.lag.ms ({max_lag})");
            return Err(LogError::InvalidConfig(what));
        }
        let compact = policies.contains(&"compact");
        let segment_bytes = if overrides.contains_key("internal.segment.bytes") { "internal.segment.bytes" } else { "segment.bytes" };
        Ok(TopicConfig {
            compact,
            delete: policies.contains(&"delete"),
            segment_bytes: u64::try_from(number(segment_bytes)).unwrap_or(u64::MAX),
            segment_ms: if compact { number("segment.ms").min(max_lag) } else { number("segment.ms") },
            retention_ms: Some(number("retention.ms")).filter(|ms| *ms >= 0),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            max_message_bytes: usize::try_from(number("max.message.bytes")).unwrap_or(usize::MAX),
            log_append_time: text("message.timestamp.type") == "LogAppendTime",
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            delete_retention_ms: number("delete.retention.ms"),
            min_cleanable_dirty_ratio: text("min.cleanable.dirty.ratio").parse().unwrap_or(0.5),
            min_compaction_lag_ms: min_lag,
            max_compaction_lag_ms: max_lag,
            overrides,
        })
    }

    /// What was set for the topic.
    pub fn overrides(&self) -> &BTreeMap<String, String> {
        &self.overrides
    }

    /// All configs, by name.
    pub fn describe(&self) -> Vec<ConfigEntry> {
        let entry = |spec: &Spec| ConfigEntry {
            name: spec.name,
            value: value(&self.overrides, spec.name).to_owned(),
            default: spec.default,
            is_default: !self.overrides.contains_key(spec.name),
            kind: spec.kind(),
        };
        SPECS.iter().map(entry).collect()
    }

    /// The type of a config, for IncrementalAlterConfigs; `None`: there is none of that name.
    pub fn kind_of(name: &str) -> Option<ConfigKind> {
        find(name).map(|spec| spec.kind())
    }

    /// The default of a config, for IncrementalAlterConfigs; `None`: there is none of that name.
    pub fn default_of(name: &str) -> Option<&'static str> {
        find(name).map(|spec| spec.default)
    }
}

fn find(name: &str) -> Option<&'static Spec> {
    const INTERNAL: &Spec = &INTERNAL_SEGMENT_BYTES;
    SPECS.iter().chain([INTERNAL]).find(|spec| spec.name == name)
}

fn value<'a>(overrides: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    overrides.get(name).map(|value| value.trim()).or_else(|| find(name).map(|spec| spec.default)).unwrap_or_default()
}
