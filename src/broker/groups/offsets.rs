//! Committed offsets: at once, or with the end of a transaction.

use std::collections::BTreeMap;

use super::super::journal::Append;
use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::group::CONSUMER;
use super::{Group, GroupState, Groups, append, entry};

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    /// Of the record before it; -1: not known.
    pub leader_epoch: i32,
    /// The consumer's own words.
    pub metadata: String,
    /// When, in milliseconds since 1970.
    pub committed_ms: i64,
    /// Of an old client that said how long to keep it; in milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// Which of two commits came later.
    pub(super) order: i64,
}

/// An offset to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetToCommit {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Option<String>,
}

/// Who commits, as it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committer {
    /// Negative: not as a member.
    pub generation: i32,
    /// Empty: not as a member.
    pub member_id: String,
    pub instance_id: Option<String>,
}

/// A commit of offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub group: String,
    pub by: Committer,
    pub offsets: Vec<OffsetToCommit>,
    /// For how long; none: as long as the settings say.
    pub retention_ms: Option<i64>,
    /// Says that a group is missing, rather than its generation (since version 9).
    pub knows_missing_group: bool,
}

/// An offset as OffsetFetch gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedOffset {
    pub topic: String,
    pub partition: i32,
    /// None: nothing is committed.
    pub offset: Option<Committed>,
    /// An open transaction may change it, and the consumer asked not to be told before.
    pub unstable: bool,
}

impl Groups {
    /// OffsetCommit: an error for each offset, or one for all.
    pub fn commit(&mut self, journal: &mut impl Append, now: Moment, commit: &Commit) -> Result<Vec<ErrorCode>, ErrorCode> {
        let missing = if commit.knows_missing_group { ErrorCode::GroupIdNotFound } else { ErrorCode::IllegalGeneration };
        match self.by_id.get_mut(&commit.group) {
            None if commit.by.generation >= 0 => return Err(missing),
            None => {}
            Some(group) => {
                group.check_commit(&commit.by)?;
                let keeps_session = matches!(group.state, GroupState::Stable | GroupState::PreparingRebalance);
                if let Some(member) = group.members.get_mut(&commit.by.member_id).filter(|_| keeps_session) {
                    member.alive(now.monotonic);
                }
            }
        }
        let (fitting, errors) = self.sort_out(now, commit);
        if !fitting.is_empty() {
            self.take_room_for_offsets(&commit.group, &fitting, now)?;
            self.get_or_make(&commit.group, now)?;
            append(journal, &entry::offsets_committed(&commit.group, &fitting))?;
            self.store_committed(&commit.group, fitting, now);
        }
        Ok(errors)
    }

    /// TxnOffsetCommit: the offsets wait for the transaction's end. That the producer may is checked by the caller.
    pub fn commit_in_transaction(
        &mut self,
        journal: &mut impl Append,
        now: Moment,
        producer_id: i64,
        commit: &Commit,
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        match self.by_id.get(&commit.group) {
            None if commit.by.generation >= 0 => return Err(ErrorCode::IllegalGeneration),
            None => {}
            Some(group) => group.check_commit_in_transaction(&commit.by)?,
        }
        let (fitting, errors) = self.sort_out(now, commit);
        if !fitting.is_empty() {
            self.take_room_for_offsets(&commit.group, &fitting, now)?;
            self.get_or_make(&commit.group, now)?;
            append(journal, &entry::offsets_pending(&commit.group, producer_id, &fitting))?;
            self.store_pending(&commit.group, producer_id, fitting, now);
        }
        Ok(errors)
    }

