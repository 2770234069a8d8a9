//! How much of its thread's time a restore may take while other tasks of the instance are at work.

use std::time::Duration;

use crate::clock::Clock;
use crate::runtime::InstanceStatus;

/// A task that has processed records so long ago is at work.
const AT_WORK: Duration = Duration::from_secs(1);

/// For each unit of time at work so many of rest: a quarter of one core is left to restores.
const REST: u32 = 3;

/// The longest rest after one piece of work.
const MAX_REST: Duration = Duration::from_millis(500);

/// Whether heavy work may be done now.
#[derive(Default)]
pub(super) struct Pace {
    /// Who knows of tasks at work; nobody: full speed.
    status: Option<InstanceStatus>,
    resting_until: Duration,
}

impl Pace {
    pub(super) fn by(status: InstanceStatus) -> Self {
        Pace { status: Some(status), ..Pace::default() }
    }

    /// How long heavy work must rest still.
    pub(super) fn rest(&self, now: Duration) -> Duration {
        self.resting_until.saturating_sub(now)
    }

    /// Heavy work was done since `began`.
    pub(super) fn worked(&mut self, began: Duration, clock: &dyn Clock) {
        let now = clock.monotonic();
        if self.status.as_ref().is_some_and(|status| status.is_at_work(now, AT_WORK)) {
            self.resting_until = now + (now.saturating_sub(began) * REST).min(MAX_REST);
        }
    }
}
