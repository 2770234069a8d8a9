//! Stores: what is done with them, counted in the store itself and handed over once a commit; and RocksDB's figures, which a thread of
//! their own reads every few seconds.

use std::time::Duration;

use prometheus::{Counter, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::registration::{Registration, buckets};

/// One operation in so many is timed.
pub const TIMED_OPERATIONS: u64 = 256;

/// So many timed operations are kept between two commits; further ones are not timed.
const KEPT_TIMES: usize = 256;

/// What was done with one task's store since the last commit: plain numbers.
#[derive(Debug, Default)]
pub struct StoreTally {
    /// Rows that were asked for.
    pub gets: u64,
    /// Rows that were set or changed.
    pub puts: u64,
    /// Rows that were removed.
    pub deletes: u64,
    /// Rows that the working set had.
    pub hits: u64,
    /// Rows that were read from the database.
    pub misses: u64,
    times: Vec<Duration>,
    operations: u64,
}

impl StoreTally {
    /// True when this operation should be timed.
    pub fn times_next(&mut self) -> bool {
        self.operations += 1;
        self.operations % TIMED_OPERATIONS == 1 && self.times.len() < KEPT_TIMES
    }

    /// How long the operation took.
    pub fn timed(&mut self, took: Duration) {
        self.times.push(took);
    }

    /// All of it, which begins again at zero; the rhythm of timing goes on.
    pub fn take(&mut self) -> StoreTally {
        let operations = self.operations;
        let taken = std::mem::take(self);
        self.operations = operations;
        taken
    }
}

/// The handles of one store.
pub(super) struct StoreMeter {
    gets: IntCounter,
    puts: IntCounter,
    deletes: IntCounter,
    hits: IntCounter,
    misses: IntCounter,
    duration: Histogram,
}

impl StoreMeter {
    pub(super) fn add(&self, tally: StoreTally) {
        let counts = [
            (&self.gets, tally.gets),
            (&self.puts, tally.puts),
            (&self.deletes, tally.deletes),
            (&self.hits, tally.hits),
            (&self.misses, tally.misses),
        ];
        counts.into_iter().for_each(|(counter, count)| counter.inc_by(count));
        tally.times.iter().for_each(|took| self.duration.observe(took.as_secs_f64()));
    }
}

/// RocksDB's figures of one store, over all tasks that run here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreSample {
    /// Rows, as RocksDB estimates.
    pub keys: u64,
    /// Files on disk.
    pub disk_bytes: u64,
}

/// RocksDB's figures of all databases.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DatabaseSample {
    /// What compactions have yet to rewrite.
    pub pending_compaction_bytes: u64,
    /// Cached blocks.
    pub block_cache_bytes: u64,
    /// Rows that are not in files yet.
    pub memtable_bytes: u64,
    /// Writes held back since the sample before.
    pub stalled: Duration,
    /// Failed flushes and compactions since the sample before.
    pub background_errors: u64,
}

/// Stores.
pub struct StoreMetrics {
    operations: IntCounterVec,
    duration: Histogram,
    cache_requests: IntCounterVec,
    keys: IntGaugeVec,
    disk_bytes: IntGaugeVec,
    stall_seconds: Counter,
    pending_compaction_bytes: IntGauge,
    block_cache_bytes: IntGauge,
    memtable_bytes: IntGauge,
    background_errors: IntCounter,
}

impl StoreMetrics {
    pub(super) fn new(on: &Registration<'_>) -> Self {
        StoreMetrics {
            operations: on.counter_table(
                "viewmill_store_operations_total",
                "What processors did with stores, in committed transactions.",
                &["store", "op"],
            ),
            duration: on.histogram(
                "viewmill_store_operation_duration_seconds",
                "How long an operation of a processor on a store takes; one in 256 is timed.",
                buckets(0.000_000_25, 4.0, 12),
            ),
            cache_requests: on.counter_table(
                "viewmill_store_cache_requests_total",
                "Rows that the working set had (hit), and rows that were read from the database (miss).",
                &["store", "result"],
            ),
            keys: on.gauges("viewmill_store_keys", "Rows of the tasks that run here, as RocksDB estimates.", "store"),
            disk_bytes: on.gauges("viewmill_store_disk_bytes", "Files on disk of the tasks that run here.", "store"),
            stall_seconds: on.float_counter("viewmill_store_write_stall_seconds_total", "How long RocksDB held writes back."),
            pending_compaction_bytes: on.gauge("viewmill_store_pending_compaction_bytes", "What compactions have yet to rewrite."),
            block_cache_bytes: on.gauge("viewmill_store_block_cache_bytes", "Blocks that RocksDB holds in memory."),
            memtable_bytes: on.gauge("viewmill_store_memtable_bytes", "Rows that are in memory and not in files yet."),
            background_errors: on.counter("viewmill_store_background_errors_total", "Flushes and compactions that failed."),
        }
    }

    pub(super) fn begin_at_zero(&self, store: &str) {
        drop(self.meter(store));
        self.sampled(store, StoreSample::default());
    }

    pub(super) fn meter(&self, store: &str) -> StoreMeter {
        let operations = |op| self.operations.with_label_values(&[store, op]);
        let requests = |result| self.cache_requests.with_label_values(&[store, result]);
        StoreMeter {
            gets: operations("get"),
            puts: operations("put"),
            deletes: operations("delete"),
            hits: requests("hit"),
            misses: requests("miss"),
            duration: self.duration.clone(),
        }
    }

    /// Takes over the figures of one store.
    pub fn sampled(&self, store: &str, sample: StoreSample) {
        self.keys.with_label_values(&[store]).set(gauge(sample.keys));
        self.disk_bytes.with_label_values(&[store]).set(gauge(sample.disk_bytes));
    }

    /// Takes over the figures of all databases.
    pub fn sampled_all(&self, sample: DatabaseSample) {
        self.pending_compaction_bytes.set(gauge(sample.pending_compaction_bytes));
        self.block_cache_bytes.set(gauge(sample.block_cache_bytes));
        self.memtable_bytes.set(gauge(sample.memtable_bytes));
        self.stall_seconds.inc_by(sample.stalled.as_secs_f64());
        self.background_errors.inc_by(sample.background_errors);
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