    /// The producer's transaction ended: its offsets count from now on, or never did. Not journaled, because the end is.
    pub fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        for group in self.by_id.values_mut() {
            let Some(pending) = group.pending_offsets.remove(&producer_id) else { continue };
            if !committed {
                continue;
            }
            for ((topic, partition), offset) in pending {
                let partitions = group.offsets.entry(topic).or_default();
                // One that was committed at once meanwhile is the later.
                if partitions.get(&partition).is_none_or(|there| there.order < offset.order) {
                    partitions.insert(partition, offset);
                }
            }
        }
    }

    /// OffsetFetch of these partitions, or of all with offsets.
    pub fn fetch(&self, group: &str, partitions: Option<&[(String, i32)]>, require_stable: bool) -> Vec<FetchedOffset> {
        let Some(group) = self.by_id.get(group) else {
            let nothing = |(topic, partition): &(String, i32)| FetchedOffset {
                topic: topic.clone(),
                partition: *partition,
                offset: None,
                unstable: false,
            };
            return partitions.unwrap_or_default().iter().map(nothing).collect();
        };
        let fetched = |topic: &String, partition: i32| {
            let unstable = require_stable && group.is_pending(topic, partition);
            let offset = group.offsets.get(topic).and_then(|offsets| offsets.get(&partition)).filter(|_| !unstable).cloned();
            FetchedOffset { topic: topic.clone(), partition, offset, unstable }
        };
        match partitions {
            Some(asked) => asked.iter().map(|(topic, partition)| fetched(topic, *partition)).collect(),
            None => {
                group.offsets.iter().flat_map(|(topic, offsets)| offsets.keys().map(move |partition| fetched(topic, *partition))).collect()
            }
        }
    }

    /// OffsetDelete: an error for each partition, or one for all.
    pub fn delete_offsets(
        &mut self,
        journal: &mut impl Append,
        group: &str,
        partitions: &[(String, i32)],
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        let group = self.by_id.get_mut(group).ok_or(ErrorCode::GroupIdNotFound)?;
        if group.state != GroupState::Empty && group.protocol_type.as_deref() != Some(CONSUMER) {
            return Err(ErrorCode::NonEmptyGroup);
        }
        let consumed = |topic: &str| group.state != GroupState::Empty && group.consumes(topic);
        let errors =
            partitions.iter().map(|(topic, _)| if consumed(topic) { ErrorCode::GroupSubscribedToTopic } else { ErrorCode::None }).collect();
        let gone: Vec<(String, i32)> =
            partitions.iter().filter(|(topic, partition)| !consumed(topic) && group.has_offset(topic, *partition)).cloned().collect();
        group.delete_offsets(journal, gone)?;
        Ok(errors)
    }

    /// A topic is deleted: no group has offsets of it any more.
    pub fn topic_deleted(&mut self, journal: &mut impl Append, topic: &str) -> Result<(), ErrorCode> {
        for group in self.by_id.values_mut() {
            let committed = group.offsets.get(topic).into_iter().flatten().map(|(partition, _)| *partition);
            let pending =
                group.pending_offsets.values().flat_map(BTreeMap::keys).filter(|(of, _)| of == topic).map(|(_, partition)| *partition);
            let gone: Vec<(String, i32)> = committed.chain(pending).map(|partition| (topic.to_owned(), partition)).collect();
            group.delete_offsets(journal, gone)?;
        }
        Ok(())
    }

    /// The offsets that can be stored, and an error for each that came.
    fn sort_out(&mut self, now: Moment, commit: &Commit) -> (Vec<(String, i32, Committed)>, Vec<ErrorCode>) {
        let mut fitting = Vec::new();
        let mut errors = Vec::new();
        for to_commit in &commit.offsets {
            let metadata = to_commit.metadata.as_deref().unwrap_or_default();
            // Kafka counts a Java string's length.
            if metadata.encode_utf16().count() > self.settings.max_offset_metadata {
                errors.push(ErrorCode::OffsetMetadataTooLarge);
                continue;
            }
            errors.push(ErrorCode::None);
            self.commits += 1;
            let committed = Committed {
                offset: to_commit.offset,
                leader_epoch: to_commit.leader_epoch,
                metadata: metadata.to_owned(),
                committed_ms: now.wall_ms,
                expires_ms: commit.retention_ms.map(|retention| now.wall_ms.saturating_add(retention)),
                order: self.commits,
            };
            fitting.push((to_commit.topic.clone(), to_commit.partition, committed));
        }
        (fitting, errors)
    }

    pub(super) fn store_committed(&mut self, group: &str, offsets: Vec<(String, i32, Committed)>, now: Moment) {
        let group = self.by_id.entry(group.to_owned()).or_insert_with(|| Group::new(group, now));
        for (topic, partition, offset) in offsets {
            self.commits = self.commits.max(offset.order);
            group.offsets.entry(topic).or_default().insert(partition, offset);
        }
    }

    pub(super) fn store_pending(&mut self, group: &str, producer_id: i64, offsets: Vec<(String, i32, Committed)>, now: Moment) {
        let group = self.by_id.entry(group.to_owned()).or_insert_with(|| Group::new(group, now));
        let pending = group.pending_offsets.entry(producer_id).or_default();
        for (topic, partition, offset) in offsets {
            self.commits = self.commits.max(offset.order);
            pending.insert((topic, partition), offset);
        }
    }
}

impl Group {
    fn check_commit(&self, by: &Committer) -> Result<(), ErrorCode> {
        // Not a member, and none disturbed: an admin client, or a consumer that assigns to itself.
        if by.generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        if by.generation < 0 && by.member_id.is_empty() && by.instance_id.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.check_generation(by)?;
        if self.state == GroupState::CompletingRebalance { Err(ErrorCode::RebalanceInProgress) } else { Ok(()) }
    }

    fn check_commit_in_transaction(&self, by: &Committer) -> Result<(), ErrorCode> {
        let of_empty = by.generation < 0 && self.state == GroupState::Empty;
        // Old producers do not say for which member they commit.
        let says_nothing = by.generation < 0 && by.member_id.is_empty() && by.instance_id.is_none();
        if of_empty || says_nothing { Ok(()) } else { self.check_generation(by) }
    }

    fn check_generation(&self, by: &Committer) -> Result<(), ErrorCode> {
        self.check_member(&by.member_id, by.instance_id.as_deref())?;
        if by.generation == self.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    pub(super) fn is_pending(&self, topic: &str, partition: i32) -> bool {
        !self.pending_offsets.is_empty() && {
            let key = (topic.to_owned(), partition);
            self.pending_offsets.values().any(|offsets| offsets.contains_key(&key))
        }
    }

    fn has_offset(&self, topic: &str, partition: i32) -> bool {
        self.offsets.get(topic).is_some_and(|offsets| offsets.contains_key(&partition)) || self.is_pending(topic, partition)
    }

    pub(super) fn delete_offsets(&mut self, journal: &mut impl Append, gone: Vec<(String, i32)>) -> Result<(), ErrorCode> {
        if gone.is_empty() {
            return Ok(());
        }
        append(journal, &entry::offsets_deleted(&self.id, &gone))?;
        self.forget_offsets(&gone);
        Ok(())
    }

    pub(super) fn forget_offsets(&mut self, gone: &[(String, i32)]) {
        for (topic, partition) in gone {
            if let Some(offsets) = self.offsets.get_mut(topic) {
                offsets.remove(partition);
            }
            for pending in self.pending_offsets.values_mut() {
                pending.remove(&(topic.clone(), *partition));
            }
        }
        self.offsets.retain(|_, offsets| !offsets.is_empty());
        self.pending_offsets.retain(|_, offsets| !offsets.is_empty());
    }
}
