//! The committed offsets of a group, and those that wait for the end of a transaction.

use std::collections::BTreeMap;

use super::log::Outcome;
use super::refusal::Refusal;
use crate::record::{Offset, TopicPartition};

/// Offsets by partition.
#[derive(Default)]
pub(super) struct GroupOffsets {
    committed: BTreeMap<TopicPartition, Offset>,
    /// By producer id; the last request for a partition counts, also a late copy of an older one.
    pending: BTreeMap<i64, BTreeMap<TopicPartition, Offset>>,
}

impl GroupOffsets {
    /// Puts offsets into a producer's open transaction.
    pub(super) fn stage(&mut self, producer_id: i64, offsets: &[(TopicPartition, Offset)]) {
        self.pending.entry(producer_id).or_default().extend(offsets.iter().cloned());
    }

    /// Ends a producer's transaction for this group.
    pub(super) fn end_transaction(&mut self, producer_id: i64, outcome: Outcome) {
        let staged = self.pending.remove(&producer_id).unwrap_or_default();
        if outcome == Outcome::Commit {
            self.committed.extend(staged);
        }
    }

    /// The committed offset; refused while a transaction may still change it.
    pub(super) fn stable(&self, partition: &TopicPartition) -> Result<Option<Offset>, Refusal> {
        if self.pending.values().any(|staged| staged.contains_key(partition)) {
            return Err(Refusal::UnstableOffset);
        }
        Ok(self.committed(partition))
    }

    /// The committed offset, whatever is pending.
    pub(super) fn committed(&self, partition: &TopicPartition) -> Option<Offset> {
        self.committed.get(partition).copied()
    }

    /// Sets or forgets a committed offset.
    pub(super) fn set(&mut self, partition: TopicPartition, offset: Option<Offset>) {
        match offset {
            Some(offset) => _ = self.committed.insert(partition, offset),
            None => _ = self.committed.remove(&partition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> TopicPartition {
        TopicPartition::new("tasks", 0)
    }

    #[test]
    fn offsets_commit_with_the_transaction_or_not_at_all() {
        let mut offsets = GroupOffsets::default();
        offsets.stage(1, &[(token(), Offset(5))]);
        offsets.end_transaction(1, Outcome::Abort);
        assert_eq!(offsets.stable(&token()), Ok(None));
        offsets.stage(1, &[(token(), Offset(6))]);
        offsets.end_transaction(1, Outcome::Commit);
        assert_eq!(offsets.stable(&token()), Ok(Some(Offset(6))));
    }

    #[test]
    fn an_offset_is_unstable_while_any_transaction_holds_one_for_it() {
        let mut offsets = GroupOffsets::default();
        offsets.set(token(), Some(Offset(3)));
        offsets.stage(1, &[(token(), Offset(5))]);
        assert_eq!(offsets.stable(&token()), Err(Refusal::UnstableOffset));
        assert_eq!(offsets.stable(&TopicPartition::new("tasks", 1)), Ok(None), "others are not held");
        offsets.end_transaction(1, Outcome::Abort);
        assert_eq!(offsets.stable(&token()), Ok(Some(Offset(3))));
    }
}
