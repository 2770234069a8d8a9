//! Which topics are needed, and what is wrong with those that were found. Asks nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{TopicFault, TopicSettings};
use crate::ports::{NewTopic, TopicInfo};
use crate::record::TopicName;
use crate::topology::{Names, SubTopology, Topology};

/// What we write keeps the time of what it was made from, and one record from the future must not stop its topic. Brokers from 4.0 on
/// refuse such times unless this is set.
const ANY_TIME: (&str, &str) = ("message.timestamp.after.max.ms", "9223372036854775807");

const RETENTION: &str = "retention.ms";

/// What a topic is for: how it must be, and how it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRole {
    /// Records come from it.
    Source,
    /// One sub-topology writes it for another. It is kept whole: a store that is added later is filled from it.
    Repartition,
    /// A store is restored from it.
    Changelog,
    /// Records go to it that cannot be processed.
    DeadLetters,
    /// A sink writes to it.
    Sink,
    /// A partition a task.
    TaskLog,
    /// Instances tell each other what they have: records of those that are long gone leave by time, those of living ones are young.
    Members,
}

impl TopicRole {
    /// Topic settings of one that is made.
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            TopicRole::Source => &[("cleanup.policy", "delete"), (RETENTION, "-1")],
            TopicRole::Sink => &[("cleanup.policy", "delete"), (RETENTION, "-1"), ANY_TIME],
            TopicRole::Repartition => &[("cleanup.policy", "delete"), (RETENTION, "-1"), ("segment.bytes", "52428800"), ANY_TIME],
            // By size: a dead letter keeps the time of its record, and an old one would be removed as soon as it is written.
            TopicRole::DeadLetters => &[("cleanup.policy", "delete"), (RETENTION, "-1"), ("retention.bytes", "1073741824"), ANY_TIME],
            TopicRole::Changelog => &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "600000"), ("segment.bytes", "67108864")],
            TopicRole::TaskLog => &[("cleanup.policy", "compact"), ("min.compaction.lag.ms", "600000"), ("segment.bytes", "16777216")],
            TopicRole::Members => &[("cleanup.policy", "compact,delete"), (RETENTION, "86400000"), ("segment.bytes", "1048576")],
        }
    }

    /// Whether state is made from it or kept in it, so that it must not be deleted and made again.
    pub fn holds_state(self) -> bool {
        match self {
            TopicRole::Source | TopicRole::Repartition | TopicRole::Changelog | TopicRole::TaskLog => true,
            TopicRole::DeadLetters | TopicRole::Sink | TopicRole::Members => false,
        }
    }

    /// The name of those that must be compacted.
    fn compacted(self) -> Option<&'static str> {
        match self {
            TopicRole::Changelog => Some("changelog"),
            TopicRole::TaskLog => Some("task log"),
            TopicRole::Members => Some("members topic"),
            TopicRole::Source | TopicRole::Repartition | TopicRole::Sink | TopicRole::DeadLetters => None,
        }
    }
}

/// A topic in one of its roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicNeeded {
    /// Full name.
    pub name: String,
    /// What for.
    pub role: TopicRole,
    /// Which sub-topology it belongs to; empty for those of the whole application.
    pub subtopology: String,
    /// How long records are kept in one that is made, unless that follows from its role.
    pub kept: Option<Duration>,
}

/// All topics that a topology needs.
#[derive(Clone, Debug)]
pub struct TopicsNeeded {
    topics: Vec<TopicNeeded>,
    subtopologies: Vec<Reader>,
    settings: TopicSettings,
}

/// A sub-topology, and who decides how many tasks it has.
#[derive(Clone, Debug)]
struct Reader {
    name: String,
    /// Whether it reads a topic of others.
    reads_sources: bool,
    /// The sub-topologies that write its repartition topics.
    writers: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// By sub-topology name; of missing sources as they would be made.
    pub partitions: BTreeMap<String, i32>,
    /// What is to be made; nothing when `topics.create` is off.
    pub missing: Vec<NewTopic>,
    /// What a person must change.
    pub faults: Vec<TopicFault>,
}

