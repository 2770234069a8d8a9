//! The checks of `build`, and the division into sub-topologies.

use std::collections::BTreeMap;

use super::error::TopologyFault;
use super::parts::{Parts, SubTopology};
use crate::processor::{EdgeId, StoreId};

/// Finds all faults and fills in the sub-topologies.
pub(super) fn validate(parts: &mut Parts) -> Vec<TopologyFault> {
    let mut faults = foreign_handles(parts);
    if !faults.is_empty() {
        // Everything below follows handles.
        return faults;
    }
    faults.extend(unconnected(parts));
    faults.extend(circle(parts));
    parts.subtopologies = subtopologies(parts);
    faults.extend(stores_out_of_reach(parts));
    faults.extend(topics_read_twice(parts));
    faults
}

fn foreign_handles(parts: &Parts) -> Vec<TopologyFault> {
    let foreign = |node: &&super::parts::NodeDef| {
        node.uses.outputs.iter().any(|edge| edge.0 >= parts.edges.len())
            || node.uses.stores.iter().any(|store| store.0 >= parts.stores.len())
            || node.input.0 >= parts.edges.len()
    };
    parts.nodes.iter().filter(foreign).map(|node| TopologyFault::ForeignHandle { node: node.name.clone() }).collect()
}

fn unconnected(parts: &Parts) -> Vec<TopologyFault> {
    let mut faults = Vec::new();
    if parts.sources.is_empty() {
        faults.push(TopologyFault::Empty);
    }
    for (at, edge) in parts.edges.iter().enumerate() {
        let id = EdgeId(at);
        if parts.source_of(id).is_none() && !parts.nodes.iter().any(|node| node.uses.outputs.contains(&id)) {
            faults.push(TopologyFault::StreamNeverWritten { stream: edge.name.clone() });
        }
        if edge.children.is_empty() {
            faults.push(TopologyFault::StreamNeverRead { stream: edge.name.clone() });
        }
    }
    for (at, store) in parts.stores.iter().enumerate() {
        if !parts.nodes.iter().any(|node| node.uses.stores.contains(&StoreId(at))) {
            faults.push(TopologyFault::StoreNeverUsed { store: store.name.clone() });
        }
        for by in store.keyed_by().filter(|by| parts.source_of(*by).is_none()) {
            let stream = parts.edges.get(by.0).map_or_else(String::new, |edge| edge.name.clone());
            faults.push(TopologyFault::StoreNotBySource { store: store.name.clone(), stream });
        }
    }
    faults
}

/// The first circle of streams, by depth-first search.
fn circle(parts: &Parts) -> Option<TopologyFault> {
    fn visit(parts: &Parts, node: usize, path: &mut Vec<usize>, done: &mut [bool]) -> Option<TopologyFault> {
        if let Some(start) = path.iter().position(|on_path| *on_path == node) {
            let names = path[start..].iter().chain([&node]).map(|n| parts.nodes[*n].name.clone()).collect();
            return Some(TopologyFault::Circle { path: names });
        }
        if done[node] {
            return None;
        }
        path.push(node);
        let children = parts.nodes[node].uses.outputs.iter().flat_map(|edge| &parts.edges[edge.0].children);
        let found = children.copied().find_map(|child| visit(parts, child, path, done));
        path.pop();
        done[node] = true;
        found
    }
    let mut done = vec![false; parts.nodes.len()];
    (0..parts.nodes.len()).find_map(|node| visit(parts, node, &mut Vec::new(), &mut done))
}

/// What is connected by a stream or a shared store runs together.
fn subtopologies(parts: &Parts) -> Vec<SubTopology> {
    // Union–find over: streams, then nodes, then stores.
    let (edges, nodes) = (parts.edges.len(), parts.nodes.len());
    let mut parent: Vec<usize> = (0..edges + nodes + parts.stores.len()).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    let mut join = |a: usize, b: usize| {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b)] = a.min(b);
    };
    for (at, node) in parts.nodes.iter().enumerate() {
        join(node.input.0, edges + at);
        node.uses.outputs.iter().for_each(|edge| join(edge.0, edges + at));
        node.uses.stores.iter().for_each(|store| join(edges + nodes + store.0, edges + at));
    }
    let mut found: BTreeMap<usize, SubTopology> = BTreeMap::new();
    let mut order = Vec::new();
    for (at, source) in parts.sources.iter().enumerate() {
        let key = root(&mut parent, source.edge.0);
        let subtopology = found.entry(key).or_insert_with(|| {
            order.push(key);
            SubTopology { name: source.name.as_str().into(), topics: vec![], sources: vec![], nodes: vec![], stores: vec![] }
        });
        subtopology.sources.push(at);
        subtopology.topics.extend(source.topics.iter().map(|topic| (topic.clone(), at)));
    }
    for at in 0..nodes {
        if let Some(subtopology) = found.get_mut(&root(&mut parent, edges + at)) {
            subtopology.nodes.push(at);
        }
    }
    for at in 0..parts.stores.len() {
        if let Some(subtopology) = found.get_mut(&root(&mut parent, edges + nodes + at)) {
            subtopology.stores.push(StoreId(at));
        }
    }
    order.into_iter().filter_map(|key| found.remove(&key)).collect()
}

/// A store's rows lie where the keys of its source fall, so only processors that records of that source reach may use it.
fn stores_out_of_reach(parts: &Parts) -> Vec<TopologyFault> {
    let mut faults = Vec::new();
    for (at, definition) in parts.stores.iter().enumerate() {
        let Some(by) = definition.by.and_then(|by| parts.source_of(by)) else { continue };
        let reached = reached_nodes(parts, definition.keyed_by().collect());
        let users = parts.nodes.iter().enumerate().filter(|(node, user)| user.uses.stores.contains(&StoreId(at)) && !reached[*node]);
        faults.extend(users.map(|(_, user)| TopologyFault::StoreOutOfReach {
            store: definition.name.clone(),
            by: parts.sources[by].name.clone(),
            processor: user.name.clone(),
        }));
    }
    faults
}

/// Which nodes the records of some streams come to, directly or through others.
fn reached_nodes(parts: &Parts, mut edges: Vec<EdgeId>) -> Vec<bool> {
    let mut reached = vec![false; parts.nodes.len()];
    while let Some(edge) = edges.pop() {
        for node in &parts.edges[edge.0].children {
            if !std::mem::replace(&mut reached[*node], true) {
                edges.extend(&parts.nodes[*node].uses.outputs);
            }
        }
    }
    reached
}

fn topics_read_twice(parts: &Parts) -> Vec<TopologyFault> {
    let mut faults = Vec::new();
    for subtopology in &parts.subtopologies {
        for (at, (topic, second)) in subtopology.topics.iter().enumerate() {
            if let Some((_, first)) = subtopology.topics[..at].iter().find(|(earlier, _)| earlier == topic) {
                faults.push(TopologyFault::TopicReadTwice {
                    topic: topic.to_string(),
                    first: parts.sources[*first].name.clone(),
                    second: parts.sources[*second].name.clone(),
                });
            }
        }
    }
    faults
}
