use std::collections::BTreeMap;

use super::{ConfigKind, TopicConfig};

fn config(pairs: &[(&str, &str)]) -> Result<TopicConfig, String> {
    let overrides: BTreeMap<_, _> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    TopicConfig::new(overrides).map_err(|error| error.to_string())
}

/// As Kafka 4.1.0 answered.
#[test]
fn wrong_configs_are_refused_in_kafkas_words() {
    let refused = |name, value| config(&[(name, value)]).expect_err("is refused");
    assert_eq!(refused("nonsense", "1"), "Unknown topic config name: nonsense");
    assert_eq!(refused("segment.bytes", "100"), "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576");
    assert_eq!(refused("retention.ms", "-2"), "Invalid value -2 for configuration retention.ms: Value must be at least -1");
    assert_eq!(refused("retention.ms", "abc"), "Invalid value abc for configuration retention.ms: Not a number of type LONG");
    assert_eq!(refused("cleanup.policy", "x"), "Invalid value x for configuration cleanup.policy: String must be one of: compact, delete");
    assert_eq!(refused("preallocate", "x"), "Invalid value x for configuration preallocate: Expected value to be either true or false");
    assert_eq!(
        refused("compression.gzip.level", "10"),
        "Invalid value 10 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"
    );
    assert_eq!(
        config(&[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")]).expect_err("is refused"),
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"
    );
}

#[test]
fn overrides_are_in_force_and_told_apart_from_defaults() {
    let config = config(&[("cleanup.policy", "compact, delete"), ("retention.ms", "-1"), ("segment.bytes", "1048576")]).expect("is valid");
    assert!(config.compact && config.delete);
    assert_eq!((config.retention_ms, config.segment_bytes), (None, 1 << 20));
    let told = config.describe();
    assert_eq!(told.len(), 33, "as many as Kafka 4.1 tells");
    let segment = told.iter().find(|entry| entry.name == "segment.bytes").expect("is told");
    assert_eq!((segment.value.as_str(), segment.is_default, segment.kind), ("1048576", false, ConfigKind::Int));
    let retention = told.iter().find(|entry| entry.name == "retention.bytes").expect("is told");
    assert_eq!((retention.value.as_str(), retention.is_default), ("-1", true));
}
