//! Before the first thread starts: the topics that the application needs are there and fit, or the start is refused by name.
//!
//! ```text
//!   TopicsNeeded::of(topology) ──names──► Admin::topics ──found──► inspect ──► faults, missing topics, partition counts
//!                                                                     │
//!                                               provision makes what is missing, and inspects again
//!                                               check --online only tells
//! ```

mod fault;
mod inspection;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use fault::{ProvisionError, TopicFault};
pub use inspection::{Inspection, TopicNeeded, TopicRole, TopicsNeeded};

use crate::ports::{Admin, PortError, PortErrorClass, TopicInfo};
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

/// What was found: how many partitions, and thereby tasks, each sub-topology has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioned {
    /// By sub-topology name.
    pub partitions: BTreeMap<String, i32>,
    /// The topics that state is made from and kept in, as they were found: sources, repartition topics, changelogs, the task log.
    pub topics: BTreeMap<String, TopicInfo>,
}

impl Provisioned {
    /// All tasks, in the order in which those that are new get their tokens: the first partition of each sub-topology, the second of each the
    /// other way round, and so on. The group gives whoever joins the lowest tokens of each member, or every other one: numbered by
    /// sub-topology these would all be of one, and one member would do all the work.
    pub fn tasks(&self, topology: &Topology) -> Vec<TaskId> {
        let subtopologies: Vec<_> = topology.subtopologies().iter().map(|subtopology| subtopology.name.clone()).collect();
        let count = |name: &std::sync::Arc<str>| self.partitions.get(&**name).copied().unwrap_or(0);
        let most = subtopologies.iter().map(count).max().unwrap_or(0);
        let mut tasks = Vec::new();
        for partition in 0..most {
            let of = |name: &std::sync::Arc<str>| TaskId { subtopology: name.clone(), partition };
            let there = subtopologies.iter().filter(|name| partition < count(name));
            match partition % 2 {
                0 => tasks.extend(there.map(of)),
                _ => tasks.extend(there.rev().map(of)),
            }
        }
        tasks
    }
}

/// Makes missing topics and checks all of them.
pub fn provision(
    topology: &Topology,
    names: &Names,
    settings: &TopicSettings,
    admin: &mut dyn Admin,
) -> Result<Provisioned, ProvisionError> {
    let needed = TopicsNeeded::of(topology, names, settings);
    let (mut inspection, mut found) = inspect(&needed, admin)?;
    if !inspection.missing.is_empty() {
        for topic in &inspection.missing {
            tracing::info!(topic = topic.name, partitions = topic.partitions, "making topic");
            admin.create_topic(topic)?;
        }
        // Another instance may have been faster, with other settings.
        (inspection, found) = inspect(&needed, admin)?;
    }
    match inspection.missing.first() {
        None => Ok(Provisioned { partitions: inspection.partitions, topics: found }),
        Some(topic) => Err(PortError::new(PortErrorClass::Retriable, "make topics", format!("{} is not there yet", topic.name)).into()),
    }
}

type Found = BTreeMap<String, TopicInfo>;

/// What there is, and those of it that hold state or what it is made from.
fn inspect(needed: &TopicsNeeded, admin: &mut dyn Admin) -> Result<(Inspection, Found), ProvisionError> {
    let names = needed.names();
    let found = admin.topics(&names)?;
    let mut found: Found = names.iter().zip(found).filter_map(|(name, topic)| Some((name.to_string(), topic?))).collect();
    let inspection = needed.inspect(&found);
    found.retain(|name, _| needed.topics().iter().any(|topic| topic.name == *name && topic.role.holds_state()));
    match inspection.faults.is_empty() {
        true => Ok((inspection, found)),
        false => Err(ProvisionError::Faults { faults: inspection.faults }),
    }
}
