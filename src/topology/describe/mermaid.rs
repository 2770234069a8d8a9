//! A drawing in Mermaid's language. Names hold letters, digits, dots, dashes and underscores only, so nothing needs escaping.

use std::fmt::Write as _;

use super::graph::{Graph, Node, Shape};

/// Writes a flow chart.
pub(super) fn write(graph: &Graph) -> String {
    let mut out = String::from("flowchart LR\n");
    // Writing to a String cannot fail.
    graph.topics.iter().for_each(|node| _ = writeln!(out, "  {}", drawn(node)));
    for (at, (name, nodes)) in graph.subtopologies.iter().enumerate() {
        let _ = writeln!(out, "  subgraph sub{at}[\"{name}\"]");
        nodes.iter().for_each(|node| _ = writeln!(out, "    {}", drawn(node)));
        out.push_str("  end\n");
    }
    for arrow in &graph.arrows {
        let line = if arrow.has_head { "-->" } else { "---" };
        let label = arrow.label.as_ref().map(|label| format!("|\"{label}\"|")).unwrap_or_default();
        let _ = writeln!(out, "  {} {line}{label} {}", arrow.from, arrow.to);
    }
    out
}

fn drawn(node: &Node) -> String {
    let (open, close) = match node.shape {
        Shape::Topic => (">", "]"),
        Shape::Source | Shape::Sink => ("([", "])"),
        Shape::Processor => ("[", "]"),
        Shape::Store => ("[(", ")]"),
    };
    format!("{}{open}\"{}\"{close}", node.id, node.lines.join("<br/>"))
}
