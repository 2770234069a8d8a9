//! What of groups stands in the journal: generations with their assignments, and offsets.

use std::time::Duration;

use bytes::Bytes;

use super::super::journal::fields::{Put, Take, Unreadable};
use super::super::moment::Moment;
use super::{Committed, Group, GroupState, Groups, Member, Protocol};

/// Kinds of records; those of transactions are below 64.
const STORED: u8 = 64;
const REMOVED: u8 = 65;
const OFFSETS_COMMITTED: u8 = 66;
const OFFSETS_PENDING: u8 = 67;
const OFFSETS_DELETED: u8 = 68;

/// So many offsets of a group in one record, but for what clients commit at once: 13 MB with the longest names and metadata.
pub(super) const OFFSETS_PER_RECORD: usize = 1000;

type Offsets = Vec<(String, i32, Committed)>;

/// A record of this coordinator.
#[derive(Debug)]
pub enum GroupEntry {
    /// The group's members and their assignment; its offsets are not in it.
    Stored(Box<Group>),
    /// The group is no more, nor are its offsets.
    Removed(String),
    /// These count now.
    OffsetsCommitted(String, Offsets),
    /// These wait for the end of the producer's transaction.
    OffsetsPending(String, i64, Offsets),
    /// These are no more, pending or not.
    OffsetsDeleted(String, Vec<(String, i32)>),
}

pub(super) fn stored(group: &Group) -> Vec<u8> {
    let mut put = Put::kind(STORED);
    put.text(&group.id).i32(group.generation).i64(group.since_ms);
    put.optional_text(group.protocol_type.as_deref()).optional_text(group.protocol.as_deref()).optional_text(group.leader.as_deref());
    put.count(group.members.len());
    for member in group.members.values() {
        put.text(&member.id).optional_text(member.instance_id.as_deref()).text(&member.client_id).text(&member.client_host);
        put.i64(millis(member.rebalance_timeout)).i64(millis(member.session_timeout)).bytes(&member.assignment);
        put.count(member.protocols.len());
        for protocol in &member.protocols {
            put.text(&protocol.name).bytes(&protocol.metadata);
        }
    }
    put.done()
}

pub(super) fn removed(group: &str) -> Vec<u8> {
    let mut put = Put::kind(REMOVED);
    put.text(group);
    put.done()
}

pub(super) fn offsets_committed(group: &str, offsets: &[(String, i32, Committed)]) -> Vec<u8> {
    let mut put = Put::kind(OFFSETS_COMMITTED);
    put.text(group);
    put_offsets(&mut put, offsets);
    put.done()
}

pub(super) fn offsets_pending(group: &str, producer_id: i64, offsets: &[(String, i32, Committed)]) -> Vec<u8> {
    let mut put = Put::kind(OFFSETS_PENDING);
    put.text(group).i64(producer_id);
    put_offsets(&mut put, offsets);
    put.done()
}

pub(super) fn offsets_deleted(group: &str, partitions: &[(String, i32)]) -> Vec<u8> {
    let mut put = Put::kind(OFFSETS_DELETED);
    put.text(group).count(partitions.len());
    for (topic, partition) in partitions {
        put.text(topic).i32(*partition);
    }
    put.done()
}

impl GroupEntry {
    /// Reads a record; none if it is of another kind.
    pub fn read(record: &[u8]) -> Result<Option<GroupEntry>, Unreadable> {
        let mut take = Take::new(record);
        Ok(Some(match take.u8()? {
            STORED => GroupEntry::Stored(Box::new(take_group(&mut take)?)),
            REMOVED => GroupEntry::Removed(take.text()?),
            OFFSETS_COMMITTED => GroupEntry::OffsetsCommitted(take.text()?, take_offsets(&mut take)?),
            OFFSETS_PENDING => GroupEntry::OffsetsPending(take.text()?, take.i64()?, take_offsets(&mut take)?),
            OFFSETS_DELETED => GroupEntry::OffsetsDeleted(take.text()?, take.list(|take| Ok((take.text()?, take.i32()?)))?),
            _ => return Ok(None),
        }))
    }
}

