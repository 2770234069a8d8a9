//! Every metric: its name, labels and help. The only file that names prometheus.
//!
//! Names are `viewmill_<subsystem>_<thing>_<unit>[_total]` in base units. No label holds data (keys, paths, errors), so the number of
//! series does not grow with what is processed. A scrape asks neither Kafka nor a store: threads leave their figures in
//! atomics, and rows of partitions that left are gone with the next scrape.

use std::sync::{Arc, OnceLock};

use prometheus::core::{Collector, Desc};
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder, proto::MetricFamily,
};

use crate::clock::Clock;
use crate::record::{Offset, Timestamp};

/// How far one source partition is, as a thread last saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct LagRow {
    /// Full topic name.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// The task that reads it.
    pub task: String,
    /// The offset of the next record to process.
    pub position: Offset,
    /// The next offset of the last commit.
    pub committed: Offset,
    /// The end of the stable log; `None` before it is known.
    pub end: Option<Offset>,
    /// The time of the next record, when it has been fetched.
    pub next_record_time: Option<Timestamp>,
}

impl LagRow {
    /// Records between the position and the end.
    pub fn lag_records(&self) -> Option<i64> {
        self.end.map(|end| (end.0 - self.position.0).max(0))
    }

    /// Milliseconds since the time of the next record; 0 only at the end; `None` when it cannot be known.
    pub fn lag_ms(&self, now: Timestamp) -> Option<i64> {
        match (self.lag_records(), self.next_record_time) {
            (_, Some(next)) => Some((now.0 - next.0).max(0)),
            (Some(0), None) => Some(0),
            _ => None,
        }
    }
}

/// What a scrape reads from the threads.
pub trait StatusSource: Send + Sync {
    /// A row for each source partition that is active here.
    fn lag(&self) -> Vec<LagRow>;
    /// Tasks by state: `active`, `restoring`, `unknown`.
    fn tasks(&self) -> Vec<(&'static str, usize)>;
    /// The instance's state, and all there are.
    fn state(&self) -> (&'static str, &'static [&'static str]);
}

/// The process' metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    status: Arc<OnceLock<Arc<dyn StatusSource>>>,
    /// Records taken from source partitions.
    pub consumer_records: IntCounter,
    /// Rebalances by kind: assigned, revoked, lost.
    pub consumer_rebalances: IntCounterVec,
    /// Transactions by result: committed, aborted, refused, indefinite.
    pub transactions: IntCounterVec,
    /// How long a commit takes.
    pub commit_duration: Histogram,
    /// Records that were not processed, by reason.
    pub records_dropped: IntCounterVec,
    /// Records written to dead-letter topics.
    pub dead_letters: IntCounter,
    /// Producers replaced.
    pub producers_replaced: IntCounter,
    /// Changelog records applied while restoring.
    pub restore_records: IntCounter,
    /// Changelog bytes applied while restoring.
    pub restore_bytes: IntCounter,
    /// How tasks started, by decision.
    pub task_starts: IntCounterVec,
    /// HTTP requests.
    pub http_requests: IntCounterVec,
    /// How long HTTP requests take.
    pub http_duration: HistogramVec,
    /// What processors counted in committed records.
    pub processor_events: IntCounterVec,
}

impl Metrics {
    /// A registry with everything at zero.
    pub fn new(librdkafka_version: &str, clock: Arc<dyn Clock>) -> Self {
        let registry = Registry::new();
        let status = Arc::new(OnceLock::new());
        let info = Opts::new("viewmill_build_info", "Versions of this program, as labels; always 1.")
            .const_label("version", env!("CARGO_PKG_VERSION"))
            .const_label("librdkafka", librdkafka_version);
        let build = register(&registry, prometheus::IntGauge::with_opts(info));
        build.set(1);
        let metrics = Metrics {
            consumer_records: counter(&registry, "viewmill_consumer_records_total", "Records taken from source partitions."),
            consumer_rebalances: counters(
                &registry,
                "viewmill_consumer_rebalances_total",
                "Changes of the task tokens that this instance holds.",
                "kind",
                &["assigned", "revoked", "lost"],
            ),
            transactions: counters(
                &registry,
                "viewmill_transactions_total",
                "Transactions by how they ended.",
                "result",
                &["committed", "aborted", "refused", "indefinite"],
            ),
            commit_duration: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new("viewmill_commit_duration_seconds", "From the start of a commit until its rows are visible.")
                        .buckets(prometheus::exponential_buckets(0.001, 2.0, 14).expect("these bounds grow")),
                ),
            ),
            records_dropped: counters(
                &registry,
                "viewmill_records_dropped_total",
                "Records that were not processed, by what became of them.",
                "reason",
                &["dead-letter", "skip"],
            ),
            dead_letters: counter(&registry, "viewmill_dead_letter_records_total", "Records written to dead-letter topics."),
            producers_replaced: counter(
                &registry,
                "viewmill_producer_replacements_total",
                "Transactional producers replaced after a failure or a lost connection.",
            ),
            restore_records: counter(&registry, "viewmill_restore_records_total", "Changelog records applied while restoring."),
            restore_bytes: counter(&registry, "viewmill_restore_bytes_total", "Changelog bytes applied while restoring."),
            task_starts: counters(
                &registry,
                "viewmill_task_starts_total",
                "Tasks started, by what had to be done first.",
                "decision",
                &["as_is", "catch_up", "restore", "set_aside", "first_start", "refused"],
            ),
            http_requests: register(
                &registry,
                IntCounterVec::new(Opts::new("viewmill_http_requests_total", "HTTP requests."), &["method", "route", "code"]),
            ),
            http_duration: register(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new("viewmill_http_request_duration_seconds", "From the request's headers to the answer.")
                        .buckets(prometheus::exponential_buckets(0.0001, 2.5, 13).expect("these bounds grow")),
                    &["method", "route"],
                ),
            ),
            processor_events: counters(
                &registry,
                "viewmill_processor_events_total",
                "What processors counted in committed records.",
                "event",
                &[],
            ),
            registry: registry.clone(),
            status: status.clone(),
        };
        let collector = StatusCollector { status, clock, descs: StatusCollector::descs() };
        registry.register(Box::new(collector)).expect("names are unique");
        metrics
    }

    /// Connects the threads' figures; the first call counts.
    pub fn watch(&self, status: Arc<dyn StatusSource>) {
        let _ = self.status.set(status);
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut out = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            Ok(()) => String::from_utf8(out).unwrap_or_default(),
            Err(error) => format!("# metrics cannot be written: {error}\n"),
        }
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let collector = made.expect("names and labels are valid");
    registry.register(Box::new(collector.clone())).expect("names are unique");
    collector
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    register(registry, IntCounter::new(name, help))
}

