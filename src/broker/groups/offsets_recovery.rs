//! After a start: committed offsets and the logs are made to fit each other.

use tracing::warn;

use super::super::journal::Append;
use super::{Committed, Groups, entry};

impl Groups {
    /// Forgets offsets of partitions that are not there: their topic was deleted, and one of the same name would not be the same.
    /// With `clamp`, offsets beyond a partition's end go back to it: the records before them are lost, and the next ones get their
    /// numbers and must not be skipped. `end_of` says how far a partition goes. Returns whether the journal took it all; it is so in any case.
    pub fn fit_offsets(&mut self, journal: &mut impl Append, clamp: bool, end_of: impl Fn(&str, i32) -> Option<i64>) -> bool {
        let mut journaled = true;
        for group in self.by_id.values_mut() {
            let committed = group.offsets.iter().flat_map(|(topic, of)| of.keys().map(move |partition| (topic, *partition)));
            let pending = group.pending_offsets.values().flat_map(|of| of.keys().map(|(topic, partition)| (topic, *partition)));
            let missing = |(topic, partition): &(&String, i32)| end_of(topic, *partition).is_none();
            let gone: Vec<(String, i32)> =
                committed.chain(pending).filter(missing).map(|(topic, partition)| (topic.clone(), partition)).collect();
            for some in gone.chunks(entry::OFFSETS_PER_RECORD) {
                warn!(group = group.id, offsets = some.len(), "offsets of partitions that are not there any more are forgotten");
                journaled &= journal.append(&entry::offsets_deleted(&group.id, some)).is_ok();
            }
            group.forget_offsets(&gone);
            if !clamp {
                continue;
            }
            let mut lowered = Vec::new();
            for (topic, of) in &mut group.offsets {
                for (partition, committed) in of {
                    lowered.extend(lower(&group.id, topic, *partition, committed, &end_of));
                }
            }
            for some in lowered.chunks(entry::OFFSETS_PER_RECORD) {
                journaled &= journal.append(&entry::offsets_committed(&group.id, some)).is_ok();
            }
            for (producer_id, of) in &mut group.pending_offsets {
                let lower =
                    |((topic, partition), pending): (&(String, i32), &mut Committed)| lower(&group.id, topic, *partition, pending, &end_of);
                let lowered: Vec<_> = of.iter_mut().filter_map(lower).collect();
                for some in lowered.chunks(entry::OFFSETS_PER_RECORD) {
                    journaled &= journal.append(&entry::offsets_pending(&group.id, *producer_id, some)).is_ok();
                }
            }
        }
        journaled
    }
}

/// If it is beyond the end: as it is journaled now.
fn lower(
    group: &str,
    topic: &str,
    partition: i32,
    committed: &mut Committed,
    end_of: impl Fn(&str, i32) -> Option<i64>,
) -> Option<(String, i32, Committed)> {
    let end = end_of(topic, partition).filter(|end| *end < committed.offset)?;
    warn!(
        group,
        topic,
        partition,
        "the committed offset {} goes back to {end}: the records before it did not reach the disk when the machine stopped",
        committed.offset
    );
    committed.offset = end;
    Some((topic.to_owned(), partition, committed.clone()))
}
