//! Where what a task reads comes from: the sub-topologies before it, through repartition topics.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::record::{Offset, TopicName, TopicPartition};
use crate::topology::{Names, SubTopology, Topology};

/// Of each sub-topology, by name.
pub(super) type Upstreams = HashMap<Arc<str>, Upstream>;

/// What a sub-topology reads, and from whom.
pub(super) struct Upstream {
    /// The full names of its source topics, repartition topics among them.
    pub topics: Vec<Arc<str>>,
    /// Whether some of them are repartition topics.
    pub is_fed: bool,
    /// The sub-topologies that write its repartition topics, and those before these, each behind those that it reads from.
    pub before: Vec<Arc<str>>,
}

impl Upstream {
    /// Those of the positions that its task of a partition reads.
    pub(super) fn reads<'a>(
        &'a self,
        partition: i32,
        of: &'a BTreeMap<TopicPartition, Offset>,
    ) -> impl Iterator<Item = (TopicPartition, Offset)> + 'a {
        let at = self.topics.iter().map(move |topic| TopicPartition { topic: topic.clone(), partition });
        at.filter_map(|at| of.get(&at).map(|next| (at, *next)))
    }
}

pub(super) fn upstreams(topology: &Topology, names: &Names) -> Upstreams {
    let of = |subtopology: &SubTopology| {
        let mut before = Vec::new();
        visit(topology, subtopology, &mut vec![subtopology.name.clone()], &mut before);
        Upstream {
            topics: subtopology.topics.iter().map(|(topic, _)| names.full(topic).into()).collect(),
            is_fed: subtopology.topics.iter().any(|(topic, _)| matches!(topic, TopicName::Repartition(_))),
            before,
        }
    };
    topology.subtopologies().iter().map(|subtopology| (subtopology.name.clone(), of(subtopology))).collect()
}

/// Depth first, so that each comes behind those that it reads from. Where sub-topologies feed each other in a circle (their streams never
/// do), one that is on the way already is taken in without what lies before it.
fn visit(topology: &Topology, of: &SubTopology, path: &mut Vec<Arc<str>>, found: &mut Vec<Arc<str>>) {
    for writer in topology.writers(of) {
        if !path.contains(&writer.name) {
            path.push(writer.name.clone());
            visit(topology, writer, path, found);
            path.pop();
        }
        if !found.contains(&writer.name) {
            found.push(writer.name.clone());
        }
    }
}