impl TopicsNeeded {
    /// Those of a topology.
    pub fn of(topology: &Topology, names: &Names, settings: &TopicSettings) -> Self {
        let mut topics = Vec::new();
        for subtopology in topology.subtopologies() {
            let kept = |topic| topology.parts().kept.get(topic).copied();
            let mut need = |role, name, kept| topics.push(TopicNeeded { name, role, subtopology: subtopology.name.to_string(), kept });
            for (topic, _) in &subtopology.topics {
                let role = if is_declared(topic) { TopicRole::Source } else { TopicRole::Repartition };
                need(role, names.full(topic), kept(topic));
                if settings.dead_letters {
                    need(TopicRole::DeadLetters, Names::dead_letters(&names.full(topic)), None);
                }
            }
            for store in &subtopology.stores {
                need(TopicRole::Changelog, names.changelog(&topology.parts().stores[store.0].name), None);
            }
            let sinks = topology.sink_topics(subtopology);
            sinks.iter().filter(|topic| is_declared(topic)).for_each(|topic| need(TopicRole::Sink, names.full(topic), kept(topic)));
        }
        topics.push(TopicNeeded { name: names.task_log(), role: TopicRole::TaskLog, subtopology: String::new(), kept: None });
        topics.push(TopicNeeded { name: names.members(), role: TopicRole::Members, subtopology: String::new(), kept: None });
        let reader = |subtopology: &SubTopology| Reader {
            name: subtopology.name.to_string(),
            reads_sources: subtopology.topics.iter().any(|(topic, _)| is_declared(topic)),
            writers: topology.writers(subtopology).map(|writer| writer.name.to_string()).collect(),
        };
        TopicsNeeded { topics, subtopologies: topology.subtopologies().iter().map(reader).collect(), settings: settings.clone() }
    }

    /// Every topic once for each role that it has.
    pub fn topics(&self) -> &[TopicNeeded] {
        &self.topics
    }

    /// Every topic once.
    pub fn names(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        self.topics.iter().map(|topic| topic.name.as_str()).filter(|name| seen.insert(*name)).collect()
    }

    /// Compares what is needed with the topics that were found, by name. One that is not among them is missing.
    pub fn inspect(&self, found: &BTreeMap<String, TopicInfo>) -> Inspection {
        let mut inspector = Inspector { needed: self, found, planned: BTreeMap::new(), inspection: Inspection::default() };
        // First, because a sink's topic may be another sub-topology's source, which decides how many partitions it has.
        let mut waiting: Vec<&Reader> = self.subtopologies.iter().collect();
        while !waiting.is_empty() {
            // One that reads repartition topics alone gets the count of those that write them; in a circle one must begin.
            let at = waiting.iter().position(|reader| inspector.count_is_known(reader)).unwrap_or(0);
            inspector.sources(waiting.remove(at));
        }
        self.topics.iter().for_each(|topic| inspector.other(topic));
        inspector.inspection
    }

    fn of_subtopology<'a>(&'a self, subtopology: &'a str, role: TopicRole) -> impl Iterator<Item = &'a TopicNeeded> {
        self.topics.iter().filter(move |topic| topic.role == role && topic.subtopology == subtopology)
    }
}

fn is_declared(topic: &TopicName) -> bool {
    matches!(topic, TopicName::Declared(_))
}

struct Inspector<'a> {
    needed: &'a TopicsNeeded,
    found: &'a BTreeMap<String, TopicInfo>,
    /// Partitions of missing topics.
    planned: BTreeMap<String, i32>,
    inspection: Inspection,
}

