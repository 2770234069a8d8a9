//! What a task consists of, with all names resolved.

use std::sync::Arc;

use crate::ports::ClusterFacts;
use crate::processor::ProcessorError;
use crate::record::{TopicName, TopicPartition, partition_for};
use crate::state::{Column, IndexDef, Origin, RowIndexer};
use crate::topology::{CommitPace, Names, TaskId, Topology};

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
    /// How soon is committed what its records led to.
    pub pace: CommitPace,
    /// Whether its records are commands: decided once, and never again in a replay.
    pub commands: bool,
}

impl PlannedSource {
    /// Why a record with such a key should not be in this partition, if it should not.
    pub(super) fn misplaced(&self, key: Option<&[u8]>) -> Option<ProcessorError> {
        if !self.keyed {
            return None;
        }
        let Some(key) = key else {
            return Some(ProcessorError::Misplaced("the key is null, and the key decides where the row lies".into()));
        };
        let wanted = partition_for(key, self.partitions);
        (wanted != self.partition.partition).then(|| {
            ProcessorError::Misplaced(format!(
                "the key belongs to partition {wanted}; write with Kafka's murmur2 partitioner (librdkafka: partitioner=murmur2_random)"
            ))
        })
    }
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
    /// The columns of its indexes, in the order of declaration.
    pub indexes: Vec<Column>,
    pub(crate) id: crate::processor::StoreId,
}

/// A topic that a task writes, and whose positions its markers keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedOutput {
    /// As the topology names it.
    pub topic: TopicName,
    /// Full name.
    pub full: Arc<str>,
    /// How many partitions it has; `None` when nothing of this topology reads it.
    pub partitions: Option<i32>,
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
    /// The topics whose positions its markers keep.
    pub outputs: Vec<PlannedOutput>,
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
                partition: TopicPartition::new(names.full(topic), id.partition),
                partitions,
                source: *source,
                pace: parts.sources[*source].pace,
                commands: parts.sources[*source].commands,
                reports_offsets: topology.reader_of(topic).is_some_and(|first| first.name == subtopology.name),
                keyed: parts.stores.iter().any(|store| store.keyed_by().any(|by| by == parts.sources[*source].edge)),
            })
            .collect();
        let stores = topology.columns(subtopology).into_iter().map(|(store, column, indexes)| {
            let definition = topology.store(store);
            PlannedStore {
                column,
                changelog: TopicPartition::new(names.changelog(&definition.name), id.partition),
                indexes,
                id: store,
                name: definition.name.clone(),
            }
        });
        let stores = stores.collect();
        let output = |topic: TopicName| PlannedOutput { full: names.full(&topic).into(), partitions: None, topic };
        let outputs = topology.followed_topics(subtopology).into_iter().map(output).collect();
        Some(TaskPlan { id: id.clone(), sources, stores, outputs, topology: topology.clone(), nodes: subtopology.nodes.clone() })
    }

    /// Tells how many partitions the sub-topologies have that read its outputs; where that is not known, its markers keep positions of
    /// more partitions than it wrote to.
    pub fn with_partitions_of(mut self, partitions: impl Fn(&str) -> Option<i32>) -> Self {
        for output in &mut self.outputs {
            let reader = self.topology.reader_of(&output.topic);
            output.partitions = reader.and_then(|reader| partitions(&reader.name));
        }
        self
    }

    /// The column names of its stores and their indexes, for opening its database.
    pub fn columns(&self) -> Vec<String> {
        let definitions = || self.stores.iter().map(|store| self.topology.store(store.id));
        let stores = definitions().map(|definition| definition.column_name());
        stores.chain(definitions().flat_map(|d| d.indexes.iter().map(|index| d.index_column_name(index)))).collect()
    }

    /// All columns that hold rows.
    pub fn row_columns(&self) -> impl Iterator<Item = Column> + '_ {
        self.stores.iter().flat_map(|store| std::iter::once(store.column).chain(store.indexes.iter().copied()))
    }

    /// A store's indexes with their columns.
    pub(crate) fn indexes_of<'a>(&'a self, store: &'a PlannedStore) -> Vec<(Column, &'a IndexDef)> {
        store.indexes.iter().copied().zip(&self.topology.store(store.id).indexes).collect()
    }

    /// Derives the index rows of a store.
    pub(crate) fn indexer(&self, store: &PlannedStore) -> Box<dyn RowIndexer> {
        self.indexer_of(store, &self.indexes_of(store))
    }

    /// Derives the rows of some of a store's indexes.
    pub(crate) fn indexer_of(&self, store: &PlannedStore, indexes: &[(Column, &IndexDef)]) -> Box<dyn RowIndexer> {
        self.topology.store(store.id).types.indexer(&store.name, indexes)
    }

    /// What its state is made from, as far as the cluster tells.
    pub fn origin(&self, facts: &ClusterFacts) -> Origin {
        let changelogs = self.stores.iter().map(|store| &store.changelog);
        let topics = self.source_partitions().chain(changelogs).map(|partition| &*partition.topic);
        Origin {
            cluster: facts.cluster.clone(),
            partitions: self.sources.first().filter(|_| !self.stores.is_empty()).map(|source| source.partitions),
            topics: topics.filter_map(|topic| Some((topic.to_string(), facts.topic_id(topic)?.to_string()))).collect(),
            keys: self.stores.iter().map(|store| (store.name.clone(), self.topology.store(store.id).types.key_shape())).collect(),
        }
    }

    /// The name of its directory and of itself in messages.
    pub fn name(&self) -> String {
        self.id.to_string()
    }

    /// The full topic name of each source partition.
    pub fn source_partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.sources.iter().map(|source| &source.partition)
    }

    /// Those of them that bring commands.
    pub fn command_partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.sources.iter().filter(|source| source.commands).map(|source| &source.partition)
    }

    /// The source at an index of `sources`.
    pub(crate) fn source_node(&self, at: usize) -> Arc<dyn crate::processor::ErasedSource> {
        self.topology.parts().sources[self.sources[at].source].node.clone()
    }
}
