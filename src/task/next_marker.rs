//! What a commit says of itself: the marker, and what held records tell of it.

use std::collections::BTreeMap;

use super::Task;
use crate::faults::Sabotage;
use crate::ports::Delivered;
use crate::record::{Header, Offset, Position, TopicName, TopicPartition};
use crate::state::Marker;

/// The header of held records that tells how far their task's outputs are.
pub const POSITION_HEADER: &str = "position";

impl Task {
    /// The marker of the next commit, given where the records before it came to lie. It names the stores that are whole with it.
    pub fn next_marker(&mut self, delivered: &Delivered) -> Marker {
        if let Some(fill) = &mut self.fill {
            fill.note_delivered(delivered);
        }
        let last = self.committed.as_ref().map(|position| &position.marker);
        let changelog_end = |store: &super::PlannedStore| {
            let (named, filled_to) = self.fill.as_ref().map_or((true, None), |fill| fill.names(&store.name));
            let before = last.and_then(|marker| marker.changelogs.get(&store.name).copied().flatten());
            named.then(|| (store.name.clone(), delivered.get(&store.changelog).copied().or(before).or(filled_to)))
        };
        let back = i64::from(self.sabotaged.is(Sabotage::NameLastRecord));
        Marker {
            lineage: self.lineage,
            sequence: last.map_or(0, |marker| marker.sequence) + 1,
            sources: self
                .plan
                .source_partitions()
                .cloned()
                .zip(self.next.iter().map(|next| Offset(next.0 - back)))
                .collect::<BTreeMap<_, _>>(),
            stream_time: self.stream_time,
            changelogs: self.plan.stores.iter().filter_map(changelog_end).collect(),
            outputs: self.outputs_with(delivered),
        }
    }

    /// Those of the last marker whose topics are still written, and what was written since.
    fn outputs_with(&self, delivered: &Delivered) -> BTreeMap<TopicPartition, Offset> {
        let last = self.committed.as_ref().map(|position| &position.marker);
        let followed = |partition: &TopicPartition| self.plan.outputs.iter().any(|output| output.full == partition.topic);
        let before = last.filter(|_| !self.sabotaged.is(Sabotage::ForgetOutputs)).map(|marker| &marker.outputs);
        let before = before.into_iter().flatten().filter(|(partition, _)| followed(partition));
        let mut outputs: BTreeMap<_, _> = before.map(|(partition, next)| (partition.clone(), *next)).collect();
        outputs.extend(self.outgoing.ends(&self.plan.outputs, delivered));
        outputs
    }

    /// What held records tell, given where the records before them came to lie: how far the task is in the topics of its other sinks.
    pub fn position_header(&self, delivered: &Delivered) -> Header {
        let outputs = &self.plan.outputs;
        let sinks = || outputs.iter().filter(|output| matches!(output.topic, TopicName::Declared(_)));
        let mut told = self.outputs_with(delivered);
        told.retain(|partition, _| sinks().any(|output| output.full == partition.topic));
        Header { name: POSITION_HEADER.to_string(), value: Some(Position(told).to_string().into_bytes()) }
    }
}
