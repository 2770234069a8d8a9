//! Counts and times requests. Labels are templates and well-known methods, so that the number of series does not grow with what
//! clients send.

use tokio::time::Instant;
use warp::http::{Method, StatusCode};

use super::routes::Endpoint;
use crate::metrics::Metrics;

/// The label of paths that no route has.
const OTHER: &str = "other";

/// As nginx has it: the client closed the connection before it had an answer.
const CLIENT_GONE: &str = "499";

/// One request, from its headers to its answer. One that is dropped without an answer counts as [`CLIENT_GONE`].
pub(super) struct RequestCount {
    metrics: Metrics,
    method: &'static str,
    route: &'static str,
    began: Instant,
    counted: bool,
}

impl RequestCount {
    pub(super) fn begin(metrics: Metrics, method: &Method) -> Self {
        RequestCount { metrics, method: label(method), route: OTHER, began: Instant::now(), counted: false }
    }

    /// The template of the route that the request belongs to.
    pub(super) fn set_route(&mut self, template: &'static str) {
        self.route = template;
    }

    /// The answer is there.
    pub(super) fn end(mut self, status: StatusCode) {
        tracing::debug!(method = self.method, route = self.route, status = status.as_u16(), elapsed = ?self.began.elapsed(), "request");
        self.count(status.as_str());
    }

    fn count(&mut self, code: &str) {
        self.counted = true;
        self.metrics.http.requests.with_label_values(&[self.method, self.route, code]).inc();
        self.metrics.http.duration.with_label_values(&[self.method, self.route]).observe(self.began.elapsed().as_secs_f64());
    }
}

impl Drop for RequestCount {
    fn drop(&mut self) {
        if !self.counted {
            self.count(CLIENT_GONE);
        }
    }
}

/// Begins the series of all routes at zero: a series that is there from the start shows its first increase.
pub(super) fn begin_at_zero(metrics: &Metrics, endpoints: &[Endpoint]) {
    for endpoint in endpoints {
        let (method, route) = (label(&endpoint.method), endpoint.template.text);
        drop(metrics.http.duration.with_label_values(&[method, route]));
        ["200", "500"].iter().for_each(|code| drop(metrics.http.requests.with_label_values(&[method, route, code])));
    }
}

fn label(method: &Method) -> &'static str {
    const USUAL: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    USUAL.into_iter().find(|usual| method.as_str() == *usual).unwrap_or("OTHER")
}
