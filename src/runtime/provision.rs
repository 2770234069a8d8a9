//! Before the first thread starts: the topics that the application needs are there and fit, or the start is refused by name.

use std::collections::BTreeMap;

use crate::ports::{Admin, NewTopic, PortError, TopicInfo};
use crate::topology::{Names, TaskId, Topology};

/// How topics that are missing are made.
#[derive(Clone, Debug)]
pub struct TopicSettings {
    /// Make missing topics; else refuse.
    pub create: bool,
    /// Partitions of source topics that we make.
    pub partitions: i32,
    /// `None`: the broker's default.
    pub replication_factor: Option<i32>,
    /// Whether records that cannot be processed need a topic.
    pub dead_letters: bool,
}

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
        faults: Vec<String>,
    },
}

/// What was found: how many partitions, and thereby tasks, each sub-topology has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// By sub-topology name.
    pub partitions: BTreeMap<String, i32>,
}

impl Provisioned {
    /// All tasks, in the order of sub-topologies and partitions.
    pub fn tasks(&self, topology: &Topology) -> Vec<TaskId> {
        let of = |name: &std::sync::Arc<str>| {
            let partitions = self.partitions.get(&**name).copied().unwrap_or(0);
            let name = name.clone();
            (0..partitions).map(move |partition| TaskId { subtopology: name.clone(), partition })
        };
        topology.subtopologies().iter().flat_map(|subtopology| of(&subtopology.name)).collect()
    }
}

/// Makes missing topics and checks all of them.
pub fn provision(
    topology: &Topology,
    names: &Names,
    settings: &TopicSettings,
    admin: &mut dyn Admin,
) -> Result<Provisioned, ProvisionError> {
    let mut provisioner = Provisioner { settings, admin, faults: Vec::new() };
    let mut partitions = BTreeMap::new();
    for subtopology in topology.subtopologies() {
        let sources: Vec<String> = subtopology.topics.iter().map(|(topic, _)| names.topic(topic)).collect();
        let count = provisioner.sources(&sources)?;
        let stores = subtopology.stores.iter().map(|store| &topology.parts().stores[store.0].name);
        for changelog in stores.map(|store| names.changelog(store)) {
            provisioner.changelog(&changelog, count)?;
        }
        if settings.dead_letters {
            for source in &sources {
                provisioner.plain(&Names::dead_letters(source), count, "2592000000")?;
            }
        }
        for topic in topology.sink_topics(subtopology) {
            provisioner.plain(&names.topic(&topic), settings.partitions, "-1")?;
        }
        partitions.insert(subtopology.name.to_string(), count);
    }
    match provisioner.faults.is_empty() {
        true => Ok(Provisioned { partitions }),
        false => Err(ProvisionError::Faults { faults: provisioner.faults }),
    }
}

struct Provisioner<'a> {
    settings: &'a TopicSettings,
    admin: &'a mut dyn Admin,
    faults: Vec<String>,
}

impl Provisioner<'_> {
    /// Source topics of one sub-topology: all with one count, since task n reads partition n of each.
    fn sources(&mut self, names: &[String]) -> Result<i32, PortError> {
        let refs: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut found = self.admin.topics(&refs)?;
        // A topic that we make gets the count of those that are there.
        let count = found.iter().flatten().map(|topic| topic.partitions).next().unwrap_or(self.settings.partitions);
        for (name, topic) in names.iter().zip(&mut found) {
            if topic.is_none() {
                *topic = self.make(name, count, &[("cleanup.policy", "delete"), ("retention.ms", "-1")])?;
            }
        }
        let counts: Vec<(&String, i32)> =
            names.iter().zip(&found).filter_map(|(name, topic)| Some((name, topic.as_ref()?.partitions))).collect();
        if counts.iter().any(|(_, partitions)| *partitions != count) {
            let list: Vec<String> = counts.iter().map(|(name, partitions)| format!("{name} has {partitions}")).collect();
            self.faults.push(format!("source topics that are read together need the same number of partitions: {}", list.join(", ")));
        }
        Ok(count)
    }

    fn changelog(&mut self, name: &str, count: i32) -> Result<(), PortError> {
        let settings = [("cleanup.policy", "compact"), ("min.compaction.lag.ms", "600000"), ("segment.bytes", "67108864")];
        let Some(topic) = self.find_or_make(name, count, &settings)? else { return Ok(()) };
        if topic.partitions != count {
            self.faults.push(format!("changelog {name} has {} partitions, its sources have {count}", topic.partitions));
        }
        if topic.cleanup_policy != "compact" {
            self.faults.push(format!("changelog {name} has cleanup.policy={}, it must be compact", topic.cleanup_policy));
        }
        Ok(())
    }

    fn plain(&mut self, name: &str, count: i32, retention_ms: &str) -> Result<(), PortError> {
        self.find_or_make(name, count, &[("cleanup.policy", "delete"), ("retention.ms", retention_ms)]).map(|_| ())
    }

    fn find_or_make(&mut self, name: &str, count: i32, settings: &[(&str, &str)]) -> Result<Option<TopicInfo>, PortError> {
        match self.admin.topics(&[name])?.pop().flatten() {
            Some(topic) => Ok(Some(topic)),
            None => self.make(name, count, settings),
        }
    }

    fn make(&mut self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<Option<TopicInfo>, PortError> {
        if !self.settings.create {
            self.faults.push(format!("topic {name} does not exist, and topics.create is off"));
            return Ok(None);
        }
        tracing::info!(topic = name, partitions, "making topic");
        self.admin.create_topic(&NewTopic {
            name: name.to_string(),
            partitions,
            replication_factor: self.settings.replication_factor,
            settings: settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        })?;
        Ok(self.admin.topics(&[name])?.pop().flatten())
    }
}
