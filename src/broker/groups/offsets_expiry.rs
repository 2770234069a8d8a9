//! Offsets that nobody needs any more are forgotten, and groups with them.

use super::super::journal::Append;
use super::super::moment::Moment;
use super::group::CONSUMER;
use super::{Committed, Group, GroupState, Groups, entry};

impl Groups {
    /// Forgets offsets older than the retention: of an empty group since it became empty, of one that only commits and of topics that
    /// nobody in the group consumes since the commit. A group without offsets and members is forgotten too.
    pub fn expire_offsets(&mut self, journal: &mut impl Append, now: Moment) {
        let retention = i64::try_from(self.settings.offsets_retention.as_millis()).unwrap_or(i64::MAX);
        for group in self.by_id.values_mut() {
            let gone = group.expired(now.wall_ms, retention);
            if !gone.is_empty() {
                tracing::info!(group = group.id, offsets = gone.len(), "offsets of the group are expired");
            }
            // What cannot be journaled is expired by the next call.
            let _ = group.delete_offsets(journal, gone);
        }
        self.by_id.retain(|id, group| {
            let used = group.state != GroupState::Empty
                || !group.promised.is_empty()
                || !group.offsets.is_empty()
                || !group.pending_offsets.is_empty();
            used || journal.append(&entry::removed(id)).is_err()
        });
    }
}

impl Group {
    fn expired(&self, now_ms: i64, retention_ms: i64) -> Vec<(String, i32)> {
        // From when on the retention counts; none: it does not.
        let counts_from = |offset: &Committed| match (self.protocol_type.as_deref(), self.state) {
            (Some(_), GroupState::Empty) => Some(self.since_ms),
            (Some(CONSUMER), GroupState::Stable) if self.subscribed.is_some() => Some(offset.committed_ms),
            (None, _) => Some(offset.committed_ms),
            _ => None,
        };
        let is_over = |offset: &Committed| {
            counts_from(offset).is_some_and(|from| match offset.expires_ms {
                Some(expires) => now_ms >= expires,
                None => now_ms.saturating_sub(from) >= retention_ms,
            })
        };
        let mut gone = Vec::new();
        for (topic, offsets) in &self.offsets {
            if self.state != GroupState::Empty && self.consumes(topic) {
                continue;
            }
            let over = offsets.iter().filter(|(partition, offset)| is_over(offset) && !self.is_pending(topic, **partition));
            gone.extend(over.map(|(partition, _)| (topic.clone(), *partition)));
        }
        gone
    }
}
