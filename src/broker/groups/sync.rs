//! SyncGroup: the leader's assignment reaches the members.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::journal::Append;
use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{Answer, Around, Group, GroupState, Groups, Waiter, append, entry};

/// A SyncGroup request.
#[derive(Debug, Clone)]
pub struct Sync {
    pub group: String,
    pub generation: i32,
    pub member_id: String,
    pub instance_id: Option<String>,
    /// Since version 5, as the member understood them.
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    /// Of the leader alone: what each member gets.
    pub assignments: Vec<(String, Bytes)>,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    pub error: ErrorCode,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub assignment: Bytes,
}

impl Synced {
    /// There is nothing for it.
    pub fn failed(error: ErrorCode) -> Self {
        Synced { error, protocol_type: None, protocol: None, assignment: Bytes::new() }
    }
}

impl Groups {
    /// SyncGroup. The answer comes by [`Groups::take_answers`], at once or later.
    pub fn sync(&mut self, journal: &mut impl Append, now: Moment, sync: Sync, waiter: Waiter) {
        let leads = |group: &Group| group.state == GroupState::CompletingRebalance && group.is_leader(&sync.member_id);
        if self.by_id.get(&sync.group).is_some_and(leads) {
            let bytes: usize = sync.assignments.iter().map(|(member, assignment)| member.len() + assignment.len()).sum();
            let fits = if bytes > self.settings.max_group_bytes { Err(ErrorCode::UnknownServerError) } else { self.take_room(bytes, now) };
            if let Err(error) = fits {
                self.answers.push((waiter, Answer::Synced(Synced::failed(error))));
                return;
            }
        }
        let Groups { settings, by_id, answers, .. } = self;
        let mut around = Around { settings, answers, journal, now };
        let result = match by_id.get_mut(&sync.group) {
            _ if sync.group.is_empty() => Err(ErrorCode::InvalidGroupId),
            None => Err(ErrorCode::UnknownMemberId),
            Some(group) => group.sync(sync, waiter, &mut around),
        };
        if let Err(error) = result {
            around.answer(waiter, Answer::Synced(Synced::failed(error)));
        }
    }
}

impl Group {
    fn sync<J: Append>(&mut self, sync: Sync, waiter: Waiter, around: &mut Around<'_, J>) -> Result<(), ErrorCode> {
        self.check_member(&sync.member_id, sync.instance_id.as_deref())?;
        if sync.generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |said: &Option<String>, is: &Option<String>| said.is_some() && said != is;
        if differs(&sync.protocol_type, &self.protocol_type) || differs(&sync.protocol, &self.protocol) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        match self.state {
            GroupState::Empty => return Err(ErrorCode::UnknownMemberId),
            GroupState::PreparingRebalance => return Err(ErrorCode::RebalanceInProgress),
            GroupState::CompletingRebalance => {
                self.sync_came(&sync.member_id);
                let Some(member) = self.members.get_mut(&sync.member_id) else { return Err(ErrorCode::UnknownMemberId) };
                if let Some(earlier) = member.syncing.replace(waiter) {
                    around.answer(earlier, Answer::Synced(Synced::failed(ErrorCode::RebalanceInProgress)));
                }
                if self.is_leader(&sync.member_id) {
                    self.assign(sync.assignments, around);
                }
            }
            GroupState::Stable => {
                self.sync_came(&sync.member_id);
                around.answer(waiter, Answer::Synced(self.synced(&sync.member_id)));
            }
        }
        Ok(())
    }

    fn assign<J: Append>(&mut self, assignments: Vec<(String, Bytes)>, around: &mut Around<'_, J>) {
        let mut assignments: HashMap<String, Bytes> = assignments.into_iter().collect();
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
        }
        if let Err(error) = append(around.journal, &entry::stored(self)) {
            self.drop_assignment(error, around);
            self.prepare_rebalance(around);
            return;
        }
        self.enter(GroupState::Stable, around.now);
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let synced = self.synced(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(waiter) = member.syncing.take() {
                member.alive(around.now.monotonic);
                around.answer(waiter, Answer::Synced(synced));
            }
        }
    }

    /// There is no assignment: whoever waits for it is told why.
    pub(super) fn drop_assignment<J: Append>(&mut self, error: ErrorCode, around: &mut Around<'_, J>) {
        for member in self.members.values_mut() {
            member.assignment = Bytes::new();
            if let Some(waiter) = member.syncing.take() {
                member.alive(around.now.monotonic);
                around.answer(waiter, Answer::Synced(Synced::failed(error)));
            }
        }
    }

    fn synced(&self, member_id: &str) -> Synced {
        Synced {
            error: ErrorCode::None,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(member_id).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }

    fn sync_came(&mut self, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.owes_sync = false;
        }
        if self.members.values().all(|member| !member.owes_sync) {
            self.sync_deadline = None;
        }
    }

    /// Who has not asked for its assignment by now is out.
    pub(super) fn sync_deadline_passed<J: Append>(&mut self, around: &mut Around<'_, J>) {
        self.sync_deadline = None;
        if !matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable) {
            return;
        }
        let late: Vec<String> = self.members.values().filter(|member| member.owes_sync).map(|member| member.id.clone()).collect();
        for id in &late {
            self.remove(id);
        }
        if !late.is_empty() {
            self.prepare_rebalance(around);
        }
    }
}
