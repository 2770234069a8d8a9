//! Where a partition's lag is heading: a verdict and a time of arrival from its readings of the last half minute.

use std::collections::VecDeque;
use std::time::Duration;

use crate::metrics::LagRow;

/// How long a reading is remembered.
const WINDOW: Duration = Duration::from_secs(30);

/// Readings that are kept lie at least so far apart.
const SPACING: Duration = Duration::from_secs(1);

/// A lag that has not become less needs to be seen for so long before it is called slow.
const ENOUGH: Duration = Duration::from_secs(3);

/// A partition that lags and has not moved for so long is stalled.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// A lag that is younger than this, or is worked off within it, is no more than the way that records take.
const NO_LAG: Duration = Duration::from_secs(1);

/// What a partition's lag means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LagVerdict {
    /// At the end, or about a second's work before it.
    Ok,
    /// Behind, and the lag becomes less.
    CatchingUp,
    /// Behind, moving, and the lag does not become less.
    Slow,
    /// Behind, and nothing has moved for 10 s.
    Stalled,
    /// The instance processes nothing: it is in ERROR, or ends.
    Stopped,
    /// Records were deleted before they were processed.
    Lost,
}

impl LagVerdict {
    /// A stable word.
    pub fn name(self) -> &'static str {
        match self {
            LagVerdict::Ok => "ok",
            LagVerdict::CatchingUp => "catching_up",
            LagVerdict::Slow => "slow",
            LagVerdict::Stalled => "stalled",
            LagVerdict::Stopped => "stopped",
            LagVerdict::Lost => "lost",
        }
    }
}

/// A partition's lag and what it means; verdict and time are `None` as long as they cannot be known.
#[derive(Clone, Debug, PartialEq)]
pub struct LagReport {
    /// As the thread last saw it.
    pub row: LagRow,
    /// What it means.
    pub verdict: Option<LagVerdict>,
    /// Seconds until it is at the end, if things go on as in the last half minute.
    pub eta_seconds: Option<f64>,
}

#[derive(Clone, Copy)]
struct Reading {
    at: Duration,
    position: i64,
    lag: i64,
}

/// The readings of one partition.
#[derive(Default)]
pub(super) struct LagHistory {
    /// Spaced ones of the window, oldest first.
    readings: VecDeque<Reading>,
    last: Option<Reading>,
    /// Since when it lags without a break.
    lags_since: Option<Duration>,
    /// It was at the end before that.
    was_at_end: bool,
    moved_at: Option<Duration>,
}

impl LagHistory {
    /// Takes a thread's reading.
    pub(super) fn observe(&mut self, row: &LagRow, now: Duration) {
        let Some(lag) = row.lag_records() else { return };
        let reading = Reading { at: now, position: row.position.0, lag };
        if self.last.is_none_or(|last| reading.position > last.position) {
            self.moved_at = Some(now);
        }
        self.lags_since = if lag > 0 { self.lags_since.or(Some(now)) } else { None };
        self.was_at_end |= lag == 0;
        self.last = Some(reading);
        while self.readings.front().is_some_and(|oldest| oldest.at + WINDOW < now) {
            self.readings.pop_front();
        }
        if self.readings.back().is_none_or(|newest| newest.at + SPACING <= now) {
            self.readings.push_back(reading);
        }
    }

    /// True when its readings tell nothing any more.
    pub(super) fn is_old(&self, now: Duration) -> bool {
        self.last.is_none_or(|last| last.at + WINDOW < now)
    }

    /// Verdict and seconds to the end, of an instance that runs.
    pub(super) fn judge(&self, now: Duration) -> (Option<LagVerdict>, Option<f64>) {
        let Some(last) = self.last else { return (None, None) };
        let (Some(lags_since), Some(moved_at)) = (self.lags_since, self.moved_at) else { return (Some(LagVerdict::Ok), Some(0.0)) };
        if now >= lags_since.max(moved_at) + STALLED_AFTER {
            return (Some(LagVerdict::Stalled), None);
        }
        let work_left = self.work_left(last);
        if self.was_at_end && now < lags_since + NO_LAG || work_left.is_some_and(|seconds| seconds <= NO_LAG.as_secs_f64()) {
            return (Some(LagVerdict::Ok), work_left);
        }
        // From the latest peak on: a backlog that came at once is caught up with from the moment in which it stopped to grow.
        let Some(peak) = self.readings.iter().copied().max_by_key(|reading| reading.lag) else { return (None, None) };
        if last.lag < peak.lag {
            let less_a_second = (peak.lag - last.lag) as f64 / (last.at - peak.at).as_secs_f64();
            return (Some(LagVerdict::CatchingUp), Some(last.lag as f64 / less_a_second));
        }
        let seen = self.readings.front().map_or(Duration::ZERO, |oldest| last.at - oldest.at);
        (Some(if seen < ENOUGH { LagVerdict::CatchingUp } else { LagVerdict::Slow }), None)
    }

