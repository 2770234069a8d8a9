//! Every metric: its name, labels and help. The only folder that names prometheus.
//!
//! ```text
//!  stream threads ──► plain numbers (TaskMeter, StoreTally) ──► counters, once a turn or once a commit
//!                 ──► rows (LagRow), replaced as a whole ─────► series made anew at each scrape
//!  restore-1      ──► rows (RestoreMeter) ────────────────────┘
//!  sample         ──► gauges, every few seconds, from RocksDB
//! ```
//!
//! Names are `viewmill_<subsystem>_<thing>_<unit>[_total]` in base units. No label holds data (keys, paths, errors), so the number of
//! series does not grow with what is processed. A scrape asks neither Kafka nor a store, and rows of partitions and tasks that left
//! are gone with the next scrape. `docs/metrics.md` says what is normal.

mod activity;
mod commands;
mod consumer;
mod http;
mod lag;
mod process_info;
mod processing;
mod queries;
mod registration;
mod restore;
mod status;
mod stores;
mod task;

pub use activity::{Activities, Activity, ThreadActivity};
pub use commands::{CommandMetrics, CommandResult};
pub use consumer::ConsumerMetrics;
pub use http::HttpMetrics;
pub use lag::LagRow;
pub use processing::ProcessingMetrics;
pub use queries::{QueryMetrics, QueryResult, QueryType, ViewMeter};
pub use restore::{RestoreFigures, RestoreMeter, RestoreMetrics};
pub use status::{StatusSource, TaskCount};
pub use stores::{DatabaseSample, StoreMetrics, StoreSample, StoreTally, TIMED_OPERATIONS};
pub use task::TaskMeter;

use std::ops::Deref;
use std::sync::Arc;

use prometheus::{Encoder, Registry, TextEncoder};

use crate::clock::Clock;
use registration::Registration;
use status::Watched;

/// Versions, for `viewmill_build_info`.
#[derive(Clone, Copy, Debug)]
pub struct Versions<'a> {
    /// Of librdkafka.
    pub librdkafka: &'a str,
    /// Of RocksDB.
    pub rocksdb: &'a str,
}

/// What the topology says before anything runs.
#[derive(Clone, Debug, Default)]
pub struct KnownLabels {
    /// Names of sub-topologies.
    pub subtopologies: Vec<String>,
    /// Full names of source topics.
    pub topics: Vec<String>,
    /// Names of stores.
    pub stores: Vec<String>,
}

/// The groups of metrics.
pub struct Groups {
    /// What is taken from source topics.
    pub consumer: ConsumerMetrics,
    /// How records are processed.
    pub processing: ProcessingMetrics,
    /// What threads spend their time on.
    pub activities: Activities,
    /// Stores.
    pub stores: StoreMetrics,
    /// Restoring.
    pub restore: RestoreMetrics,
    /// Reads of views.
    pub queries: QueryMetrics,
    /// Commands.
    pub commands: CommandMetrics,
    /// HTTP.
    pub http: HttpMetrics,
    registry: Registry,
    watched: Watched,
}

/// The process' metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Groups>);

impl Deref for Metrics {
    type Target = Groups;

    fn deref(&self) -> &Groups {
        &self.0
    }
}

impl Metrics {
    /// A registry with everything at zero.
    pub fn new(versions: Versions<'_>, clock: Arc<dyn Clock>) -> Self {
        let registry = Registry::new();
        let on = Registration(&registry);
        on.info(
            "viewmill_build_info",
            "Versions of this program, as labels; always 1.",
            &[("version", env!("CARGO_PKG_VERSION")), ("librdkafka", versions.librdkafka), ("rocksdb", versions.rocksdb)],
        );
        process_info::register(&on);
        Metrics(Arc::new(Groups {
            consumer: ConsumerMetrics::new(&on),
            processing: ProcessingMetrics::new(&on),
            activities: Activities::new(&on, clock.clone()),
            stores: StoreMetrics::new(&on),
            restore: RestoreMetrics::new(&on, clock.clone()),
            queries: QueryMetrics::new(&on),
            commands: CommandMetrics::new(&on),
            http: HttpMetrics::new(&on),
            watched: status::register(&on, clock),
            registry: registry.clone(),
        }))
    }

    /// Makes the series of what is known before anything runs: one that is there from the start shows its first increase.
    pub fn begin_at_zero(&self, known: &KnownLabels) {
        for subtopology in &known.subtopologies {
            drop(self.processing.duration.with_label_values(&[subtopology]));
        }
        for topic in &known.topics {
            drop(self.processing.latency.with_label_values(&[topic]));
        }
        for store in &known.stores {
            self.stores.begin_at_zero(store);
            drop(self.queries.view(store));
        }
    }

    /// Connects the threads' figures; the first call counts.
    pub fn watch(&self, status: Arc<dyn StatusSource>) {
        let _ = self.watched.set(status);
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
