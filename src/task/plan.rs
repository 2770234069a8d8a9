//! What a task consists of, with all names resolved.

use std::sync::Arc;

use crate::record::TopicPartition;
use crate::state::Column;
use crate::topology::{Names, TaskId, Topology};

/// A source partition of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSource {
    /// Full name and partition.
    pub partition: TopicPartition,
    /// How many partitions the topic has.
    pub partitions: i32,
    /// The topology's source that reads it.
    pub(crate) source: usize,
    /// Whether the keys decide where rows lie, so that a record with a key of another partition is misplaced.
    pub(crate) keyed: bool,
    /// Whether this task commits the topic's offsets for lag tools: the first sub-topology that reads a topic does.
    pub reports_offsets: bool,
}

/// A store of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStore {
    /// As declared.
    pub name: String,
    /// Its column in the task's database.
    pub column: Column,
    /// Its changelog partition.
    pub changelog: TopicPartition,
    pub(crate) id: crate::processor::StoreId,
}

/// What a task consists of.
#[derive(Clone)]
pub struct TaskPlan {
    /// Which task.
    pub id: TaskId,
    /// Its source partitions.
    pub sources: Vec<PlannedSource>,
    /// Its stores, in the order of their columns.
    pub stores: Vec<PlannedStore>,
    pub(crate) topology: Topology,
    pub(crate) nodes: Vec<usize>,
}

impl TaskPlan {
    /// Plans one task of a topology; `partitions` is the count of its source topics. `None` when the topology does not know the
    /// sub-topology or the partition does not exist.
    pub fn new(topology: &Topology, names: &Names, id: &TaskId, partitions: i32) -> Option<Self> {
        let subtopology = topology.subtopologies().iter().find(|s| s.name == id.subtopology)?;
        if !(0..partitions).contains(&id.partition) {
            return None;
        }
        let parts = topology.parts();
        let sources = subtopology
            .topics
            .iter()
            .map(|(topic, source)| PlannedSource {
                partition: TopicPartition::new(names.topic(topic), id.partition),
                partitions,
                source: *source,
                reports_offsets: first_reader(topology, topic) == Some(&subtopology.name),
                keyed: parts.stores.iter().any(|store| store.by == parts.sources[*source].edge),
            })
            .collect();
        let stores = subtopology
            .stores
            .iter()
            .enumerate()
            .map(|(at, store)| {
                let name = parts.stores[store.0].name.clone();
                PlannedStore {
                    column: Column(at as u16 + 1),
                    changelog: TopicPartition::new(names.changelog(&name), id.partition),
                    id: *store,
                    name,
                }
            })
            .collect();
        Some(TaskPlan { id: id.clone(), sources, stores, topology: topology.clone(), nodes: subtopology.nodes.clone() })
    }

    /// The column names of its stores, for opening its database.
    pub fn columns(&self) -> Vec<String> {
        self.stores.iter().map(|store| self.topology.parts().stores[store.id.0].column_name()).collect()
    }

    /// The name of its directory and of itself in messages.
    pub fn name(&self) -> String {
        self.id.to_string()
    }

    /// The full topic name of each source partition.
    pub fn source_partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.sources.iter().map(|source| &source.partition)
    }

    /// The source at an index of `sources`.
    pub(crate) fn source_node(&self, at: usize) -> Arc<dyn crate::processor::ErasedSource> {
        self.topology.parts().sources[self.sources[at].source].node.clone()
    }
}

fn first_reader<'a>(topology: &'a Topology, topic: &str) -> Option<&'a Arc<str>> {
    let reads = |subtopology: &&crate::topology::SubTopology| subtopology.topics.iter().any(|(read, _)| **read == *topic);
    topology.subtopologies().iter().find(reads).map(|subtopology| &subtopology.name)
}
