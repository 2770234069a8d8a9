//! Restoring: what is left, a row a store and task while it is being restored.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::registration::{Registration, buckets, fresh_gauges};
use crate::clock::Clock;

type Remaining = Arc<Mutex<BTreeMap<(String, String), i64>>>;

const NAME: &str = "viewmill_restore_remaining_records";
const HELP: &str = "Changelog offsets that a task has yet to read before it runs; only while it is being restored.";
const LABELS: [&str; 2] = ["store", "task"];

/// Restoring.
pub struct RestoreMetrics {
    records: IntCounter,
    bytes: IntCounter,
    duration: Histogram,
    /// Databases that were rebuilt though there was one, by why: damaged, torn, outdated, foreign.
    pub rebuilds: IntCounterVec,
    remaining: Remaining,
    clock: Arc<dyn Clock>,
}

impl RestoreMetrics {
    pub(super) fn new(on: &Registration<'_>, clock: Arc<dyn Clock>) -> Self {
        let remaining = Remaining::default();
        let desc = Desc::new(NAME.into(), HELP.into(), LABELS.map(String::from).to_vec(), Default::default());
        on.collector(RemainingCollector { remaining: remaining.clone(), desc: desc.expect("names and labels are valid") });
        RestoreMetrics {
            records: on.counter("viewmill_restore_records_total", "Changelog records applied while restoring."),
            bytes: on.counter("viewmill_restore_bytes_total", "Changelog bytes applied while restoring."),
            duration: on.histogram(
                "viewmill_restore_duration_seconds",
                "From the decision to restore a task until all its rows are here.",
                buckets(0.01, 3.0, 12),
            ),
            rebuilds: on.counters(
                "viewmill_store_rebuilds_total",
                "Task databases that were rebuilt from the changelogs though there was one, by why.",
                "reason",
                &["damaged", "torn", "outdated", "foreign"],
            ),
            remaining,
            clock,
        }
    }

    /// A task begins to be restored: its stores, each with the changelog offsets that are left.
    pub fn begin<'a>(&self, task: &str, stores: impl Iterator<Item = (&'a str, i64)>) -> RestoreMeter {
        let meter = RestoreMeter {
            task: task.to_string(),
            began: self.clock.monotonic(),
            records: self.records.clone(),
            bytes: self.bytes.clone(),
            duration: self.duration.clone(),
            remaining: self.remaining.clone(),
            clock: self.clock.clone(),
        };
        stores.for_each(|(store, offsets)| meter.remaining(store, offsets));
        meter
    }

    /// Changelog offsets that a task has yet to read, over all its stores; `None` while it is not being restored.
    pub fn remaining_of(&self, task: &str) -> Option<i64> {
        let rows = lock(&self.remaining);
        let of: Vec<i64> = rows.iter().filter(|((_, known), _)| known == task).map(|(_, offsets)| *offsets).collect();
        (!of.is_empty()).then(|| of.iter().sum())
    }
}

/// One task that is being restored. Its rows go when this is dropped.
pub struct RestoreMeter {
    task: String,
    began: Duration,
    records: IntCounter,
    bytes: IntCounter,
    duration: Histogram,
    remaining: Remaining,
    clock: Arc<dyn Clock>,
}

impl RestoreMeter {
    /// So many offsets of a store's changelog are left.
    pub fn remaining(&self, store: &str, offsets: i64) {
        lock(&self.remaining).insert((store.to_string(), self.task.clone()), offsets.max(0));
    }

    /// Changelog records were applied.
    pub fn applied(&self, records: usize, bytes: usize) {
        self.records.inc_by(records as u64);
        self.bytes.inc_by(bytes as u64);
    }

    /// All rows are here.
    pub fn done(self) {
        self.duration.observe((self.clock.monotonic().saturating_sub(self.began)).as_secs_f64());
    }
}

impl Drop for RestoreMeter {
    fn drop(&mut self) {
        lock(&self.remaining).retain(|(_, task), _| *task != self.task);
    }
}

struct RemainingCollector {
    remaining: Remaining,
    desc: Desc,
}

impl Collector for RemainingCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let gauges = fresh_gauges(NAME, HELP, &LABELS);
        for ((store, task), offsets) in lock(&self.remaining).iter() {
            gauges.with_label_values(&[store, task]).set(*offsets as f64);
        }
        let mut families = gauges.collect();
        families.retain(|family| !family.get_metric().is_empty());
        families
    }
}

fn lock(rows: &Mutex<BTreeMap<(String, String), i64>>) -> MutexGuard<'_, BTreeMap<(String, String), i64>> {
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}
