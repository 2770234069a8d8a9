//! Kafka 4.1's topic configs: names, types, defaults, and what values they take.

use super::ConfigKind;

/// One config.
pub struct Spec {
    /// Kafka's name.
    pub name: &'static str,
    /// In force when nobody set it.
    pub default: &'static str,
    /// What it takes.
    pub takes: Takes,
}

/// What values a config takes.
pub enum Takes {
    /// A 32-bit number not below this.
    Int(i64),
    /// A 64-bit number not below this.
    Long(i64),
    /// A compression level: from, to, and a value besides.
    Level(i64, i64, Option<i64>),
    /// 0 to 1.
    Ratio,
    /// true or false.
    Boolean,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Any number of these, separated by commas.
    ListOf(&'static [&'static str]),
    /// Any list.
    List,
}

impl Spec {
    /// Its type in DescribeConfigs.
    pub fn kind(&self) -> ConfigKind {
        match self.takes {
            Takes::Int(_) | Takes::Level(..) => ConfigKind::Int,
            Takes::Long(_) => ConfigKind::Long,
            Takes::Ratio => ConfigKind::Double,
            Takes::Boolean => ConfigKind::Boolean,
            Takes::OneOf(_) => ConfigKind::String,
            Takes::ListOf(_) | Takes::List => ConfigKind::List,
        }
    }

    /// What is wrong with a value, in Kafka's words.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let trimmed = value.trim();
        match self.takes {
            Takes::Int(least) => at_least(number(trimmed, i64::from(i32::MIN), i64::from(i32::MAX), "INT")?, least),
            Takes::Long(least) => at_least(number(trimmed, i64::MIN, i64::MAX, "LONG")?, least),
            Takes::Level(from, to, besides) => {
                let level = number(trimmed, i64::from(i32::MIN), i64::from(i32::MAX), "INT")?;
                match besides {
                    _ if (from..=to).contains(&level) => Ok(()),
                    Some(besides) if besides == level => Ok(()),
                    Some(besides) => Err(format!("Value must be between {from} and {to} or equal to {besides}")),
                    None => Err(format!("Value must be between {from} and {to}")),
                }
            }
            Takes::Ratio => match trimmed.parse::<f64>() {
                Err(_) => Err("Not a number of type DOUBLE".to_owned()),
                Ok(ratio) if ratio > 1.0 => Err("Value must be no more than 1".to_owned()),
                Ok(ratio) if ratio >= 0.0 => Ok(()),
                Ok(_) => Err("Value must be at least 0".to_owned()),
            },
            Takes::Boolean if trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false") => Ok(()),
            Takes::Boolean => Err("Expected value to be either true or false".to_owned()),
            Takes::OneOf(choices) if choices.contains(&trimmed) => Ok(()),
            Takes::ListOf(choices) if items(value).all(|item| choices.contains(&item)) => Ok(()),
            Takes::OneOf(choices) | Takes::ListOf(choices) => Err(format!("String must be one of: {}", choices.join(", "))),
            Takes::List => Ok(()),
        }
    }
}

/// The items of a list.
pub fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn number(value: &str, least: i64, most: i64, kind: &str) -> Result<i64, String> {
    value.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| format!("Not a number of type {kind}"))
}

fn at_least(value: i64, least: i64) -> Result<(), String> {
    if value >= least { Ok(()) } else { Err(format!("Value must be at least {least}")) }
}

/// Not told by DescribeConfigs, but taken: lets tests have small segments.
pub const INTERNAL_SEGMENT_BYTES: Spec = spec("internal.segment.bytes", "", Takes::Int(14));

/// All others, by name.
pub const SPECS: &[Spec] = &[
    spec("cleanup.policy", "delete", Takes::ListOf(&["compact", "delete"])),
    spec("compression.gzip.level", "-1", Takes::Level(1, 9, Some(-1))),
    spec("compression.lz4.level", "9", Takes::Level(1, 17, None)),
    spec("compression.type", "producer", Takes::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])),
    spec("compression.zstd.level", "3", Takes::Level(-131_072, 22, None)),
    spec("delete.retention.ms", "86400000", Takes::Long(0)),
    spec("file.delete.delay.ms", "60000", Takes::Long(0)),
    spec("flush.messages", "9223372036854775807", Takes::Long(1)),
    spec("flush.ms", "9223372036854775807", Takes::Long(0)),
    spec("follower.replication.throttled.replicas", "", Takes::List),
    spec("index.interval.bytes", "4096", Takes::Int(0)),
    spec("leader.replication.throttled.replicas", "", Takes::List),
    spec("local.retention.bytes", "-2", Takes::Long(-2)),
    spec("local.retention.ms", "-2", Takes::Long(-2)),
    spec("max.compaction.lag.ms", "9223372036854775807", Takes::Long(1)),
    spec("max.message.bytes", "1048588", Takes::Int(0)),
    spec("message.timestamp.after.max.ms", "3600000", Takes::Long(0)),
    spec("message.timestamp.before.max.ms", "9223372036854775807", Takes::Long(0)),
    spec("message.timestamp.type", "CreateTime", Takes::OneOf(&["CreateTime", "LogAppendTime"])),
    spec("min.cleanable.dirty.ratio", "0.5", Takes::Ratio),
    spec("min.compaction.lag.ms", "0", Takes::Long(0)),
    spec("min.insync.replicas", "1", Takes::Int(1)),
    spec("preallocate", "false", Takes::Boolean),
    spec("remote.log.copy.disable", "false", Takes::Boolean),
    spec("remote.log.delete.on.disable", "false", Takes::Boolean),
    spec("remote.storage.enable", "false", Takes::Boolean),
    spec("retention.bytes", "-1", Takes::Long(i64::MIN)),
    spec("retention.ms", "604800000", Takes::Long(-1)),
    spec("segment.bytes", "1073741824", Takes::Int(1 << 20)),
    spec("segment.index.bytes", "10485760", Takes::Int(4)),
    spec("segment.jitter.ms", "0", Takes::Long(0)),
    spec("segment.ms", "604800000", Takes::Long(1)),
    spec("unclean.leader.election.enable", "false", Takes::Boolean),
];

const fn spec(name: &'static str, default: &'static str, takes: Takes) -> Spec {
    Spec { name, default, takes }
}
