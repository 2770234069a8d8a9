//! Faults on purpose: each breaks one rule of delivery, and the simulation must find it. Compiled for tests only.

/// A rule that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// Rows reach the database before Kafka has committed.
    ApplyBeforeCommit,
    /// After an abort the working sets stay.
    KeepRowsOnAbort,
    /// Tasks stay open though a generation was missed.
    KeepTasksOverMissedGeneration,
    /// After a commit whose fate is unknown the tasks go on as if it had been aborted.
    TakeIndefiniteForAborted,
}
