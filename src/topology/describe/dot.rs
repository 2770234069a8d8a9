//! A drawing in Graphviz' language. Names hold letters, digits, dots, dashes and underscores only, so nothing needs escaping.

use std::fmt::Write as _;

use super::graph::{Graph, Node, Shape};

/// Writes a directed graph.
pub(super) fn write(graph: &Graph) -> String {
    let mut out = String::from("digraph topology {\n  rankdir=LR;\n");
    // Writing to a String cannot fail.
    graph.topics.iter().for_each(|node| _ = writeln!(out, "  {}", drawn(node)));
    for (at, (name, nodes)) in graph.subtopologies.iter().enumerate() {
        let _ = writeln!(out, "  subgraph cluster{at} {{\n    label=\"{name}\";");
        nodes.iter().for_each(|node| _ = writeln!(out, "    {}", drawn(node)));
        out.push_str("  }\n");
    }
    for arrow in &graph.arrows {
        let look = match (&arrow.label, arrow.has_head) {
            (Some(label), _) => format!(" [label=\"{label}\"]"),
            (None, true) => String::new(),
            (None, false) => " [dir=none]".to_string(),
        };
        let _ = writeln!(out, "  {} -> {}{look};", arrow.from, arrow.to);
    }
    out.push_str("}\n");
    out
}

fn drawn(node: &Node) -> String {
    let shape = match node.shape {
        Shape::Topic => "cds",
        Shape::Source | Shape::Sink => "oval",
        Shape::Processor => "box",
        Shape::Store => "cylinder",
    };
    format!("{} [label=\"{}\", shape={shape}];", node.id, node.lines.join("\\n"))
}
