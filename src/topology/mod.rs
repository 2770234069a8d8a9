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
mod describe;
mod error;
mod handles;
mod names;
mod parts;
mod validate;
mod wiring;

pub use builder::TopologyBuilder;
pub use error::{TopologyErrors, TopologyFault};
pub use handles::{Keyed, Sink, Store, Stream};
pub use names::{Names, TaskId};
pub(crate) use parts::{NodeKind, PartitionKey, SinkCodecs, SubTopology};
pub use wiring::Wiring;

use std::sync::Arc;

use parts::Parts;

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

    /// All source topics, without prefix, each once, in order of declaration.
    pub fn source_topics(&self) -> Vec<Arc<str>> {
        let mut topics = Vec::new();
        for topic in self.parts.subtopologies.iter().flat_map(|s| s.topics.iter().map(|(topic, _)| topic)) {
            if !topics.contains(topic) {
                topics.push(topic.clone());
            }
        }
        topics
    }

    /// The topics that a sub-topology's sinks write, without prefix.
    pub(crate) fn sink_topics(&self, subtopology: &SubTopology) -> Vec<Arc<str>> {
        let topic = |node: &usize| match &self.parts.nodes[*node].kind {
            NodeKind::Sink(topic) => Some(topic.clone()),
            NodeKind::Processor => None,
        };
        subtopology.nodes.iter().filter_map(topic).collect()
    }

    /// What runs, as text in Kafka Streams' manner: stable, fit for a golden test.
    pub fn describe(&self) -> String {
        describe::text(&self.parts)
    }
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}
