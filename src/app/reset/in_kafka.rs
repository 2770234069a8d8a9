//! What an application has in Kafka of its own.

use crate::app::config::Config;
use crate::app::instance::{kafka_settings, topic_settings};
use crate::kafka::{GroupMember, KafkaAdmin};
use crate::ports::{Admin as _, PortError};
use crate::runtime::{TopicRole, TopicsNeeded};
use crate::topology::{Names, Topology};

/// What is there to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundInKafka {
    /// Whether the group may have offsets.
    pub group: bool,
    /// Purpose and name, in the order in which they go.
    pub topics: Vec<(&'static str, String)>,
}

/// Kafka, as far as a reset concerns it; a test has a small one.
pub(super) trait KafkaSide {
    /// Who is in the group.
    fn members(&mut self) -> Result<Vec<GroupMember>, PortError>;
    /// What is there.
    fn found(&mut self) -> Result<FoundInKafka, PortError>;
    /// The topics that stay.
    fn kept(&self) -> Vec<String>;
    /// False when there was none.
    fn delete_group(&mut self) -> Result<bool, PortError>;
    /// One that is gone is no error.
    fn delete_topic(&mut self, name: &str) -> Result<(), PortError>;
}

/// The real one.
pub(super) struct InKafka {
    admin: KafkaAdmin,
    group: String,
    needed: TopicsNeeded,
}

impl InKafka {
    pub(super) fn connect(config: &Config, topology: &Topology) -> Result<Self, PortError> {
        let names = Names::new(&config.application.id, &config.application.topic_prefix);
        Ok(InKafka {
            admin: KafkaAdmin::new(&kafka_settings(config, "reset"))?,
            group: config.application.id.clone(),
            needed: TopicsNeeded::of(topology, &names, &topic_settings(config, topology)),
        })
    }

    fn of_roles(&self, roles: &[TopicRole]) -> Vec<String> {
        let mut names: Vec<String> =
            self.needed.topics().iter().filter(|topic| roles.contains(&topic.role)).map(|topic| topic.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// In the order in which they go.
const OWN: &[(TopicRole, &str)] = &[
    (TopicRole::Changelog, "changelog"),
    (TopicRole::Repartition, "repartition topic"),
    (TopicRole::Members, "members topic"),
    (TopicRole::TaskLog, "task log"),
];

impl KafkaSide for InKafka {
    fn members(&mut self) -> Result<Vec<GroupMember>, PortError> {
        self.admin.group_members(&self.group)
    }

    fn found(&mut self) -> Result<FoundInKafka, PortError> {
        let mut topics = Vec::new();
        for (role, purpose) in OWN {
            let names = self.of_roles(&[*role]);
            let asked: Vec<&str> = names.iter().map(String::as_str).collect();
            let found = self.admin.topics(&asked)?;
            topics.extend(names.iter().zip(found).filter(|(_, found)| found.is_some()).map(|(name, _)| (*purpose, name.clone())));
        }
        Ok(FoundInKafka { group: self.admin.group_exists(&self.group)?, topics })
    }

    fn kept(&self) -> Vec<String> {
        self.of_roles(&[TopicRole::Source, TopicRole::Sink, TopicRole::DeadLetters])
    }

    fn delete_group(&mut self) -> Result<bool, PortError> {
        self.admin.delete_group(&self.group)
    }

    fn delete_topic(&mut self, name: &str) -> Result<(), PortError> {
        self.admin.delete_topics(&[name]).map(drop)
    }
}
