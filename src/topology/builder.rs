//! The builder: declares parts, collects faults, checks all at the end.

use std::sync::Arc;
use std::time::Duration;

use super::error::{TopologyErrors, TopologyFault};
use super::handles::{Index, Partial, Sink, Store, Stream};
use super::parts::{CommitPace, EdgeDef, NodeDef, NodeKind, PartitionKey, Parts, SinkCodecs, SourceDef, StoreDef};
use super::wiring::{Uses, Wiring};
use super::{Topology, validate};
use crate::codec::{Codec, KeyCodec, StoreKey, StoreValue};
use crate::processor::{EdgeId, ErasedNode, ProcessResult, Processor, ProcessorContext, ProcessorNode, SinkNode, SourceNode, StoreId};
use crate::record::{Data, Record, TopicName};
use crate::state::{IndexDef, IndexKeys, RowTypes};

/// Declares a topology part by part. Faults are collected; [`TopologyBuilder::build`] reports all of them.
#[derive(Default)]
pub struct TopologyBuilder {
    pub(super) parts: Parts,
    pub(super) faults: Vec<TopologyFault>,
}

impl TopologyBuilder {
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads topics (without prefix) whose keys and values have these codecs.
    pub fn source<K: Data, V: Data>(&mut self, name: &str, topics: &[&str], key: impl Codec<K>, value: impl Codec<V>) -> Stream<K, V> {
        let names = topics.iter().map(|topic| TopicName::Declared((*topic).into())).collect();
        let stream = self.source_of(name, names, Arc::new(key), Arc::new(value));
        topics.iter().for_each(|topic| self.name_fits("topic", topic));
        if topics.is_empty() {
            self.faults.push(TopologyFault::NoTopics { source_name: name.to_string() });
        }
        stream
    }

    /// How soon is committed what the records of a source lead to; [`CommitPace::Soon`] unless it is told.
    pub fn commit<K: Data, V: Data>(&mut self, source: Stream<K, V>, pace: CommitPace) {
        if let Some(definition) = self.source_mut(source, "commit") {
            definition.pace = pace;
        }
    }

    /// Says that the records of a source are commands: each is decided once, and a reset of the application does not begin anew with them.
    pub fn decide_once<K: Data, V: Data>(&mut self, source: Stream<K, V>) {
        if let Some(definition) = self.source_mut(source, "decide_once") {
            definition.commands = true;
        }
    }

    fn source_mut<K: Data, V: Data>(&mut self, source: Stream<K, V>, asked_by: &str) -> Option<&mut SourceDef> {
        let found = self.parts.sources.iter_mut().find(|definition| definition.edge == source.edge);
        if found.is_none() {
            self.faults.push(TopologyFault::ForeignHandle { node: asked_by.to_string() });
        }
        found
    }

    /// When the application makes this topic (without prefix), its records are removed after so long. Others are kept for ever.
    pub fn keep_records_for(&mut self, topic: &str, time: Duration) {
        self.parts.kept.insert(TopicName::Declared(topic.into()), time);
    }

    /// Sends a stream through an internal topic, so that each record comes to the task that its key belongs to. What follows is a
    /// sub-topology of its own.
    pub fn repartition<K: Data, V: Data>(
        &mut self,
        name: &str,
        input: Stream<K, V>,
        key: impl Codec<K> + Clone,
        value: impl Codec<V> + Clone,
    ) -> Stream<K, V> {
        let topic = TopicName::Repartition(name.into());
        let sink = format!("{name}-repartition");
        self.sink_to(&sink, input, topic.clone(), (Arc::new(key.clone()), Arc::new(value.clone())), false);
        self.source_of(name, vec![topic], Arc::new(key), Arc::new(value))
    }

    fn source_of<K: Data, V: Data>(
        &mut self,
        name: &str,
        topics: Vec<TopicName>,
        key: Arc<dyn Codec<K>>,
        value: Arc<dyn Codec<V>>,
    ) -> Stream<K, V> {
        let edge = self.edge(name);
        self.name_once("source", name, |parts| parts.sources.iter().map(|s| s.name.as_str()).collect());
        self.parts.sources.push(SourceDef {
            name: name.to_string(),
            topics,
            edge,
            pace: CommitPace::default(),
            commands: false,
            node: Arc::new(SourceNode::new(edge, key.clone(), value)),
            key_codec: Arc::new(key),
        });
        Stream::new(edge)
    }

    /// A typed, named stream between processors.
    pub fn stream<K: Data, V: Data>(&mut self, name: &str) -> Stream<K, V> {
        Stream::new(self.edge(name))
    }

