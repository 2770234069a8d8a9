//! Restoring: what is left, a row a store and task while it is being restored.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Histogram, IntCounter, IntCounterVec};

use super::registration::{Registration, buckets, fresh_gauges};
use crate::clock::Clock;

type Remaining = Arc<Mutex<Rows>>;

/// What is known of the tasks that are being restored.
#[derive(Default)]
struct Rows {
    /// By store and task.
    remaining: BTreeMap<(String, String), i64>,
    speeds: BTreeMap<String, Speed>,
}

/// So far back a rate looks.
const RATE_OVER: Duration = Duration::from_secs(10);

/// How fast a task's restore has been of late.
struct Speed {
    records: u64,
    bytes: u64,
    /// What was left at some moments, half a second or more apart.
    samples: VecDeque<(Duration, i64)>,
}

impl Speed {
    fn sample(&mut self, now: Duration, left: i64) {
        if self.samples.back().is_some_and(|(at, _)| now < *at + RATE_OVER / 20) {
            return;
        }
        self.samples.push_back((now, left));
        // The oldest one is at least so old, if there is any.
        while self.samples.get(1).is_some_and(|(at, _)| now >= *at + RATE_OVER) {
            self.samples.pop_front();
        }
    }

    /// Offsets a second.
    fn rate(&self, now: Duration, left: i64) -> Option<f64> {
        let (at, before) = self.samples.front()?;
        let seconds = now.saturating_sub(*at).as_secs_f64();
        (seconds > 0.0).then(|| (before - left).max(0) as f64 / seconds)
    }
}

/// How far a task's restore is.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreFigures {
    /// The task.
    pub task: String,
    /// Changelog offsets that are left, over all its stores.
    pub remaining: i64,
    /// Changelog records that were applied.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Changelog offsets a second, of late; `None` when it has only begun.
    pub rate: Option<f64>,
    /// When it will be done at that rate.
    pub eta_seconds: Option<f64>,
}

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
        let mut rows = lock(&meter.remaining);
        let left = rows.left(task).unwrap_or(0);
        rows.speeds.insert(task.to_string(), Speed { records: 0, bytes: 0, samples: [(meter.began, left)].into() });
        drop(rows);
        meter
    }

    /// Records applied since the start.
    #[cfg(test)]
    pub fn records_total(&self) -> u64 {
        self.records.get()
    }

    /// All tasks that are being restored.
    pub fn figures(&self) -> Vec<RestoreFigures> {
        let now = self.clock.monotonic();
        let rows = lock(&self.remaining);
        let figures = |(task, speed): (&String, &Speed)| {
            let remaining = rows.left(task).unwrap_or(0);
            let rate = speed.rate(now, remaining);
            RestoreFigures {
                task: task.clone(),
                records: speed.records,
                bytes: speed.bytes,
                eta_seconds: rate.filter(|rate| *rate > 0.0).map(|rate| remaining as f64 / rate),
                remaining,
                rate,
            }
        };
        rows.speeds.iter().map(figures).collect()
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
        let mut rows = lock(&self.remaining);
        rows.remaining.insert((store.to_string(), self.task.clone()), offsets.max(0));
        let left = rows.left(&self.task).unwrap_or(0);
        if let Some(speed) = rows.speeds.get_mut(&self.task) {
            speed.sample(self.clock.monotonic(), left);
        }
    }

    /// Changelog records were applied.
    pub fn applied(&self, records: usize, bytes: usize) {
        self.records.inc_by(records as u64);
        self.bytes.inc_by(bytes as u64);
        if let Some(speed) = lock(&self.remaining).speeds.get_mut(&self.task) {
            speed.records += records as u64;
            speed.bytes += bytes as u64;
        }
    }

    /// All rows are here; answers how long that took.
    pub fn done(self) -> Duration {
        let took = self.clock.monotonic().saturating_sub(self.began);
        self.duration.observe(took.as_secs_f64());
        took
    }
}

impl Drop for RestoreMeter {
    fn drop(&mut self) {
        let mut rows = lock(&self.remaining);
        rows.remaining.retain(|(_, task), _| *task != self.task);
        rows.speeds.remove(&self.task);
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
        for ((store, task), offsets) in &lock(&self.remaining).remaining {
            gauges.with_label_values(&[store, task]).set(*offsets as f64);
        }
        let mut families = gauges.collect();
        families.retain(|family| !family.get_metric().is_empty());
        families
    }
}

impl Rows {
    fn left(&self, task: &str) -> Option<i64> {
        let of = self.remaining.iter().filter(|((_, known), _)| known == task).map(|(_, offsets)| *offsets);
        of.reduce(|a, b| a + b)
    }
}

fn lock(rows: &Mutex<Rows>) -> MutexGuard<'_, Rows> {
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::metrics::{Metrics, Versions};
    use crate::record::Timestamp;

    #[test]
    fn a_restore_tells_its_rate_of_late_and_when_it_will_be_done() {
        let clock = ManualClock::at(Timestamp(0));
        let metrics = Metrics::new(Versions { librdkafka: "none", rocksdb: "none" }, Arc::new(clock.clone()));
        let meter = metrics.restore.begin("t_0", [("a", 10_000), ("b", 500)].into_iter());
        let figures = || metrics.restore.figures().pop().expect("it is being restored");
        assert_eq!((figures().remaining, figures().rate, figures().eta_seconds), (10_500, None, None));
        clock.advance(Duration::from_secs(2));
        meter.applied(2_000, 70_000);
        meter.remaining("a", 8_000);
        assert_eq!((figures().rate, figures().eta_seconds), (Some(1_000.0), Some(8.5)));
        // It gets slower: after a while only the new rate counts.
        for second in 1..=20 {
            clock.advance(Duration::from_secs(1));
            meter.remaining("a", 8_000 - second * 100);
        }
        let late = figures();
        assert_eq!((late.records, late.bytes, late.remaining, late.rate), (2_000, 70_000, 6_500, Some(100.0)));
        assert_eq!(late.eta_seconds, Some(65.0));
        meter.done();
        assert_eq!(metrics.restore.figures(), []);
    }
}
