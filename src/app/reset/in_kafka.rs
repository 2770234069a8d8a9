//! What an application has in Kafka of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::app::config::Config;
use crate::app::instance::{kafka_settings, topic_settings};
use crate::kafka::{GroupMember, KafkaAdmin, KafkaChangelogReader, KafkaSettings};
use crate::ports::{Admin as _, ChangelogReader as _, PortError};
use crate::record::{Offset, TopicName, TopicPartition};
use crate::runtime::{TopicRole, TopicsNeeded};
use crate::topology::{Names, Topology};

/// So long it is waited for a transaction that an instance left behind: its time-out of 10 s, and the broker's next look.
const PENDING: Duration = Duration::from_secs(30);

/// What is there to be deleted, and what is kept of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundInKafka {
    /// Whether the group may have offsets that are not kept.
    pub group: bool,
    /// Purpose and name, in the order in which they go.
    pub topics: Vec<(&'static str, String)>,
    /// Where the group stands in topics of commands.
    pub places: Vec<(TopicPartition, Offset)>,
    /// It has decided something, and where it stands in topics of commands is not known any more.
    pub places_are_lost: bool,
}

/// Kafka, as far as a reset concerns it; a test has a small one.
pub(super) trait KafkaSide {
    /// Who is in the group.
    fn members(&mut self) -> Result<Vec<GroupMember>, PortError>;
    /// What is there.
    fn found(&mut self) -> Result<FoundInKafka, PortError>;
    /// The topics that stay.
    fn kept(&self) -> Vec<String>;
    /// Removes the committed offsets of the group, but those places; without any, the group.
    fn forget_offsets(&mut self, places: &[(TopicPartition, Offset)]) -> Result<(), PortError>;
    /// One that is gone is no error.
    fn delete_topic(&mut self, name: &str) -> Result<(), PortError>;
}

/// The real one.
pub(super) struct InKafka {
    admin: KafkaAdmin,
    settings: KafkaSettings,
    group: String,
    needed: TopicsNeeded,
    /// The topics of commands whose place is kept.
    commands: Vec<String>,
    /// Repartition topics that decisions led to: they cannot be made again without deciding again.
    decided: BTreeSet<String>,
}

impl InKafka {
    /// `redo_commands`: their places are not kept.
    pub(super) fn connect(config: &Config, topology: &Topology, redo_commands: bool) -> Result<Self, PortError> {
        let names = Names::new(&config.application.id, &config.application.topic_prefix);
        let settings = kafka_settings(config, "reset");
        let (mut commands, mut decided) = (Vec::new(), BTreeSet::new());
        if !redo_commands {
            commands.extend(topology.command_topics().iter().map(|topic| names.topic(topic)));
            let written = topology.deciding().flat_map(|subtopology| topology.sink_topics(subtopology));
            decided.extend(written.filter(|topic| matches!(topic, TopicName::Repartition(_))).map(|topic| names.full(&topic)));
        }
        Ok(InKafka {
            admin: KafkaAdmin::new(&settings)?,
            group: config.application.id.clone(),
            needed: TopicsNeeded::of(topology, &names, &topic_settings(config, topology)),
            settings,
            commands,
            decided,
        })
    }

    fn of_roles(&self, roles: &[TopicRole]) -> Vec<String> {
        let mut names: Vec<String> =
            self.needed.topics().iter().filter(|topic| roles.contains(&topic.role)).map(|topic| topic.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The partitions of those of the topics that exist.
    fn partitions(&mut self, topics: &[String]) -> Result<Vec<TopicPartition>, PortError> {
        let asked: Vec<&str> = topics.iter().map(String::as_str).collect();
        let found = self.admin.topics(&asked)?;
        let there = topics.iter().zip(found).filter_map(|(name, found)| Some((name.as_str(), found?.partitions)));
        Ok(there.flat_map(|(name, count)| (0..count).map(move |at| TopicPartition::new(name, at))).collect())
    }

    /// The partitions whose offsets the group commits, but those of commands.
    fn others(&mut self) -> Result<Vec<TopicPartition>, PortError> {
        let mut topics = self.of_roles(&[TopicRole::Source, TopicRole::Repartition, TopicRole::TaskLog]);
        topics.retain(|topic| !self.commands.contains(topic));
        self.partitions(&topics)
    }

    fn find_places(&mut self, found: &mut FoundInKafka) -> Result<(), PortError> {
        let mut reader = KafkaChangelogReader::new(&self.settings)?;
        let commands = self.commands.clone();
        for at in self.partitions(&commands)? {
            let place = reader.committed_within(&at, PENDING)?;
            found.places.extend(place.map(|place| (at, place)));
        }
        if found.places.is_empty() {
            for token in self.partitions(&self.of_roles(&[TopicRole::TaskLog]))? {
                let bounds = reader.bounds(&token)?;
                found.places_are_lost |= bounds.start < bounds.end;
            }
            return Ok(());
        }
        found.group = false;
        for at in self.others()? {
            found.group |= reader.committed_within(&at, PENDING)?.is_some();
        }
        Ok(())
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
        let mut found = FoundInKafka { group: self.admin.group_exists(&self.group)?, ..FoundInKafka::default() };
        for (role, purpose) in OWN {
            let mut names = self.of_roles(&[*role]);
            names.retain(|name| !self.decided.contains(name));
            let asked: Vec<&str> = names.iter().map(String::as_str).collect();
            let there = self.admin.topics(&asked)?;
            found.topics.extend(names.iter().zip(there).filter(|(_, there)| there.is_some()).map(|(name, _)| (*purpose, name.clone())));
        }
        if !self.commands.is_empty() {
            self.find_places(&mut found)?;
        }
        Ok(found)
    }

    fn kept(&self) -> Vec<String> {
        let mut kept = self.of_roles(&[TopicRole::Source, TopicRole::Sink, TopicRole::DeadLetters]);
        kept.extend(self.decided.iter().cloned());
        kept
    }

    fn forget_offsets(&mut self, places: &[(TopicPartition, Offset)]) -> Result<(), PortError> {
        if places.is_empty() {
            return self.admin.delete_group(&self.group).map(drop);
        }
        let others = self.others()?;
        self.admin.delete_offsets(&self.group, &others)
    }

    fn delete_topic(&mut self, name: &str) -> Result<(), PortError> {
        self.admin.delete_topics(&[name]).map(drop)
    }
}
