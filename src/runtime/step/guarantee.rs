//! What is promised of each record.

/// What a record is worth when something fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guarantee {
    /// Kafka transactions: state, changelogs, outputs and offsets change together, once.
    #[default]
    ExactlyOnce,
    /// No transactions: after a failure records are processed again, and their outputs are there again.
    AtLeastOnce,
}

impl Guarantee {
    /// The header of markers that were written without a transaction, and its value. Who opens the task next, under whatever
    /// guarantee, then looks for rows that nobody finished.
    pub(super) const HEADER: (&'static str, &'static [u8]) = ("guarantee", b"at_least_once");
}
