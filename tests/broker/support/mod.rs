//! What broker tests stand on: a run with names of its own, instances as processes, and the separately computed answers.

mod expected;
mod http;
mod instance;
mod prometheus;
pub mod run;
mod views;
mod watcher;

pub use expected::{Answered, Expected, Fold, differences, eventually_served};
pub use http::{HttpClient, Response};
pub use instance::{Instance, send_signal};
pub use prometheus::{Prometheus, faults_by_promtool, free_address};
pub use run::{Run, bootstrap};
pub use views::{ExpectedViews, Page};
pub use watcher::Watcher;

use std::time::Duration;

/// How long a test waits for what should take a fraction of it.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at something that another process changes.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(20);