fn counters(registry: &Registry, name: &str, help: &str, label: &str, values: &[&str]) -> IntCounterVec {
    let made = register(registry, IntCounterVec::new(Opts::new(name, help), &[label]));
    // A series that is there from the start shows its first increase.
    values.iter().for_each(|value| drop(made.with_label_values(&[value])));
    made
}

/// Reads the threads' figures at a scrape.
struct StatusCollector {
    status: Arc<OnceLock<Arc<dyn StatusSource>>>,
    clock: Arc<dyn Clock>,
    descs: Vec<Desc>,
}

const LAG_LABELS: [&str; 2] = ["topic", "partition"];

/// Name, help, and how to read it from a row.
type LagMetric = (&'static str, &'static str, fn(&LagRow, Timestamp) -> Option<f64>);

const LAG_METRICS: [LagMetric; 5] = [
    ("viewmill_consumer_lag_records", "Records between the position and the end of the stable log.", |row, _| {
        row.lag_records().map(|n| n as f64)
    }),
    ("viewmill_consumer_lag_seconds", "Age of the next record; 0 only at the end; absent when unknown.", |row, now| {
        row.lag_ms(now).map(|ms| ms as f64 / 1000.0)
    }),
    ("viewmill_consumer_position_offset", "Offset of the next record to process.", |row, _| Some(row.position.0 as f64)),
    ("viewmill_consumer_committed_offset", "Next offset of the last commit.", |row, _| Some(row.committed.0 as f64)),
    ("viewmill_consumer_high_watermark_offset", "End of the stable log as last fetched.", |row, _| row.end.map(|end| end.0 as f64)),
];

impl StatusCollector {
    fn descs() -> Vec<Desc> {
        let lag = LAG_METRICS.iter().map(|(name, help, _)| (*name, *help, LAG_LABELS.to_vec()));
        let states = [
            ("viewmill_tasks", "Tasks of this instance.", vec!["state"]),
            ("viewmill_state", "The instance's state: one of these is 1.", vec!["state"]),
        ];
        lag.chain(states)
            .map(|(name, help, labels)| {
                let labels = labels.into_iter().map(String::from).collect();
                Desc::new(name.into(), help.into(), labels, Default::default()).expect("names and labels are valid")
            })
            .collect()
    }
}

impl Collector for StatusCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(status) = self.status.get() else { return Vec::new() };
        let (rows, now) = (status.lag(), self.clock.now());
        let mut families = Vec::new();
        for (name, help, read) in LAG_METRICS {
            let gauge = prometheus::GaugeVec::new(Opts::new(name, help), &LAG_LABELS).expect("names and labels are valid");
            for row in &rows {
                if let Some(value) = read(row, now) {
                    gauge.with_label_values(&[&row.topic, row.partition.to_string().as_str()]).set(value);
                }
            }
            families.extend(gauge.collect());
        }
        let gauge = |name: &str, help: &str| prometheus::GaugeVec::new(Opts::new(name, help), &["state"]).expect("valid");
        let tasks = gauge("viewmill_tasks", "Tasks of this instance.");
        status.tasks().iter().for_each(|(state, count)| tasks.with_label_values(&[state]).set(*count as f64));
        let state = gauge("viewmill_state", "The instance's state: one of these is 1.");
        let (current, all) = status.state();
        all.iter().for_each(|name| state.with_label_values(&[name]).set(f64::from(u8::from(*name == current))));
        families.extend(tasks.collect());
        families.extend(state.collect());
        families.retain(|family| !family.get_metric().is_empty());
        families
    }
}
