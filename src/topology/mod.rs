//! WHAT runs: sources, streams, processors, stores and sinks, and how they hang together.
//!
//! ```text
//!   source ──stream──► processor ──stream──► processor ──stream──► sink
//!                          │                     │
//!                        store                 store
//! ```
//!
//! A [`TopologyBuilder`] collects the parts, `build` checks all of them and reports every fault at once. What is connected by
//! streams or shared stores forms a sub-topology; a sub-topology runs as one task per source partition.

mod builder;
mod co_partition;
mod describe;
mod error;
mod handles;
mod names;
mod parts;
mod split;
mod validate;
mod wiring;

pub use builder::TopologyBuilder;
pub use describe::{TopologyFormat, UnknownFormat};
pub use error::{TopologyErrors, TopologyFault};
pub use handles::{Index, Keyed, Partial, Sink, Store, Stream};
pub use names::{Names, TaskId};
pub use parts::CommitPace;
pub(crate) use parts::{NodeKind, PartitionKey, SinkCodecs, StoreDef, SubTopology};
pub use wiring::Wiring;

use std::sync::Arc;

use parts::Parts;

use crate::processor::StoreId;
use crate::record::TopicName;
use crate::state::Column;

/// A checked topology. Cheap to clone.
#[derive(Clone)]
pub struct Topology {
    parts: Arc<Parts>,
}

impl Topology {
    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The sub-topologies, in the order of their first sources.
    pub(crate) fn subtopologies(&self) -> &[SubTopology] {
        &self.parts.subtopologies
    }

    /// All source topics that others write, without prefix, each once, in order of declaration.
    pub fn source_topics(&self) -> Vec<Arc<str>> {
        let mut topics = Vec::new();
        for (topic, _) in self.parts.subtopologies.iter().flat_map(|s| &s.topics) {
            if let TopicName::Declared(topic) = topic
                && !topics.contains(topic)
            {
                topics.push(topic.clone());
            }
        }
        topics
    }

    /// The topics whose records are commands, without prefix, each once.
    pub fn command_topics(&self) -> Vec<Arc<str>> {
        let mut topics = self.source_topics();
        let decided = |topic: &Arc<str>| {
            let read = self.parts.sources.iter().filter(|source| source.commands).flat_map(|source| &source.topics);
            read.into_iter().any(|read| matches!(read, TopicName::Declared(read) if read == topic))
        };
        topics.retain(decided);
        topics
    }

    /// The sub-topologies that decide commands: what they wrote cannot be made again by reading their sources.
    pub(crate) fn deciding(&self) -> impl Iterator<Item = &SubTopology> {
        let decides = |subtopology: &&SubTopology| subtopology.topics.iter().any(|(_, source)| self.parts.sources[*source].commands);
        self.parts.subtopologies.iter().filter(decides)
    }

    /// The topics that a sub-topology's sinks and repartitions write.
    pub(crate) fn sink_topics(&self, subtopology: &SubTopology) -> Vec<TopicName> {
        let topic = |node: &usize| match &self.parts.nodes[*node].kind {
            NodeKind::Sink(topic) => Some(topic.clone()),
            NodeKind::Processor => None,
        };
        subtopology.nodes.iter().filter_map(topic).collect()
    }

    /// The topics of a sub-topology's sinks whose positions its markers keep: those of repartitions, and where records are held to
    /// tell of positions, those of the sinks that do not hold theirs.
    pub(crate) fn followed_topics(&self, subtopology: &SubTopology) -> Vec<TopicName> {
        let nodes = || subtopology.nodes.iter().map(|node| &self.parts.nodes[*node]);
        let tells = nodes().any(|node| node.is_held);
        let mut topics: Vec<TopicName> = Vec::new();
        for node in nodes().filter(|node| !node.is_held) {
            if let NodeKind::Sink(topic) = &node.kind
                && (tells || matches!(topic, TopicName::Repartition(_)))
                && !topics.contains(topic)
            {
                topics.push(topic.clone());
            }
        }
        topics
    }

    /// The first sub-topology that reads a topic.
    pub(crate) fn reader_of(&self, topic: &TopicName) -> Option<&SubTopology> {
        self.parts.subtopologies.iter().find(|subtopology| subtopology.topics.iter().any(|(read, _)| read == topic))
    }

    /// The sub-topologies that write the repartition topics of one.
    pub(crate) fn writers<'a>(&'a self, of: &'a SubTopology) -> impl Iterator<Item = &'a SubTopology> {
        let writes = |subtopology: &&SubTopology| {
            let written = self.sink_topics(subtopology);
            of.topics.iter().any(|(topic, _)| matches!(topic, TopicName::Repartition(_)) && written.contains(topic))
        };
        self.parts.subtopologies.iter().filter(writes)
    }

    /// The definition of a store.
    pub(crate) fn store(&self, store: StoreId) -> &StoreDef {
        &self.parts.stores[store.0]
    }

    /// The columns of a sub-topology's stores in a task's database, each with those of its indexes: column 0 is the position, the
    /// stores follow, then their indexes.
    pub(crate) fn columns(&self, subtopology: &SubTopology) -> Vec<(StoreId, Column, Vec<Column>)> {
        let mut columns = (1..).map(Column);
        let stores: Vec<Column> = columns.by_ref().take(subtopology.stores.len()).collect();
        let with_indexes = |(store, column): (&StoreId, Column)| {
            let indexes = columns.by_ref().take(self.store(*store).indexes.len()).collect();
            (*store, column, indexes)
        };
        subtopology.stores.iter().zip(stores).map(with_indexes).collect()
    }

    /// What runs, as text in Kafka Streams' manner: stable, fit for a golden test.
    pub fn describe(&self) -> String {
        self.describe_as(TopologyFormat::Text)
    }

    /// The same in another format.
    pub fn describe_as(&self, format: TopologyFormat) -> String {
        describe::describe(&self.parts, format)
    }
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}
