//! The parts of a topology with their types erased.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::wiring::{Uses, Wiring};
use crate::codec::{Codec, CodecError};
use crate::processor::{EdgeId, ErasedNode, ErasedSource, StoreId};
use crate::record::TopicName;
use crate::state::{IndexDef, StoreType};

/// How soon is committed what the records of a source led to, once there is nothing more to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommitPace {
    /// At once: somebody waits for it.
    AtOnce,
    /// When `processing.commit_min_interval_ms` are over since the last commit.
    #[default]
    Soon,
    /// With the next commit for other records, or after `processing.commit_interval_ms`.
    Relaxed,
}

/// A source.
pub(crate) struct SourceDef {
    pub name: String,
    pub topics: Vec<TopicName>,
    pub edge: EdgeId,
    pub pace: CommitPace,
    /// Its records are commands.
    pub commands: bool,
    pub node: Arc<dyn ErasedSource>,
    /// The `Arc<dyn Codec<K>>` of the keys: it decides the partitions of stores.
    pub key_codec: Arc<dyn Any + Send + Sync>,
}

/// A stream.
pub(crate) struct EdgeDef {
    pub name: String,
    /// The nodes that read it.
    pub children: Vec<usize>,
}

/// What a node is.
pub(crate) enum NodeKind {
    /// Runs user code.
    Processor,
    /// Writes to this topic.
    Sink(TopicName),
}

type MakeNode = dyn Fn(&mut Wiring<'_>) -> Box<dyn ErasedNode> + Send + Sync;

/// A processor or a sink.
pub(crate) struct NodeDef {
    pub name: String,
    pub kind: NodeKind,
    pub input: EdgeId,
    pub make: Box<MakeNode>,
    /// A sink whose records are held until the commit, to tell of its positions.
    pub is_held: bool,
    /// The [`SinkCodecs`] of a sink.
    pub codecs: Option<Arc<dyn Any + Send + Sync>>,
    /// What the supplier named when it was called by `build`.
    pub uses: Uses,
}

impl NodeDef {
    /// A new node for a task; fails when the supplier now names other streams or stores than in `build`.
    pub(crate) fn make(&self) -> Result<Box<dyn ErasedNode>, String> {
        let mut uses = Uses::default();
        let node = (self.make)(&mut Wiring::new(&mut uses));
        if uses == self.uses {
            Ok(node)
        } else {
            Err(format!("the supplier of {} is not pure: it named other streams or stores than when the topology was built", self.name))
        }
    }
}

/// The codecs of a sink, for the test driver to read what it wrote.
pub(crate) struct SinkCodecs<K, V> {
    pub key: Arc<dyn Codec<K>>,
    pub value: Arc<dyn Codec<V>>,
}

/// The bytes of a key that decide its partition; `None` is Kafka's null.
pub(crate) type PartitionKey<K> = Arc<dyn Fn(&K) -> Result<Option<Vec<u8>>, CodecError> + Send + Sync>;

/// Reads a key from JSON: its bytes in the store, and those that decide its partition.
pub(crate) type LocateKey = dyn Fn(serde_json::Value) -> Result<(Vec<u8>, Option<Vec<u8>>), CodecError> + Send + Sync;

/// A store.
pub(crate) struct StoreDef {
    pub name: String,
    /// The stream whose keys pick the partition; `None`: each partition has rows of its own for a key.
    pub by: Option<EdgeId>,
    /// Further sources whose keys pick the partition just so.
    pub also_by: Vec<EdgeId>,
    pub types: Arc<dyn StoreType>,
    /// The [`PartitionKey`] of its key type.
    pub partition_key: Arc<dyn Any + Send + Sync>,
    pub locate: Box<LocateKey>,
    pub indexes: Vec<IndexDef>,
}

impl StoreDef {
    /// The sources whose keys pick the partition of a row.
    pub(crate) fn keyed_by(&self) -> impl Iterator<Item = EdgeId> + '_ {
        self.by.iter().chain(&self.also_by).copied()
    }

    /// `name@version`: the name of its column.
    pub(crate) fn column_name(&self) -> String {
        format!("{}@1", self.name)
    }

    /// The name of an index' column.
    pub(crate) fn index_column_name(&self, index: &IndexDef) -> String {
        format!("{}#{}", self.column_name(), index.name)
    }
}

/// Parts that run together.
#[derive(Debug)]
pub(crate) struct SubTopology {
    /// The name of its first source: stable as long as that source keeps its name.
    pub name: Arc<str>,
    /// Source topics, with the source that reads each.
    pub topics: Vec<(TopicName, usize)>,
    pub sources: Vec<usize>,
    pub nodes: Vec<usize>,
    pub stores: Vec<StoreId>,
}

/// All parts.
#[derive(Default)]
pub(crate) struct Parts {
    pub sources: Vec<SourceDef>,
    pub edges: Vec<EdgeDef>,
    pub nodes: Vec<NodeDef>,
    pub stores: Vec<StoreDef>,
    pub subtopologies: Vec<SubTopology>,
    /// How long records of some topics are kept, by their names.
    pub kept: BTreeMap<TopicName, Duration>,
}

impl Parts {
    /// The source that writes a stream, if one does.
    pub(crate) fn source_of(&self, edge: EdgeId) -> Option<usize> {
        self.sources.iter().position(|source| source.edge == edge)
    }
}