impl Inspector<'_> {
    fn count_is_known(&self, reader: &Reader) -> bool {
        reader.reads_sources || reader.writers.iter().all(|writer| self.inspection.partitions.contains_key(writer))
    }

    /// All sources of one sub-topology have one count, since task n reads partition n of each.
    fn sources(&mut self, reader: &Reader) {
        let needed = self.needed;
        let of_role = |role| needed.of_subtopology(&reader.name, role);
        let sources = || of_role(TopicRole::Source).chain(of_role(TopicRole::Repartition));
        // A topic that we make gets the count of those that are there; what others have made counts before what is ours.
        let written = || reader.writers.iter().filter_map(|writer| self.inspection.partitions.get(writer)).copied().max();
        let count = sources().find_map(|source| self.partitions(&source.name));
        let count = count.or_else(|| if reader.reads_sources { None } else { written() }).unwrap_or(needed.settings.partitions);
        sources().for_each(|source| self.plan(source, count));
        let counts: Vec<(String, i32)> =
            sources().filter_map(|source| Some((source.name.clone(), self.partitions(&source.name)?))).collect();
        if counts.iter().any(|(_, partitions)| *partitions != count) {
            self.inspection.faults.push(TopicFault::UnequalSources { subtopology: reader.name.clone(), counts });
        }
        self.inspection.partitions.insert(reader.name.clone(), count);
    }

    fn other(&mut self, topic: &TopicNeeded) {
        let of_sources = self.inspection.partitions.get(&topic.subtopology).copied().unwrap_or(0);
        match topic.role {
            TopicRole::Sink => self.plan(topic, self.needed.settings.partitions),
            TopicRole::TaskLog => self.plan(topic, self.inspection.partitions.values().sum()),
            TopicRole::Members => self.plan(topic, 1),
            TopicRole::Changelog | TopicRole::DeadLetters => self.plan(topic, of_sources),
            // Planned with all that is read beside it.
            TopicRole::Source | TopicRole::Repartition => return,
        }
        let Some(info) = self.found.get(&topic.name) else { return };
        if topic.role == TopicRole::Changelog && info.partitions != of_sources {
            let (topic, found) = (topic.name.clone(), info.partitions);
            self.inspection.faults.push(TopicFault::ChangelogPartitions { topic, found, expected: of_sources });
        }
        if topic.role == TopicRole::Members && info.partitions != 1 {
            self.inspection.faults.push(TopicFault::MembersPartitions { topic: topic.name.clone(), found: info.partitions });
        }
        if let Some(role) = topic.role.compacted() {
            let is_members = topic.role == TopicRole::Members;
            let topic = topic.name.clone();
            match info.cleanup_policy.as_deref() {
                Some("compact") => {}
                Some(found) if is_members && found.split(',').any(|policy| policy.trim() == "compact") => {}
                Some(found) if is_members => self.inspection.faults.push(TopicFault::MembersPolicy { topic, found: found.to_string() }),
                Some(found) => self.inspection.faults.push(TopicFault::CleanupPolicy { role, topic, found: found.to_string() }),
                None => self.inspection.faults.push(TopicFault::HiddenSettings { role, topic }),
            }
        }
    }

    fn partitions(&self, name: &str) -> Option<i32> {
        self.found.get(name).map(|topic| topic.partitions).or_else(|| self.planned.get(name).copied())
    }

    /// Plans a topic that is missing.
    fn plan(&mut self, topic: &TopicNeeded, partitions: i32) {
        if self.partitions(&topic.name).is_some() {
            return;
        }
        self.planned.insert(topic.name.clone(), partitions);
        let mut settings: Vec<(&str, String)> = topic.role.settings().iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if let Some(kept) = topic.kept
            && let Some((_, retention)) = settings.iter_mut().find(|(name, _)| *name == RETENTION)
        {
            *retention = kept.as_millis().to_string();
        }
        // Of a topic that is read and written, the reader makes the plan.
        let is_written = self.needed.topics.iter().any(|other| other.name == topic.name && other.role == TopicRole::Sink);
        if is_written && settings.iter().all(|(name, _)| *name != ANY_TIME.0) {
            settings.push((ANY_TIME.0, ANY_TIME.1.to_owned()));
        }
        if self.needed.settings.create {
            self.inspection.missing.push(NewTopic {
                name: topic.name.clone(),
                partitions,
                replication_factor: self.needed.settings.replication_factor,
                settings: settings.into_iter().map(|(name, value)| (name.to_string(), value)).collect(),
            });
        } else {
            let policy = settings.iter().find(|(name, _)| *name == "cleanup.policy").map_or("", |(_, policy)| policy).to_string();
            let topic = topic.name.clone();
            self.inspection.faults.push(TopicFault::Missing { topic, partitions, cleanup_policy: policy });
        }
    }
}
