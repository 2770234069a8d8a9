//! How often something has happened lately.

use std::collections::VecDeque;
use std::time::Duration;

/// What lies further back does not count any more.
const WINDOW: Duration = Duration::from_secs(300);

/// When something happened, in the last five minutes.
#[derive(Default)]
pub(super) struct Recent(VecDeque<Duration>);

impl Recent {
    /// It happens now; answers how often it has, with this time.
    pub(super) fn add(&mut self, now: Duration) -> usize {
        self.0.push_back(now);
        self.0.retain(|at| now.saturating_sub(*at) <= WINDOW);
        self.0.len()
    }
}
