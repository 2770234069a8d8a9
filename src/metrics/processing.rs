//! How records are processed, and what becomes of their transactions.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::registration::{Registration, buckets};

/// Processing and commits.
pub struct ProcessingMetrics {
    /// Transactions by result: committed, aborted, refused, indefinite.
    pub transactions: IntCounterVec,
    /// From the start of a commit until its rows are visible.
    pub commit_duration: Histogram,
    /// Commits in one round of delivery, by whether the offsets that were foreseen came true: right, wrong.
    pub foreseen: IntCounterVec,
    /// One turn of one task.
    pub(super) duration: HistogramVec,
    /// From a record's time until it is visible.
    pub(super) latency: HistogramVec,
    /// Records that were not processed, by why: deserialization, misplaced, rejected, panicked.
    pub records_dropped: IntCounterVec,
    /// Records whose key belongs to another partition.
    pub records_misplaced: IntCounter,
    /// Records whose bytes could not be read.
    pub deserialization_errors: IntCounter,
    /// Records written to dead-letter topics.
    pub dead_letters: IntCounter,
    /// Producers made ready.
    pub producers_replaced: IntCounter,
    /// How tasks started, by decision.
    pub task_starts: IntCounterVec,
    /// What processors counted in committed records.
    pub processor_events: IntCounterVec,
}

impl ProcessingMetrics {
    pub(super) fn new(on: &Registration<'_>) -> Self {
        ProcessingMetrics {
            transactions: on.counters(
                "viewmill_transactions_total",
                "Transactions by how they ended.",
                "result",
                &["committed", "aborted", "refused", "indefinite"],
            ),
            commit_duration: on.histogram(
                "viewmill_commit_duration_seconds",
                "From the start of a commit until its rows are visible.",
                buckets(0.001, 2.0, 15),
            ),
            foreseen: on.counters(
                "viewmill_commits_foreseen_total",
                "Commits whose offsets were foreseen, so that all was delivered in one round, by whether they came true.",
                "result",
                &["right", "wrong"],
            ),
            duration: on.histograms(
                "viewmill_process_duration_seconds",
                "One turn of one task: the records, 1 to 1,000, that it processes in a row.",
                &["subtopology"],
                buckets(0.000_01, 4.0, 10),
            ),
            latency: on.histograms(
                "viewmill_record_e2e_latency_seconds",
                "From a record's time until it is visible: the oldest and the newest record of each commit and partition.",
                &["topic"],
                LATENCY_BUCKETS.to_vec(),
            ),
            records_dropped: on.counters(
                "viewmill_records_dropped_total",
                "Records that were not processed but passed over, by why.",
                "reason",
                &["deserialization", "misplaced", "rejected", "panicked"],
            ),
            records_misplaced: on.counter(
                "viewmill_records_misplaced_total",
                "Records that do not lie in the partition of their key: their writer uses another partitioner than Kafka's murmur2.",
            ),
            deserialization_errors: on.counter("viewmill_deserialization_errors_total", "Records whose key or value could not be read."),
            dead_letters: on.counter("viewmill_dead_letter_records_total", "Records written to dead-letter topics."),
            producers_replaced: on.counter(
                "viewmill_producer_replacements_total",
                "Transactional producers made ready: one a thread at start, more after failures or lost connections.",
            ),
            task_starts: on.counters(
                "viewmill_task_starts_total",
                "Tasks started, by what had to be done first.",
                "decision",
                &["as_is", "catch_up", "restore", "set_aside", "rebuild", "first_start", "refused"],
            ),
            processor_events: on.counters("viewmill_processor_events_total", "What processors counted in committed records.", "event", &[]),
        }
    }

    /// Records were passed over, for the reason of this stable word, and the commit that passed them is made.
    pub fn dropped(&self, reason: &str, dead_letter: bool, count: u64) {
        self.records_dropped.with_label_values(&[reason]).inc_by(count);
        match reason {
            "deserialization" => self.deserialization_errors.inc_by(count),
            "misplaced" => self.records_misplaced.inc_by(count),
            _ => {}
        }
        if dead_letter {
            self.dead_letters.inc_by(count);
        }
    }
}

/// From what a commit takes to what a day's backlog takes.
const LATENCY_BUCKETS: [f64; 15] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0, 86_400.0];