    /// A key-value store with a changelog. The key bytes of the source or repartition `by` pick the partition of a row.
    pub fn store<K: StoreKey + Data, V: StoreValue>(&mut self, name: &str, by: Stream<K, impl Data>) -> Store<K, V> {
        self.store_by(name, by, K::clone)
    }

    /// A store with a changelog in which each partition has rows of its own: sums over what came through that partition, say. Who
    /// reads it puts the rows of all partitions together.
    pub fn partial_store<K: StoreKey + Data, V: StoreValue>(&mut self, name: &str) -> Store<K, V, Partial> {
        Store::new(self.add_store::<K, V>(name, None, Arc::new(|_| Ok(None))))
    }

    /// Finds the rows of a store by other keys: `keys` says by which a row is found (none, one or several). It must depend on its
    /// arguments alone; when it changes, give the index another name, so that it is made anew. Index rows are written together with
    /// their rows and never outlive them.
    pub fn index<K: StoreKey, V: StoreValue, L: IntoIterator<Item: KeyCodec>, Of>(
        &mut self,
        store: Store<K, V, Of>,
        name: &str,
        keys: impl Fn(&K, &V) -> L + Send + Sync + 'static,
    ) -> Index<L::Item, K, V> {
        self.name_fits("index", name);
        let encoded: IndexKeys<K, V> = Arc::new(move |key, row, found| {
            let mut bytes = Vec::new();
            for index_key in keys(key, row) {
                bytes.clear();
                index_key.encode_key(&mut bytes);
                found(&bytes);
            }
        });
        let Some(definition) = self.parts.stores.get_mut(store.id.0) else {
            self.faults.push(TopologyFault::ForeignHandle { node: name.to_string() });
            return Index::new(store.id, 0);
        };
        if definition.indexes.iter().any(|index| index.name == name) {
            self.faults.push(TopologyFault::DuplicateName { kind: "index", name: format!("{}.{name}", definition.name) });
        }
        let key_starts = |row: &[u8]| {
            let mut rest = row;
            L::Item::decode_key(&mut rest)?;
            Ok(row.len() - rest.len())
        };
        definition.indexes.push(IndexDef { name: name.to_string(), keys: Arc::new(encoded), key_starts });
        Index::new(store.id, definition.indexes.len() - 1)
    }

    pub(super) fn add_store<K: StoreKey + Data, V: StoreValue>(&mut self, name: &str, by: Option<EdgeId>, key: PartitionKey<K>) -> StoreId {
        self.name_once("store", name, |parts| parts.stores.iter().map(|s| s.name.as_str()).collect());
        let types = Arc::new(RowTypes::<K, V>::default());
        let (locate_types, locate_key) = (types.clone(), key.clone());
        self.parts.stores.push(StoreDef {
            name: name.to_string(),
            by,
            also_by: Vec::new(),
            locate: Box::new(move |json| {
                let (typed, bytes) = crate::state::StoreType::key_from_json(&*locate_types, json)?;
                let typed = typed.downcast::<K>().expect("the key is of the store's type");
                Ok((bytes, locate_key(&typed)?))
            }),
            types,
            partition_key: Arc::new(key),
            indexes: Vec::new(),
        });
        StoreId(self.parts.stores.len() - 1)
    }

