//! A topology as text.

use std::fmt::Write as _;

use super::super::parts::{NodeDef, NodeKind, Parts};
use crate::processor::{EdgeId, PunctuationType};

/// Writes all sub-topologies with their sources, processors, sinks and stores.
pub(super) fn text(parts: &Parts) -> String {
    let mut out = String::from("Topology\n");
    for subtopology in &parts.subtopologies {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  Sub-topology: {}", subtopology.name);
        for source in subtopology.sources.iter().map(|at| &parts.sources[*at]) {
            let topics: Vec<String> = source.topics.iter().map(ToString::to_string).collect();
            let _ = writeln!(out, "    Source: {} (topics: {})", source.name, topics.join(", "));
            let _ = writeln!(out, "      --> {}", readers(parts, source.edge));
        }
        for node in subtopology.nodes.iter().map(|at| &parts.nodes[*at]) {
            write_node(&mut out, parts, node);
        }
    }
    out
}

fn write_node(out: &mut String, parts: &Parts, node: &NodeDef) {
    let from = &parts.edges[node.input.0].name;
    if let NodeKind::Sink(topic) = &node.kind {
        let _ = writeln!(out, "    Sink: {} (topic: {topic})\n      <-- {from}", node.name);
        return;
    }
    let stores: Vec<&str> = node.uses.stores.iter().map(|store| parts.stores[store.0].name.as_str()).collect();
    let _ = writeln!(out, "    Processor: {} (stores: [{}])", node.name, stores.join(", "));
    for (interval, kind) in &node.uses.punctuations {
        let kind = match kind {
            PunctuationType::StreamTime => "stream time",
            PunctuationType::WallClockTime => "wall-clock time",
        };
        let _ = writeln!(out, "      every {} ms of {kind}", interval.as_millis());
    }
    let to: Vec<String> = node.uses.outputs.iter().map(|edge| readers(parts, *edge)).collect();
    let _ = writeln!(out, "      --> {}", if to.is_empty() { "none".to_string() } else { to.join(", ") });
    let _ = writeln!(out, "      <-- {from}");
}

fn readers(parts: &Parts, edge: EdgeId) -> String {
    let edge = &parts.edges[edge.0];
    let names: Vec<&str> = edge.children.iter().map(|node| parts.nodes[*node].name.as_str()).collect();
    format!("{} ({})", names.join(", "), edge.name)
}
