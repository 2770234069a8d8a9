//! Which transactions a compaction run is in the midst of: what was aborted goes, and a marker goes when nothing of its transaction is left.

use std::collections::{BTreeSet, HashMap};

use crate::broker::log::batch::{BatchHeader, ControlRecord};
use crate::broker::log::segment::AbortedTransaction;

/// Told of each batch in the order of the log.
pub struct CleanedTransactions {
    /// To come, the one that begins first at the end.
    aborted: Vec<AbortedTransaction>,
    /// Aborted ones whose marker has not come yet, and whether a batch of theirs was there.
    ongoing_aborted: HashMap<i64, (AbortedTransaction, bool)>,
    /// Producers of which a batch was there since their last marker.
    ongoing_committed: BTreeSet<i64>,
    /// Those whose marker stays; they belong into the index of the segment in which it stands.
    retained: Vec<AbortedTransaction>,
}

impl CleanedTransactions {
    /// With all aborted transactions of the log.
    pub fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_unstable_by_key(|aborted| std::cmp::Reverse(aborted.first_offset));
        CleanedTransactions { aborted, ongoing_aborted: HashMap::new(), ongoing_committed: BTreeSet::new(), retained: Vec::new() }
    }

    /// A batch of records; true when they are aborted.
    pub fn on_batch(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        match self.ongoing_aborted.get_mut(&header.producer_id) {
            Some((_, seen)) => {
                *seen = true;
                true
            }
            None => {
                self.ongoing_committed.insert(header.producer_id);
                false
            }
        }
    }

    /// A marker (`None`: emptied before); true when nothing of its transaction is left.
    pub fn on_marker(&mut self, header: &BatchHeader, control: Option<ControlRecord>) -> bool {
        self.begin_up_to(header.last_offset());
        match control {
            None => true,
            Some(ControlRecord::Abort { .. }) => match self.ongoing_aborted.remove(&header.producer_id) {
                Some((aborted, true)) => {
                    self.retained.push(aborted);
                    false
                }
                _ => true,
            },
            Some(ControlRecord::Commit { .. }) => !self.ongoing_committed.remove(&header.producer_id),
            Some(ControlRecord::Other) => false,
        }
    }

    /// Since the last call.
    pub fn take_retained(&mut self) -> Vec<AbortedTransaction> {
        std::mem::take(&mut self.retained)
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(aborted) = self.aborted.pop_if(|aborted| aborted.first_offset <= offset) {
            self.ongoing_aborted.entry(aborted.producer_id).or_insert((aborted, false));
        }
    }
}