    /// Runs a processor over a stream. The supplier is pure; it is called once by `build` to learn what it names, then once a task.
    pub fn processor<K: Data, V: Data, P: Processor<K, V>>(
        &mut self,
        name: &str,
        input: Stream<K, V>,
        supplier: impl Fn(&mut Wiring<'_>) -> P + Send + Sync + 'static,
    ) {
        self.node(name, NodeKind::Processor, input.edge, move |wiring| Box::new(ProcessorNode::new(supplier(wiring))));
    }

    /// A closure as processor.
    pub fn each<K: Data, V: Data, F>(
        &mut self,
        name: &str,
        input: Stream<K, V>,
        supplier: impl Fn(&mut Wiring<'_>) -> F + Send + Sync + 'static,
    ) where
        F: FnMut(&mut ProcessorContext<'_>, Record<K, V>) -> ProcessResult + Send + 'static,
    {
        self.processor(name, input, move |wiring| Each(supplier(wiring)));
    }

    /// Writes a stream to a topic (without prefix); Kafka's murmur2 over the key bytes picks the partition.
    pub fn sink<K: Data, V: Data>(
        &mut self,
        name: &str,
        input: Stream<K, V>,
        topic: &str,
        key: impl Codec<K>,
        value: impl Codec<V>,
    ) -> Sink<K, V> {
        self.name_fits("topic", topic);
        self.sink_to(name, input, TopicName::Declared(topic.into()), (Arc::new(key), Arc::new(value)), false)
    }

    /// A sink whose records tell where what was made beside them came to lie: they are held until the commit, and sent when it
    /// is known where all lies that the task produced before. Each has the header `position`, `topic:partition=next,…`: for every partition of
    /// the task's other sinks the offset after its last record, of this commit or of one before.
    pub fn positioned_sink<K: Data, V: Data>(
        &mut self,
        name: &str,
        input: Stream<K, V>,
        topic: &str,
        key: impl Codec<K>,
        value: impl Codec<V>,
    ) -> Sink<K, V> {
        self.name_fits("topic", topic);
        self.sink_to(name, input, TopicName::Declared(topic.into()), (Arc::new(key), Arc::new(value)), true)
    }

    fn sink_to<K: Data, V: Data>(
        &mut self,
        name: &str,
        input: Stream<K, V>,
        topic: TopicName,
        (key, value): (Arc<dyn Codec<K>>, Arc<dyn Codec<V>>),
        is_held: bool,
    ) -> Sink<K, V> {
        let codecs = Arc::new(SinkCodecs { key: key.clone(), value: value.clone() });
        let kind = NodeKind::Sink(topic.clone());
        let make = move |_: &mut Wiring<'_>| -> Box<dyn ErasedNode> {
            Box::new(SinkNode::new(topic.clone(), key.clone(), value.clone(), is_held))
        };
        let sink = self.node(name, kind, input.edge, make);
        let node = &mut self.parts.nodes[sink];
        node.codecs = Some(codecs);
        node.is_held = is_held;
        Sink::new(sink)
    }

    /// Checks everything, and answers every fault if there is one.
    pub fn build(mut self) -> Result<Topology, TopologyErrors> {
        for node in &mut self.parts.nodes {
            let mut uses = Uses::default();
            drop((node.make)(&mut Wiring::new(&mut uses)));
            node.uses = uses;
        }
        self.faults.extend(validate::validate(&mut self.parts));
        match self.faults.is_empty() {
            true => Ok(Topology { parts: Arc::new(self.parts) }),
            false => Err(TopologyErrors { faults: self.faults }),
        }
    }

    fn node(
        &mut self,
        name: &str,
        kind: NodeKind,
        input: EdgeId,
        make: impl Fn(&mut Wiring<'_>) -> Box<dyn ErasedNode> + Send + Sync + 'static,
    ) -> usize {
        self.name_once("node", name, |parts| parts.nodes.iter().map(|n| n.name.as_str()).collect());
        let node = self.parts.nodes.len();
        match self.parts.edges.get_mut(input.0) {
            Some(edge) => edge.children.push(node),
            None => self.faults.push(TopologyFault::ForeignHandle { node: name.to_string() }),
        }
        let (name, make, uses) = (name.to_string(), Box::new(make), Uses::default());
        self.parts.nodes.push(NodeDef { name, kind, input, make, is_held: false, codecs: None, uses });
        node
    }

    fn edge(&mut self, name: &str) -> EdgeId {
        self.name_once("stream", name, |parts| parts.edges.iter().map(|e| e.name.as_str()).collect());
        self.parts.edges.push(EdgeDef { name: name.to_string(), children: Vec::new() });
        EdgeId(self.parts.edges.len() - 1)
    }

    fn name_once(&mut self, kind: &'static str, name: &str, names: impl Fn(&Parts) -> Vec<&str>) {
        self.name_fits(kind, name);
        if names(&self.parts).contains(&name) {
            self.faults.push(TopologyFault::DuplicateName { kind, name: name.to_string() });
        }
    }

    fn name_fits(&mut self, kind: &'static str, name: &str) {
        let fits = (1..=100).contains(&name.len())
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if !fits {
            self.faults.push(TopologyFault::BadName { kind, name: name.to_string() });
        }
    }
}

/// A closure as [`Processor`].
struct Each<F>(F);

impl<K, V, F> Processor<K, V> for Each<F>
where
    F: FnMut(&mut ProcessorContext<'_>, Record<K, V>) -> ProcessResult + Send + 'static,
{
    fn process(&mut self, context: &mut ProcessorContext<'_>, record: Record<K, V>) -> ProcessResult {
        (self.0)(context, record)
    }
}
