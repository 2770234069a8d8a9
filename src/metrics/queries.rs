//! Reads of views.

use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::registration::{Registration, buckets};

/// How a view is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryType {
    /// One row by its key.
    Get,
    /// The rows of one key in all partitions.
    GetEach,
    /// A page of a range or an index.
    Page,
    /// All rows of a range.
    Range,
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryResult {
    /// There was a row; a page or range was given.
    Found,
    /// There was none.
    Absent,
    /// Another instance runs the task, and the reader was told which.
    Redirected,
    /// A task is being restored, runs elsewhere, or is not known yet.
    Unavailable,
    /// Too many reads at once, or too many rows.
    Refused,
    /// The key, the cursor or a row could not be read.
    Failed,
}

const TYPES: [&str; 4] = ["get", "get_each", "page", "range"];
const RESULTS: [&str; 6] = ["found", "absent", "redirected", "unavailable", "refused", "failed"];
/// Who answered.
const SOURCES: [&str; 1] = ["local"];

/// Reads of views.
#[derive(Clone)]
pub struct QueryMetrics {
    duration: HistogramVec,
    queries: IntCounterVec,
}

impl QueryMetrics {
    pub(super) fn new(on: &Registration<'_>) -> Self {
        QueryMetrics {
            duration: on.histograms(
                "viewmill_query_duration_seconds",
                "How long a read of a view takes, from the call to the decoded row.",
                &["view", "type"],
                buckets(0.000_02, 3.0, 12),
            ),
            queries: on.counter_table("viewmill_queries_total", "Reads of views.", &["view", "source", "result"]),
        }
    }

    /// The handles of one view, whose series begin at zero.
    pub fn view(&self, name: &str) -> ViewMeter {
        ViewMeter {
            durations: TYPES.map(|kind| self.duration.with_label_values(&[name, kind])),
            local: RESULTS.map(|result| self.queries.with_label_values(&[name, SOURCES[0], result])),
        }
    }
}

/// The handles of one view.
#[derive(Clone)]
pub struct ViewMeter {
    durations: [Histogram; TYPES.len()],
    local: [IntCounter; RESULTS.len()],
}

impl ViewMeter {
    /// A read that was answered from this instance's state.
    pub fn read(&self, kind: QueryType, took: Duration, result: QueryResult) {
        self.durations[kind as usize].observe(took.as_secs_f64());
        self.local[result as usize].inc();
    }
}
