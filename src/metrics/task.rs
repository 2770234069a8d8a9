//! What one task measures: plain numbers while records are processed, handed over once a turn or once a commit.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Histogram, IntCounter};

use super::stores::StoreMeter;
use super::{Metrics, StoreTally};
use crate::record::Timestamp;

/// One task's handles, resolved when it starts, and its sums. It belongs to the thread that runs the task.
pub struct TaskMeter {
    records: IntCounter,
    bytes: IntCounter,
    duration: Histogram,
    sources: Vec<SourceMeter>,
    stores: Vec<StoreMeter>,
    views: Arc<[String]>,
    taken_records: u64,
    taken_bytes: u64,
}

/// What waits for the commit, of one source partition.
struct SourceMeter {
    latency: Histogram,
    /// Record times, the smallest and the largest.
    waiting: Option<(Timestamp, Timestamp)>,
    /// Where it stood when that was last known.
    reached: Option<Timestamp>,
}

impl TaskMeter {
    /// The handles of a task: its sub-topology, the full topic of each source, the name of each store.
    pub fn new<'a>(
        metrics: &Metrics,
        subtopology: &str,
        topics: impl Iterator<Item = &'a str>,
        stores: impl Iterator<Item = &'a str>,
    ) -> Self {
        let views: Arc<[String]> = stores.map(String::from).collect();
        TaskMeter {
            records: metrics.consumer.records.clone(),
            bytes: metrics.consumer.bytes.clone(),
            duration: metrics.processing.duration.with_label_values(&[subtopology]),
            sources: topics
                .map(|topic| SourceMeter { latency: metrics.processing.latency.with_label_values(&[topic]), waiting: None, reached: None })
                .collect(),
            stores: views.iter().map(|store| metrics.stores.meter(store)).collect(),
            views,
            taken_records: 0,
            taken_bytes: 0,
        }
    }

    /// A record was taken from the source partition at this index. A time below 0 is none.
    pub fn took(&mut self, source: usize, time: Timestamp, bytes: usize) {
        self.taken_records += 1;
        self.taken_bytes += bytes as u64;
        if time.0 >= 0 {
            let waiting = &mut self.sources[source].waiting;
            *waiting = Some(waiting.map_or((time, time), |(oldest, newest)| (oldest.min(time), newest.max(time))));
        }
    }

    /// The task's turn is over.
    pub fn turn_done(&mut self, took: Duration) {
        self.duration.observe(took.as_secs_f64());
        self.records.inc_by(std::mem::take(&mut self.taken_records));
        self.bytes.inc_by(std::mem::take(&mut self.taken_bytes));
    }

    /// What was processed is visible.
    pub fn visible(&mut self, now: Timestamp) {
        for source in &mut self.sources {
            if let Some((oldest, newest)) = source.waiting.take() {
                for time in [oldest, newest] {
                    source.latency.observe((now.0 - time.0).max(0) as f64 / 1_000.0);
                }
            }
        }
    }

    /// What was processed is undone and will come again.
    pub fn undone(&mut self) {
        self.sources.iter_mut().for_each(|source| source.waiting = None);
    }

    /// What the store at this index did.
    pub fn store_did(&self, store: usize, tally: StoreTally) {
        self.stores[store].add(tally);
    }

    /// The time of the oldest record of a source partition that is processed but not visible.
    pub fn waiting_since(&self, source: usize) -> Option<Timestamp> {
        self.sources[source].waiting.map(|(oldest, _)| oldest)
    }

    /// Where a source partition stands: the time of its next record, or now at its end. While that is not known (the next record
    /// is not fetched yet) it is where it stood before.
    pub fn reached(&mut self, source: usize, known: Option<Timestamp>) -> Option<Timestamp> {
        let reached = &mut self.sources[source].reached;
        *reached = known.or(*reached);
        *reached
    }

    /// The task's stores.
    pub fn views(&self) -> &Arc<[String]> {
        &self.views
    }
}
