//! What can be wrong with topics, and what to do about it.

use crate::ports::PortError;

/// Topics are missing or do not fit.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// Kafka failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// What must be changed by a person.
    #[error("topics do not fit:{}", faults.iter().map(|fault| format!("\n  - {fault}")).collect::<String>())]
    Faults {
        /// All faults that were found.
        faults: Vec<TopicFault>,
    },
}

/// A topic that is missing or does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicFault {
    /// It is missing, and is not to be made.
    #[error(
        "topic {topic} does not exist, and topics.create is off: make it with {partitions} partitions and \
         cleanup.policy={cleanup_policy}, or set topics.create = true"
    )]
    Missing {
        /// The topic.
        topic: String,
        /// How many it needs.
        partitions: i32,
        /// What it needs.
        cleanup_policy: String,
    },
    /// Sources that are read together have different counts.
    #[error(
        "source topics of sub-topology {subtopology} are read together and need the same number of partitions: {}; make those anew \
         that differ",
        counts.iter().map(|(topic, count)| format!("{topic} has {count}")).collect::<Vec<_>>().join(", ")
    )]
    UnequalSources {
        /// The sub-topology.
        subtopology: String,
        /// Each source topic with its partitions.
        counts: Vec<(String, i32)>,
    },
    /// A changelog does not fit its sources.
    #[error(
        "changelog {topic} has {found} partitions, its sources have {expected}: run `viewmill reset --application` to build all state anew, \
         or give the sources their former number"
    )]
    ChangelogPartitions {
        /// The changelog.
        topic: String,
        /// What it has.
        found: i32,
        /// What its sources have.
        expected: i32,
    },
    /// An internal topic would lose records that are still needed.
    #[error(
        "{role} {topic} has cleanup.policy={found}, it must be compact only: set it so if no record was deleted from it yet, else set \
         another application.id"
    )]
    CleanupPolicy {
        /// `changelog` or `task log`.
        role: &'static str,
        /// The topic.
        topic: String,
        /// Its policy.
        found: String,
    },
    /// Members could not be told apart by the order of one log.
    #[error("members topic {topic} has {found} partitions, it must have 1: stop all instances and delete it, it is made anew")]
    MembersPartitions {
        /// The topic.
        topic: String,
        /// What it has.
        found: i32,
    },
    /// The members topic would grow without end, or forget members that live.
    #[error("members topic {topic} has cleanup.policy={found}, it must include compact: set compact,delete")]
    MembersPolicy {
        /// The topic.
        topic: String,
        /// Its policy.
        found: String,
    },
    /// Nobody knows whether an internal topic keeps what is needed.
    #[error("the settings of {role} {topic} may not be read: allow DescribeConfigs on this topic")]
    HiddenSettings {
        /// `changelog`, `task log` or `members topic`.
        role: &'static str,
        /// The topic.
        topic: String,
    },
}
