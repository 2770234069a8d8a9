//! What the records of one commit give out: most of it is sent as each record is done, and it is noted where it went; what positioned
//! sinks write is held until the commit.

use std::collections::BTreeMap;

use super::records::size_bytes;
use super::{Output, OutputBuffer, PlannedOutput, Task};
use crate::ports::Delivered;
use crate::processor::Emitted;
use crate::record::{Offset, TopicPartition, partition_for};

/// A held record counts as a row for each such part of it, so that large ones are committed early.
const ROW_BYTES: usize = 1_024;

/// Of the records since the last commit.
#[derive(Default)]
pub(super) struct Outgoing {
    held: Vec<Emitted>,
    held_rows: usize,
    /// How many records went where, by place in the plan's outputs; no partition where the producer chooses it by chance, or nobody
    /// knows how many there are.
    written: BTreeMap<(usize, Option<i32>), i64>,
}

impl Outgoing {
    /// As how many rows the held records count.
    pub(super) fn held_rows(&self) -> usize {
        self.held_rows
    }

    pub(super) fn take_held(&mut self) -> Vec<Emitted> {
        self.held_rows = 0;
        std::mem::take(&mut self.held)
    }

    /// Committed, or undone.
    pub(super) fn clear(&mut self) {
        *self = Outgoing::default();
    }

    /// Where the last records came to lie: in the partitions that were written to, and never before the last of this task's own.
    pub(super) fn ends<'a>(
        &'a self,
        outputs: &'a [PlannedOutput],
        delivered: &'a Delivered,
    ) -> impl Iterator<Item = (TopicPartition, Offset)> + 'a {
        let wrote = |partition: &TopicPartition| {
            let at = outputs.iter().position(|output| output.full == partition.topic);
            at.is_some_and(|at| self.written.contains_key(&(at, None)) || self.written.contains_key(&(at, Some(partition.partition))))
        };
        let any = !self.written.is_empty();
        let ends = delivered.iter().filter(move |(partition, _)| any && wrote(partition));
        ends.map(|(partition, last)| (partition.clone(), last.next()))
    }

    fn hold(&mut self, record: Emitted) {
        self.held_rows += 1 + size_bytes(&record) / ROW_BYTES;
        self.held.push(record);
    }

    fn note(&mut self, outputs: &[PlannedOutput], record: &Emitted) {
        let Some(at) = outputs.iter().position(|output| output.topic == record.topic) else { return };
        let chosen = || record.key.as_deref().zip(outputs[at].partitions).map(|(key, partitions)| partition_for(key, partitions));
        *self.written.entry((at, record.partition.or_else(chosen))).or_default() += 1;
    }
}

impl Task {
    /// How many records of this commit, without those that are held, went to each partition of which its marker tells; `None` when that
    /// is not known of all.
    pub fn written(&self) -> Option<impl Iterator<Item = (TopicPartition, i64)> + '_> {
        let known = self.outgoing.written.keys().all(|(_, partition)| partition.is_some());
        let partitions = self.outgoing.written.iter().filter_map(|((at, partition), records)| {
            Some((TopicPartition { topic: self.plan.outputs[*at].full.clone(), partition: (*partition)? }, *records))
        });
        known.then_some(partitions)
    }

    /// The record is done: what it emitted is held, or given to whoever sends it.
    pub(super) fn give_out(&mut self, outputs: &mut OutputBuffer) {
        for record in self.emitted.drain(..) {
            match record.is_held {
                true => self.outgoing.hold(record),
                false => {
                    self.outgoing.note(&self.plan.outputs, &record);
                    outputs.push(Output(record));
                }
            }
        }
    }
}
