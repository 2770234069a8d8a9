//! What runs of the simulation went through.

use crate::metrics::Metrics;

/// Counts of one run, or of many.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub steps: u64,
    pub commits: u64,
    pub aborts: u64,
    pub crashes: u64,
    pub restores: u64,
    pub catch_ups: u64,
    pub pauses: u64,
    pub stops: u64,
    pub exits: u64,
    /// How often a committed offset was moved back.
    pub moved_back: u64,
    /// The longest time from the end of the faults until everything was processed.
    pub longest_ms: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.steps += other.steps;
        self.commits += other.commits;
        self.aborts += other.aborts;
        self.crashes += other.crashes;
        self.restores += other.restores;
        self.catch_ups += other.catch_ups;
        self.pauses += other.pauses;
        self.stops += other.stops;
        self.exits += other.exits;
        self.moved_back += other.moved_back;
        self.longest_ms = self.longest_ms.max(other.longest_ms);
    }

    /// What a process counted.
    pub(super) fn take(&mut self, metrics: &Metrics) {
        let transactions = |result| metrics.processing.transactions.with_label_values(&[result]).get();
        let starts = |decided| metrics.processing.task_starts.with_label_values(&[decided]).get();
        self.commits += transactions("committed");
        self.aborts += ["aborted", "refused", "indefinite"].map(transactions).iter().sum::<u64>();
        self.restores += starts("restore");
        self.catch_ups += starts("catch_up");
    }
}
