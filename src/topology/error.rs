//! What can be wrong with a topology.

use std::fmt;

/// One fault of a topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyFault {
    /// Two parts of one kind have the same name.
    #[error("{kind} {name} is declared twice")]
    DuplicateName {
        /// `source`, `stream`, `store` or `node`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A name does not fit where it will be used: in topic names and directories.
    #[error("{kind} name {name:?} must have 1 to 100 of the characters a-z, A-Z, 0-9, '.', '_' and '-', and not begin with '.'")]
    BadName {
        /// What is named.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A source reads no topic.
    #[error("source {source_name} names no topic")]
    NoTopics {
        /// The source.
        source_name: String,
    },
    /// A topic is read twice by one sub-topology.
    #[error("topic {topic} is read by sources {first} and {second} of one sub-topology; read it once and forward to both")]
    TopicReadTwice {
        /// The topic.
        topic: String,
        /// A source.
        first: String,
        /// Another one.
        second: String,
    },
    /// Nothing forwards to a declared stream.
    #[error("stream {stream} is declared, but no processor forwards to it")]
    StreamNeverWritten {
        /// The stream.
        stream: String,
    },
    /// Nothing reads a stream or a source.
    #[error("stream {stream} has no reader: give it to a processor or a sink")]
    StreamNeverRead {
        /// The stream.
        stream: String,
    },
    /// No processor names a store.
    #[error("store {store} is declared, but no processor uses it")]
    StoreNeverUsed {
        /// The store.
        store: String,
    },
    /// A store is partitioned by a stream whose keys do not decide the partition.
    #[error("store {store} is partitioned by stream {stream}, which is not a source: name the source whose keys pick the partition")]
    StoreNotBySource {
        /// The store.
        store: String,
        /// The stream.
        stream: String,
    },
    /// A store is used where its partitions do not match.
    #[error("store {store} is partitioned by source {by}, but processor {processor} does not read from there")]
    StoreOutOfReach {
        /// The store.
        store: String,
        /// The source.
        by: String,
        /// The processor.
        processor: String,
    },
    /// Records would go round for ever.
    #[error("streams form a circle: {}", path.join(" → "))]
    Circle {
        /// The nodes on it.
        path: Vec<String>,
    },
    /// A handle comes from another builder.
    #[error("node {node} uses a stream or store of another topology builder")]
    ForeignHandle {
        /// The node.
        node: String,
    },
    /// There is nothing to do.
    #[error("the topology has no source")]
    Empty,
}

/// All faults of a topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyErrors {
    /// At least one.
    pub faults: Vec<TopologyFault>,
}

impl fmt::Display for TopologyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.faults.len();
        write!(f, "the topology has {count} fault{}:", if count == 1 { "" } else { "s" })?;
        self.faults.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}

impl std::error::Error for TopologyErrors {}
