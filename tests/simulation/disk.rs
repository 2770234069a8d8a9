//! The disk of a process, watched: what a task's database said of itself is never less later, whatever happened to the process.

use std::collections::BTreeMap;

use super::rules::{Judge, Kept, Rule};
use crate::codec;
use crate::metrics::Metrics;
use crate::state::{Column, DatabaseProvider as _, MemoryDisk, TaskPosition};
use crate::topology::TaskId;

/// What starts were decided, by the process' counters.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Starts {
    restored: u64,
    set_aside: u64,
}

/// A disk, and what is known to be on it.
#[derive(Default)]
pub(super) struct WatchedDisk {
    pub disk: MemoryDisk,
    /// The position of each task, as bytes, and its sequence.
    positions: BTreeMap<TaskId, (Vec<u8>, u64)>,
    starts: Starts,
}

impl WatchedDisk {
    /// All that is on it is gone.
    pub(super) fn lose(&mut self) {
        (self.disk, self.positions) = (MemoryDisk::default(), BTreeMap::new());
    }

    /// Whether it holds committed state of a task.
    pub(super) fn has(&self, task: &TaskId) -> bool {
        self.positions.contains_key(task)
    }

    /// After a step of its process.
    pub(super) fn check(&mut self, judge: Judge, process: &str, tasks: &[TaskId], metrics: &Metrics) -> Kept {
        let count = |decided| metrics.processing.task_starts.with_label_values(&[decided]).get();
        let starts = Starts { restored: count("restore"), set_aside: count("set_aside") };
        judge.check(starts.set_aside == self.starts.set_aside, Rule::NoWipe, || format!("{process} puts state aside"))?;
        let had_nothing = tasks.iter().any(|task| !self.positions.contains_key(task));
        judge.check(starts.restored == self.starts.restored || had_nothing, Rule::NoWipe, || {
            format!("{process} restores a task from its beginning, and has state of all tasks")
        })?;
        self.starts = starts;
        tasks.iter().try_for_each(|task| self.check_position(judge, process, task))
    }

    fn check_position(&mut self, judge: Judge, process: &str, task: &TaskId) -> Kept {
        let database = self.disk.open(&task.to_string(), &[]).expect("memory does not fail");
        let (mut found, known) = (None, self.positions.get(task));
        let mut read = |bytes: &[u8]| {
            if known.is_none_or(|(known, _)| known != bytes) {
                found = Some(bytes.to_vec());
            }
        };
        let exists = database.get(Column::META, TaskPosition::KEY, &mut read).expect("memory does not fail");
        judge.check(exists || known.is_none(), Rule::NoWipe, || format!("{process} has lost its state of {task}, which was {known:?}"))?;
        let Some(bytes) = found else { return Ok(()) };
        let position: TaskPosition = codec::decode_row(&bytes).expect("positions can be read");
        let (sequence, before) = (position.marker.sequence, known.map_or(0, |(_, sequence)| *sequence));
        judge.check(sequence > before, Rule::NoWipe, || format!("{process} has {task} at {sequence} on disk, where it was {before}"))?;
        self.positions.insert(task.clone(), (bytes, sequence));
        Ok(())
    }
}
