//! Requests, by the template of their route.

use prometheus::{HistogramVec, IntCounterVec};

use super::registration::{Registration, buckets};

/// HTTP.
pub struct HttpMetrics {
    /// Requests by method, route and code.
    pub requests: IntCounterVec,
    /// How long they take, by method and route.
    pub duration: HistogramVec,
}

impl HttpMetrics {
    pub(super) fn new(on: &Registration<'_>) -> Self {
        HttpMetrics {
            requests: on.counter_table("viewmill_http_requests_total", "HTTP requests.", &["method", "route", "code"]),
            duration: on.histograms(
                "viewmill_http_request_duration_seconds",
                "From the request's headers to the answer.",
                &["method", "route"],
                buckets(0.0001, 2.5, 13),
            ),
        }
    }
}