    /// Seconds that the lag would take at the pace of the window, if nothing came meanwhile.
    fn work_left(&self, last: Reading) -> Option<f64> {
        let oldest = self.readings.front().filter(|oldest| oldest.at < last.at && oldest.position < last.position)?;
        let pace = (last.position - oldest.position) as f64 / (last.at - oldest.at).as_secs_f64();
        Some(last.lag as f64 / pace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, ManualClock};
    use crate::record::Offset;

    struct Partition {
        history: LagHistory,
        clock: ManualClock,
    }

    impl Partition {
        fn new() -> Self {
            Partition { history: LagHistory::default(), clock: ManualClock::default() }
        }

        /// A reading, so long after the one before.
        fn reads(&mut self, after_ms: u64, position: i64, end: i64) -> (Option<LagVerdict>, Option<f64>) {
            self.clock.advance(Duration::from_millis(after_ms));
            let row = LagRow {
                topic: "t".into(),
                partition: 0,
                task: "t_0".into(),
                position: Offset(position),
                committed: Offset(position),
                end: Some(Offset(end)),
                next_record_time: None,
                log_start: None,
                reached: None,
                waiting_since: None,
                silent_since: None,
                views: std::sync::Arc::new([]),
            };
            self.history.observe(&row, self.clock.monotonic());
            self.history.judge(self.clock.monotonic())
        }
    }

    #[test]
    fn at_the_end_or_a_moments_work_before_it_all_is_well() {
        let mut partition = Partition::new();
        assert_eq!(partition.history.judge(Duration::ZERO), (None, None), "nothing is known yet");
        assert_eq!(partition.reads(0, 10, 10), (Some(LagVerdict::Ok), Some(0.0)));
        assert_eq!(partition.reads(60_000, 10, 11), (Some(LagVerdict::Ok), None), "it has just come");
        assert_eq!(partition.reads(500, 11, 11), (Some(LagVerdict::Ok), Some(0.0)));
        // A thousand a second, always a few behind.
        let verdicts: Vec<_> = (1..200).map(|n| partition.reads(100, 11 + n * 100, 61 + n * 100).0).collect();
        assert!(verdicts.iter().all(|verdict| *verdict == Some(LagVerdict::Ok)), "{verdicts:?}");
    }

    #[test]
    fn a_backlog_is_caught_up_with_from_when_it_stopped_to_grow() {
        let mut partition = Partition::new();
        (0..30).for_each(|_| _ = partition.reads(1_000, 0, 0));
        partition.reads(1_000, 0, 5_000);
        partition.reads(1_000, 100, 10_100);
        assert_eq!(partition.reads(1_000, 1_100, 10_100), (Some(LagVerdict::CatchingUp), Some(9.0)));
        (2..4).for_each(|n| _ = partition.reads(1_000, 100 + n * 1_000, 10_100));
        assert_eq!(partition.reads(1_000, 4_100, 10_100), (Some(LagVerdict::CatchingUp), Some(6.0)));
    }

    #[test]
    fn a_lag_that_does_not_become_less_is_slow() {
        let mut partition = Partition::new();
        assert_eq!(partition.reads(0, 0, 100_000), (Some(LagVerdict::CatchingUp), None), "it was there before us");
        assert_eq!(partition.reads(1_500, 1_500, 103_000), (Some(LagVerdict::CatchingUp), None), "too early to tell");
        assert_eq!(partition.reads(1_500, 3_000, 106_000), (Some(LagVerdict::Slow), None));
        assert_eq!(partition.reads(1_500, 9_000, 107_500).0, Some(LagVerdict::CatchingUp));
    }

    #[test]
    fn a_lag_behind_which_nothing_moves_is_stalled_also_when_the_thread_says_nothing_more() {
        let mut partition = Partition::new();
        partition.reads(0, 5, 5);
        partition.reads(60_000, 5, 9);
        assert_eq!(partition.reads(9_999, 5, 9).0, Some(LagVerdict::Slow), "it lags for less than 10 s");
        assert_eq!(partition.reads(1, 5, 9), (Some(LagVerdict::Stalled), None));
        assert_eq!(partition.reads(1_000, 6, 9).0, Some(LagVerdict::CatchingUp));
        partition.clock.advance(Duration::from_secs(10));
        assert_eq!(partition.history.judge(partition.clock.monotonic()), (Some(LagVerdict::Stalled), None));
        assert!(!partition.history.is_old(partition.clock.monotonic()));
        partition.clock.advance(Duration::from_secs(21));
        assert!(partition.history.is_old(partition.clock.monotonic()));
    }
}
