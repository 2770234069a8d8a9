//! A topology as nodes and arrows: what the drawings have in common.

use std::collections::BTreeMap;

use super::super::parts::{NodeKind, Parts};
use crate::processor::{EdgeId, PunctuationType};

/// What a node of the drawing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Topic,
    Source,
    Processor,
    Sink,
    Store,
}

/// A node of the drawing.
pub(super) struct Node {
    /// Short, unique, of letters and digits.
    pub id: String,
    /// The name, then what is said of it.
    pub lines: Vec<String>,
    pub shape: Shape,
}

/// An arrow; between a processor and its store a line.
pub(super) struct Arrow {
    pub from: String,
    pub to: String,
    /// The stream.
    pub label: Option<String>,
    pub has_head: bool,
}

/// The drawing. Topics lie outside of the sub-topologies, which may share them.
pub(super) struct Graph {
    pub topics: Vec<Node>,
    /// Names with nodes.
    pub subtopologies: Vec<(String, Vec<Node>)>,
    pub arrows: Vec<Arrow>,
}

impl Graph {
    pub(super) fn of(parts: &Parts) -> Self {
        let mut graph = Graph { topics: Vec::new(), subtopologies: Vec::new(), arrows: Vec::new() };
        let mut topics = BTreeMap::new();
        for subtopology in &parts.subtopologies {
            let mut nodes = Vec::new();
            for at in &subtopology.sources {
                let (source, id) = (&parts.sources[*at], format!("source{at}"));
                for name in &source.topics {
                    let topic = graph.topic(&mut topics, name.to_string());
                    graph.arrow(topic, id.clone(), None);
                }
                graph.stream(parts, &id, source.edge);
                nodes.push(Node { id, lines: vec![source.name.clone()], shape: Shape::Source });
            }
            for at in &subtopology.nodes {
                let (node, id) = (&parts.nodes[*at], format!("node{at}"));
                let mut lines = vec![node.name.clone()];
                lines.extend(node.uses.punctuations.iter().map(|(interval, kind)| {
                    let kind = match kind {
                        PunctuationType::StreamTime => "stream time",
                        PunctuationType::WallClockTime => "wall-clock time",
                    };
                    format!("every {} ms of {kind}", interval.as_millis())
                }));
                node.uses.outputs.iter().for_each(|edge| graph.stream(parts, &id, *edge));
                for store in &node.uses.stores {
                    graph.arrows.push(Arrow { from: id.clone(), to: format!("store{}", store.0), label: None, has_head: false });
                }
                let shape = match &node.kind {
                    NodeKind::Processor => Shape::Processor,
                    NodeKind::Sink(name) => {
                        let topic = graph.topic(&mut topics, name.to_string());
                        graph.arrow(id.clone(), topic, None);
                        Shape::Sink
                    }
                };
                nodes.push(Node { id, lines, shape });
            }
            let store = |id: usize| Node { id: format!("store{id}"), lines: vec![parts.stores[id].name.clone()], shape: Shape::Store };
            nodes.extend(subtopology.stores.iter().map(|id| store(id.0)));
            graph.subtopologies.push((subtopology.name.to_string(), nodes));
        }
        graph
    }

    /// The id of a topic, which is drawn once.
    fn topic(&mut self, topics: &mut BTreeMap<String, String>, name: String) -> String {
        let id = format!("topic{}", topics.len());
        if let Some(id) = topics.get(&name) {
            return id.clone();
        }
        topics.insert(name.clone(), id.clone());
        self.topics.push(Node { id: id.clone(), lines: vec![name], shape: Shape::Topic });
        id
    }

    fn arrow(&mut self, from: String, to: String, label: Option<String>) {
        self.arrows.push(Arrow { from, to, label, has_head: true });
    }

    /// An arrow to each reader of a stream.
    fn stream(&mut self, parts: &Parts, from: &str, edge: EdgeId) {
        let edge = &parts.edges[edge.0];
        for reader in &edge.children {
            self.arrow(from.to_string(), format!("node{reader}"), Some(edge.name.clone()));
        }
    }
}
