//! How long the calls that end a transaction are waited for, all together.
//!
//! While a transaction is open the group is not polled, and a thread that does not poll for `max.poll.interval.ms` (30 s) holds up every
//! take-over. So commit and abort have a time for all their calls, and both together less than that.

use std::time::Duration;

use crate::clock::Clock;
use crate::ports::{PortError, PortErrorClass};

/// No single call blocks longer than this.
pub(super) const SLICE: Duration = Duration::from_secs(5);

/// What is left of the time for a commit or an abort.
pub(super) struct Patience<'a> {
    clock: &'a dyn Clock,
    until: Duration,
    /// Calls whose time may be too short: they end even where a clock does not move.
    slices: u32,
}

/// What a call answered, and whether it did so the first time.
pub(super) struct Answered<T> {
    pub(super) answer: T,
    pub(super) at_once: bool,
}

impl<'a> Patience<'a> {
    /// From the first flush to the answer to the commit.
    pub(super) fn for_commit(clock: &'a dyn Clock) -> Self {
        Self::of_slices(clock, 3)
    }

    /// For an abort, which comes after a commit that failed.
    pub(super) fn for_abort(clock: &'a dyn Clock) -> Self {
        Self::of_slices(clock, 2)
    }

    /// For a thread that is to hang in its commit; see [`crate::faults::Sabotage::CommitWithoutDeadline`].
    pub(super) fn without_end(clock: &'a dyn Clock) -> Self {
        Self::of_slices(clock, u32::MAX)
    }

    fn of_slices(clock: &'a dyn Clock, slices: u32) -> Self {
        Patience { clock, until: clock.monotonic() + SLICE * slices, slices }
    }

    /// Repeats a call while its time was too short. When all time is over the error has the class `at_end`; when it was over before the
    /// first call, nothing was asked and the transaction can still be aborted.
    pub(super) fn call<T>(
        &mut self,
        mut call: impl FnMut(Duration) -> Result<T, PortError>,
        at_end: PortErrorClass,
    ) -> Result<Answered<T>, PortError> {
        let mut at_once = true;
        let mut last = PortError::new(PortErrorClass::RequiresAbort, "end the transaction", "the time for it was over before this call");
        loop {
            let left = self.until.saturating_sub(self.clock.monotonic()).min(SLICE);
            if self.slices == 0 || left.is_zero() {
                return Err(last);
            }
            match call(left) {
                Err(error) if error.is_retriable() => {
                    self.slices -= 1;
                    at_once = false;
                    last = PortError { class: at_end, ..error };
                }
                result => return result.map(|answer| Answered { answer, at_once }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::record::Timestamp;

    fn too_short() -> Result<(), PortError> {
        Err(PortError::new(PortErrorClass::Retriable, "commit", "no answer"))
    }

    #[test]
    fn all_calls_together_have_one_time_and_an_end_without_a_call_is_a_no() {
        let clock = ManualClock::at(Timestamp(0));
        let mut patience = Patience::for_commit(&clock);
        let mut slow = |given: Duration| {
            clock.advance(given);
            Ok(given)
        };
        assert_eq!(patience.call(&mut slow, PortErrorClass::RequiresAbort).map(|a| a.answer).ok(), Some(SLICE));
        clock.advance(Duration::from_secs(7));
        let last = patience.call(&mut slow, PortErrorClass::RequiresAbort).map(|a| (a.answer, a.at_once)).ok();
        assert_eq!(last, Some((Duration::from_secs(3), true)), "a call gets what is left");
        let mut asked = false;
        let end = patience.call(
            |_| {
                asked = true;
                too_short()
            },
            PortErrorClass::Indefinite,
        );
        assert_eq!((end.err().map(|e| e.class), asked), (Some(PortErrorClass::RequiresAbort), false));
    }

    #[test]
    fn a_call_that_was_made_and_never_answered_ends_as_the_caller_says() {
        let clock = ManualClock::at(Timestamp(0));
        let mut calls = 0;
        let end = Patience::for_commit(&clock).call(
            |_| {
                calls += 1;
                too_short()
            },
            PortErrorClass::Indefinite,
        );
        assert_eq!((end.err().map(|e| e.class), calls), (Some(PortErrorClass::Indefinite), 3));
        let answered = Patience::for_abort(&clock).call(
            |_| {
                calls += 1;
                if calls < 5 { too_short() } else { Ok(()) }
            },
            PortErrorClass::Indefinite,
        );
        assert_eq!(answered.map(|a| a.at_once).ok(), Some(false));
    }
}
