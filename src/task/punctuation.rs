//! When a task's processors are to be called by time.

use crate::processor::{PunctuationId, PunctuationType};
use crate::record::Timestamp;

/// One punctuation of one processor.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    pub node: usize,
    pub id: PunctuationId,
    pub kind: PunctuationType,
    interval_ms: i64,
    /// `None` until its clock has been read once.
    next: Option<Timestamp>,
}

impl Schedule {
    pub(super) fn new(node: usize, id: PunctuationId, interval: std::time::Duration, kind: PunctuationType) -> Self {
        let interval_ms = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
        Schedule { node, id, kind, interval_ms, next: None }
    }

    /// True when its time has come; missed ones are made up for by one call.
    pub(super) fn take_due(&mut self, now: Timestamp) -> bool {
        let next = *self.next.get_or_insert(Timestamp(now.0.saturating_add(self.interval_ms)));
        if now < next {
            return false;
        }
        let missed = (now.0 - next.0) / self.interval_ms;
        self.next = Some(Timestamp(next.0.saturating_add((missed + 1).saturating_mul(self.interval_ms))));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_punctuation_is_due_once_an_interval_and_missed_ones_are_one_call() {
        let mut schedule = Schedule::new(0, PunctuationId(0), Duration::from_millis(10), PunctuationType::StreamTime);
        assert!(!schedule.take_due(Timestamp(100)), "the first reading only starts the clock");
        assert!(!schedule.take_due(Timestamp(109)));
        assert!(schedule.take_due(Timestamp(110)));
        assert!(!schedule.take_due(Timestamp(119)));
        assert!(schedule.take_due(Timestamp(155)));
        assert!(!schedule.take_due(Timestamp(159)));
        assert!(schedule.take_due(Timestamp(160)));
    }
}
