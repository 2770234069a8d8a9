//! What is taken from source topics, and how the group moves.

use prometheus::{IntCounter, IntCounterVec};

use super::registration::Registration;

/// Counts of consumers.
pub struct ConsumerMetrics {
    /// Records taken from source partitions; those read once more after an abort count once more.
    pub records: IntCounter,
    /// Their keys and values.
    pub bytes: IntCounter,
    /// Rebalances by kind: assigned, revoked, lost.
    pub rebalances: IntCounterVec,
    /// Commits by result: committed, failed.
    pub commits: IntCounterVec,
    /// How often a source's log did not reach back to the position.
    pub offsets_lost: IntCounter,
}

impl ConsumerMetrics {
    pub(super) fn new(on: &Registration<'_>) -> Self {
        ConsumerMetrics {
            records: on.counter("viewmill_consumer_records_total", "Records taken from source partitions."),
            bytes: on.counter("viewmill_consumer_bytes_total", "Bytes of keys and values taken from source partitions."),
            rebalances: on.counters(
                "viewmill_consumer_rebalances_total",
                "Changes of the task tokens that this instance holds.",
                "kind",
                &["assigned", "revoked", "lost"],
            ),
            commits: on.counters(
                "viewmill_consumer_commits_total",
                "Commits of source positions, by result; viewmill_transactions_total tells how those that failed ended.",
                "result",
                &["committed", "failed"],
            ),
            offsets_lost: on.counter(
                "viewmill_consumer_offsets_lost_total",
                "Times that a source's log did not reach back to the position: records were lost before they were processed.",
            ),
        }
    }
}
