//! What a thread holds for each of its tokens.

use std::sync::Arc;

use super::Opening;
use crate::metrics::{LagRow, Metrics, TaskMeter};
use crate::ports::{DataConsumer, InputMessage};
use crate::record::{Header, Headers, Timestamp};
use crate::state::Origin;
use crate::task::{PartitionGroup, Task, TaskPlan};

/// A task that runs, with its fetched records.
pub(super) struct ActiveTask<M> {
    pub task: Task,
    pub group: PartitionGroup<M>,
    pub meter: TaskMeter,
    /// What stands beside its markers.
    pub marker_headers: Headers,
}

impl<M: InputMessage> ActiveTask<M> {
    /// A task that begins to run, with state of this origin.
    pub(super) fn new(task: Task, origin: &Origin, metrics: &Metrics) -> Self {
        let plan = task.plan();
        let topics = plan.source_partitions().map(|partition| &*partition.topic);
        let meter = TaskMeter::new(metrics, &plan.id.subtopology, topics, plan.stores.iter().map(|store| store.name.as_str()));
        let marker_headers = Headers::new(vec![Header { name: Origin::KEY.into(), value: Some(origin.encode()) }]);
        ActiveTask { group: PartitionGroup::new(plan.source_partitions()), task, meter, marker_headers }
    }

    /// Appends how far each of its source partitions is.
    pub(super) fn tell_lag(&mut self, data: &impl DataConsumer, now: Timestamp, rows: &mut Vec<LagRow>) {
        let ActiveTask { task, group, meter, .. } = self;
        let id = task.plan().id.to_string();
        let sources = task.plan().sources.iter().zip(task.next_offsets()).zip(group.heads()).enumerate();
        for (at, ((source, next), (head, end))) in sources {
            let committed = task.committed().and_then(|p| p.marker.sources.get(&source.partition).copied());
            let fetched_end = data.cached_end(&source.partition).or(end);
            let mut row = LagRow {
                topic: source.partition.topic.clone(),
                partition: source.partition.partition,
                task: id.clone(),
                // Commit markers of others lie between the last record and the end: they are not lag.
                position: end.map_or(*next, |end| end.max(*next)),
                committed: committed.unwrap_or(*next),
                log_start: data.cached_start(&source.partition),
                end: if head.is_none() { end.or(fetched_end) } else { fetched_end },
                // Records without a time have -1.
                next_record_time: head.filter(|time| time.0 >= 0),
                waiting_since: meter.waiting_since(at),
                silent_since: None,
                reached: None,
                views: meter.views().clone(),
            };
            let known = row.next_record_time.or_else(|| row.lag_ms(now).map(|_| now));
            row.reached = meter.reached(at, known);
            rows.push(row);
        }
    }

    /// Its rows are in the database: what it measured is handed over.
    pub(super) fn now_visible(&mut self, now: Timestamp) {
        self.meter.visible(now);
        for (store, tally) in self.task.take_store_tallies() {
            self.meter.store_did(store, tally);
        }
    }
}

/// A token that this thread holds.
pub(super) enum Slot<M> {
    /// This program does not know what it stands for: another version gave it. It idles here.
    Unknown,
    /// The restorer has not been asked yet.
    Wanted(Opening, Arc<TaskPlan>),
    /// The restorer works on it.
    Opening(Opening, Arc<TaskPlan>),
    /// It runs.
    Active(Box<ActiveTask<M>>),
}

impl<M> Slot<M> {
    pub(super) fn active(&self) -> Option<&ActiveTask<M>> {
        match self {
            Slot::Active(active) => Some(active),
            _ => None,
        }
    }

    pub(super) fn active_mut(&mut self) -> Option<&mut ActiveTask<M>> {
        match self {
            Slot::Active(active) => Some(active),
            _ => None,
        }
    }

    pub(super) fn state_name(&self) -> &'static str {
        match self {
            Slot::Unknown => "unknown",
            Slot::Wanted(..) | Slot::Opening(..) => "restoring",
            Slot::Active(active) if active.task.is_filling() => "restoring",
            Slot::Active(_) => "active",
        }
    }
}
