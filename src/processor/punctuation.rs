//! Calls that a processor asks for by time instead of by record.

/// Which clock a punctuation follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PunctuationType {
    /// The largest record time that the task has seen: moves with records only, the same on a replay.
    StreamTime,
    /// The wall clock.
    WallClockTime,
}

/// Which of its punctuations a processor is called for. Got from `Wiring::every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PunctuationId(pub(crate) usize);
