//! How much memory groups take. Clients say how much; none may take all.

use std::time::Duration;

use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{Committed, Group, Groups, Join, Member};

/// What a member, an offset or a group takes besides its texts, roughly.
const EACH: usize = 256;
/// What has gone is found out by counting everything, at most so often.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// What all groups took when they were counted, and what came since.
#[derive(Debug, Default)]
pub(super) struct Room {
    taken: usize,
    counted_at: Option<Duration>,
}

impl Groups {
    /// Makes room for so many bytes more, or refuses them for now.
    pub(super) fn take_room(&mut self, bytes: usize, now: Moment) -> Result<(), ErrorCode> {
        let fits = |room: &Room, most: usize| bytes == 0 || room.taken.saturating_add(bytes) <= most;
        let count_is_due = self.room.counted_at.is_none_or(|at| now.monotonic.saturating_sub(at) >= COUNT_EVERY);
        if !fits(&self.room, self.settings.max_bytes) && count_is_due {
            self.count_room(now);
        }
        if !fits(&self.room, self.settings.max_bytes) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.room.taken += bytes;
        Ok(())
    }

    pub(super) fn count_room(&mut self, now: Moment) {
        self.room = Room { taken: self.by_id.values().map(Group::bytes).sum(), counted_at: Some(now.monotonic) };
    }

    /// Whether what the member brings fits into its group and beside all others.
    pub(super) fn take_room_for_member(&mut self, join: &Join, now: Moment) -> Result<(), ErrorCode> {
        let brings = join.bytes();
        let (others, before) = match self.by_id.get(&join.group) {
            Some(group) => {
                let before = group.members.get(&join.member_id).map_or(0, Member::bytes_brought);
                (group.members.values().map(Member::bytes_brought).sum::<usize>() - before, before)
            }
            None => (0, 0),
        };
        if others + brings > self.settings.max_group_bytes {
            return Err(ErrorCode::GroupMaxSizeReached);
        }
        self.take_room(brings.saturating_sub(before), now)
    }

    /// Whether the offsets fit, as far as they are more than is there already: who commits the same partitions again is never refused.
    pub(super) fn take_room_for_offsets(
        &mut self,
        group: &str,
        offsets: &[(String, i32, Committed)],
        now: Moment,
    ) -> Result<(), ErrorCode> {
        let there = self.by_id.get(group);
        let more = |(topic, partition, offset): &(String, i32, Committed)| match there
            .and_then(|group| group.offsets.get(topic)?.get(partition))
        {
            Some(before) => offset.metadata.len().saturating_sub(before.metadata.len()),
            None => offset.bytes(topic),
        };
        let group_itself = if there.is_some() { 0 } else { EACH + group.len() };
        let more = offsets.iter().map(more).sum::<usize>() + group_itself;
        self.take_room(more, now)
    }
}

impl Group {
    fn bytes(&self) -> usize {
        let members: usize = self.members.values().map(|member| member.bytes_brought() + member.assignment.len()).sum();
        let promised: usize = self.promised.keys().map(|id| EACH + id.len()).sum();
        let offsets: usize = self.offsets.iter().flat_map(|(topic, of)| of.values().map(|offset| offset.bytes(topic))).sum();
        let pending: usize = self.pending_offsets.values().flat_map(|of| of.iter().map(|((topic, _), offset)| offset.bytes(topic))).sum();
        EACH + self.id.len() + members + promised + offsets + pending
    }
}

impl Member {
    /// What came with its JoinGroup.
    fn bytes_brought(&self) -> usize {
        let protocols: usize = self.protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum();
        let instance = self.instance_id.as_ref().map_or(0, String::len);
        EACH + self.id.len() + instance + self.client_id.len() + self.client_host.len() + protocols
    }
}

impl Join {
    fn bytes(&self) -> usize {
        let protocols: usize = self.protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum();
        let instance = self.instance_id.as_ref().map_or(0, String::len);
        let id = if self.member_id.is_empty() { self.client_id.len() + self.unique.len() } else { self.member_id.len() };
        EACH + id + instance + self.client_id.len() + self.client_host.len() + protocols
    }
}

impl Committed {
    fn bytes(&self, topic: &str) -> usize {
        EACH + topic.len() + self.metadata.len()
    }
}
