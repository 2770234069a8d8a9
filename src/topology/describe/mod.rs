//! A topology for readers: as text, as JSON, and as drawings for Mermaid and Graphviz. All of them are stable, fit for golden tests.

mod description;
mod dot;
mod graph;
mod mermaid;
mod text;

use std::fmt;
use std::str::FromStr;

use super::parts::Parts;
use description::Description;
use graph::Graph;

/// How a topology is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyFormat {
    /// In Kafka Streams' manner.
    Text,
    /// For programs.
    Json,
    /// A drawing, for <https://mermaid.js.org>.
    Mermaid,
    /// A drawing, for Graphviz.
    Dot,
}

impl TopologyFormat {
    /// All of them.
    pub const ALL: [TopologyFormat; 4] = [TopologyFormat::Text, TopologyFormat::Json, TopologyFormat::Mermaid, TopologyFormat::Dot];

    /// A stable word.
    pub fn name(self) -> &'static str {
        match self {
            TopologyFormat::Text => "text",
            TopologyFormat::Json => "json",
            TopologyFormat::Mermaid => "mermaid",
            TopologyFormat::Dot => "dot",
        }
    }
}

impl fmt::Display for TopologyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not one of the formats.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of text, json, mermaid, dot")]
pub struct UnknownFormat;

impl FromStr for TopologyFormat {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.name() == word).ok_or(UnknownFormat)
    }
}

/// Writes all sub-topologies with their sources, processors, sinks and stores.
pub(super) fn describe(parts: &Parts, format: TopologyFormat) -> String {
    match format {
        TopologyFormat::Text => text::text(parts),
        TopologyFormat::Json => Description::of(parts).to_json(),
        TopologyFormat::Mermaid => mermaid::write(&Graph::of(parts)),
        TopologyFormat::Dot => dot::write(&Graph::of(parts)),
    }
}
