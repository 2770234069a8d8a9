//! The time at which something is asked of a coordinator, given by the caller so that tests move it.

use std::time::Duration;

/// A moment, read from both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// For time-outs of this process; never goes back.
    pub monotonic: Duration,
    /// For what outlives the process, in milliseconds since 1970.
    pub wall_ms: i64,
}

impl Moment {
    /// So much later.
    #[cfg(test)]
    pub fn after(self, time: Duration) -> Moment {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Moment { monotonic: self.monotonic + time, wall_ms: self.wall_ms.saturating_add(millis) }
    }
}
