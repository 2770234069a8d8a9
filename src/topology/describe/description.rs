//! A topology as plain values, which become its JSON.

use serde::Serialize;

use super::super::Names;
use super::super::parts::{NodeDef, NodeKind, Parts, SubTopology};
use crate::processor::PunctuationType;

/// The whole topology.
#[derive(Serialize)]
pub(super) struct Description {
    subtopologies: Vec<SubTopologyDescription>,
}

#[derive(Serialize)]
struct SubTopologyDescription {
    name: String,
    sources: Vec<SourceDescription>,
    processors: Vec<ProcessorDescription>,
    sinks: Vec<SinkDescription>,
    stores: Vec<StoreDescription>,
}

/// A source writes the stream of its own name.
#[derive(Serialize)]
struct SourceDescription {
    name: String,
    /// Without prefix.
    topics: Vec<String>,
}

#[derive(Serialize)]
struct ProcessorDescription {
    name: String,
    stores: Vec<String>,
    /// Streams.
    inputs: Vec<String>,
    /// Streams.
    outputs: Vec<String>,
    punctuations: Vec<PunctuationDescription>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PunctuationDescription {
    every_ms: u64,
    /// `stream-time` or `wall-clock-time`.
    by: &'static str,
}

#[derive(Serialize)]
struct SinkDescription {
    name: String,
    /// Without prefix.
    topic: String,
    /// A stream.
    input: String,
}

#[derive(Serialize)]
struct StoreDescription {
    name: String,
    /// Without prefix; the application's id is not the topology's to know.
    changelog: String,
    indexes: Vec<String>,
}

impl Description {
    pub(super) fn of(parts: &Parts) -> Self {
        Description { subtopologies: parts.subtopologies.iter().map(|subtopology| describe(parts, subtopology)).collect() }
    }

    pub(super) fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("texts and numbers in lists become JSON");
        json + "\n"
    }
}

fn describe(parts: &Parts, subtopology: &SubTopology) -> SubTopologyDescription {
    let names = Names::new("<application.id>", "");
    let stream = |edge: &crate::processor::EdgeId| parts.edges[edge.0].name.clone();
    let (mut processors, mut sinks) = (Vec::new(), Vec::new());
    for node in subtopology.nodes.iter().map(|at| &parts.nodes[*at]) {
        match &node.kind {
            NodeKind::Sink(topic) => {
                sinks.push(SinkDescription { name: node.name.clone(), topic: topic.to_string(), input: stream(&node.input) });
            }
            NodeKind::Processor => processors.push(ProcessorDescription {
                name: node.name.clone(),
                stores: node.uses.stores.iter().map(|store| parts.stores[store.0].name.clone()).collect(),
                inputs: vec![stream(&node.input)],
                outputs: node.uses.outputs.iter().map(stream).collect(),
                punctuations: punctuations(node),
            }),
        }
    }
    let source = |at: &usize| {
        let source = &parts.sources[*at];
        SourceDescription { name: source.name.clone(), topics: source.topics.iter().map(ToString::to_string).collect() }
    };
    let store = |store: &crate::processor::StoreId| {
        let store = &parts.stores[store.0];
        let indexes = store.indexes.iter().map(|index| index.name.to_string()).collect();
        StoreDescription { name: store.name.clone(), changelog: names.changelog(&store.name), indexes }
    };
    SubTopologyDescription {
        name: subtopology.name.to_string(),
        sources: subtopology.sources.iter().map(source).collect(),
        processors,
        sinks,
        stores: subtopology.stores.iter().map(store).collect(),
    }
}

fn punctuations(node: &NodeDef) -> Vec<PunctuationDescription> {
    let describe = |(interval, kind): &(std::time::Duration, PunctuationType)| PunctuationDescription {
        every_ms: interval.as_millis() as u64,
        by: match kind {
            PunctuationType::StreamTime => "stream-time",
            PunctuationType::WallClockTime => "wall-clock-time",
        },
    };
    node.uses.punctuations.iter().map(describe).collect()
}