impl Groups {
    /// Believes a record of an earlier process. Sessions begin with [`Groups::started`].
    pub fn replay(&mut self, entry: GroupEntry) {
        let long_ago = Moment::default();
        match entry {
            GroupEntry::Stored(mut group) => {
                if let Some(before) = self.by_id.get_mut(&group.id) {
                    group.offsets = std::mem::take(&mut before.offsets);
                    group.pending_offsets = std::mem::take(&mut before.pending_offsets);
                }
                self.by_id.insert(group.id.clone(), *group);
            }
            GroupEntry::Removed(id) => {
                self.by_id.remove(&id);
            }
            GroupEntry::OffsetsCommitted(id, offsets) => self.store_committed(&id, offsets, long_ago),
            GroupEntry::OffsetsPending(id, producer_id, offsets) => self.store_pending(&id, producer_id, offsets, long_ago),
            GroupEntry::OffsetsDeleted(id, gone) => {
                if let Some(group) = self.by_id.get_mut(&id) {
                    group.forget_offsets(&gone);
                }
            }
        }
    }

    /// All that outlives the process, as records that lead to it.
    pub fn snapshot(&self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        for group in self.by_id.values() {
            // In a rebalance it is between two generations: neither is worth keeping, but for its number.
            let settled = matches!(group.state, GroupState::Stable | GroupState::Empty);
            if settled && group.protocol_type.is_some() {
                records.push(stored(group));
            } else if !settled {
                records.push(stored(&without_members(group)));
            }
            let offsets: Offsets = group
                .offsets
                .iter()
                .flat_map(|(topic, offsets)| offsets.iter().map(move |(partition, offset)| (topic.clone(), *partition, offset.clone())))
                .collect();
            records.extend(offsets.chunks(OFFSETS_PER_RECORD).map(|some| offsets_committed(&group.id, some)));
            for (producer_id, pending) in &group.pending_offsets {
                let offsets: Offsets =
                    pending.iter().map(|((topic, partition), offset)| (topic.clone(), *partition, offset.clone())).collect();
                records.extend(offsets.chunks(OFFSETS_PER_RECORD).map(|some| offsets_pending(&group.id, *producer_id, some)));
            }
        }
        records
    }
}

fn without_members(group: &Group) -> Group {
    let mut empty = Group::new(&group.id, Moment { wall_ms: group.since_ms, ..Moment::default() });
    empty.generation = group.generation;
    empty.protocol_type.clone_from(&group.protocol_type);
    empty
}

fn put_offsets(put: &mut Put, offsets: &[(String, i32, Committed)]) {
    put.count(offsets.len());
    for (topic, partition, committed) in offsets {
        put.text(topic).i32(*partition).i64(committed.offset).i32(committed.leader_epoch).text(&committed.metadata);
        put.i64(committed.committed_ms).i64(committed.expires_ms.unwrap_or(-1)).i64(committed.order);
    }
}

fn take_offsets(take: &mut Take<'_>) -> Result<Offsets, Unreadable> {
    take.list(|take| {
        let (topic, partition) = (take.text()?, take.i32()?);
        let (offset, leader_epoch, metadata) = (take.i64()?, take.i32()?, take.text()?);
        let (committed_ms, expires_ms, order) = (take.i64()?, take.i64()?, take.i64()?);
        let expires_ms = (expires_ms >= 0).then_some(expires_ms);
        Ok((topic, partition, Committed { offset, leader_epoch, metadata, committed_ms, expires_ms, order }))
    })
}

fn take_group(take: &mut Take<'_>) -> Result<Group, Unreadable> {
    let mut group = Group::new(&take.text()?, Moment::default());
    (group.generation, group.since_ms) = (take.i32()?, take.i64()?);
    (group.protocol_type, group.protocol, group.leader) = (take.optional_text()?, take.optional_text()?, take.optional_text()?);
    for member in take.list(take_member)? {
        if let Some(instance) = &member.instance_id {
            group.static_members.insert(instance.clone(), member.id.clone());
        }
        group.members.insert(member.id.clone(), member);
    }
    if !group.members.is_empty() {
        group.state = GroupState::Stable;
    }
    group.read_subscriptions();
    Ok(group)
}

fn take_member(take: &mut Take<'_>) -> Result<Member, Unreadable> {
    Ok(Member {
        id: take.text()?,
        instance_id: take.optional_text()?,
        client_id: take.text()?,
        client_host: take.text()?,
        rebalance_timeout: Duration::from_millis(take.i64()?.unsigned_abs()),
        session_timeout: Duration::from_millis(take.i64()?.unsigned_abs()),
        assignment: Bytes::copy_from_slice(take.bytes()?),
        protocols: take.list(|take| Ok(Protocol { name: take.text()?, metadata: Bytes::copy_from_slice(take.bytes()?) }))?,
        joining: None,
        syncing: None,
        is_new: false,
        owes_sync: false,
        deadline: None,
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
