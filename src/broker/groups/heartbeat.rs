//! Heartbeats, and what their absence does.

use super::super::journal::Append;
use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{Around, Group, GroupState, Groups};

impl Groups {
    /// Heartbeat.
    pub fn heartbeat(
        &mut self,
        now: Moment,
        group: &str,
        generation: i32,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), ErrorCode> {
        if group.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let group = self.by_id.get_mut(group).ok_or(ErrorCode::UnknownMemberId)?;
        group.check_member(member_id, instance_id)?;
        if generation != group.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        if let Some(member) = group.members.get_mut(member_id) {
            member.alive(now.monotonic);
        }
        match group.state {
            GroupState::Empty => Err(ErrorCode::UnknownMemberId),
            GroupState::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// Does what has become due: sessions that end, rebalances that have waited long enough.
    pub fn tick(&mut self, journal: &mut impl Append, now: Moment) {
        let Groups { settings, by_id, answers, .. } = self;
        for group in by_id.values_mut() {
            if group.state != GroupState::Empty || !group.promised.is_empty() {
                group.tick(&mut Around { settings, answers, journal, now });
            }
        }
    }

    /// A start gives all members of the journal a session, as if each had just shown a sign of life.
    pub fn started(&mut self, now: Moment) {
        self.count_room(now);
        for group in self.by_id.values_mut() {
            for member in group.members.values_mut() {
                member.alive(now.monotonic);
            }
        }
    }
}

impl Group {
    fn tick<J: Append>(&mut self, around: &mut Around<'_, J>) {
        let now = around.now.monotonic;
        let promises = self.promised.len();
        self.promised.retain(|_, until| *until > now);
        if self.promised.len() < promises {
            self.complete_if_all_joined(around);
        }

        let silent: Vec<String> = self
            .members
            .values()
            .filter(|member| member.deadline.is_some_and(|deadline| deadline <= now))
            .map(|member| member.id.clone())
            .collect();
        for id in silent {
            // Removing one may have begun a generation, which gave the others a new session.
            let Some(member) = self.members.get_mut(&id).filter(|member| member.deadline.is_some_and(|deadline| deadline <= now)) else {
                continue;
            };
            if member.is_excused() {
                member.deadline = None;
            } else {
                tracing::info!(group = self.id, member = id, "a member's session ended; it is removed from the group");
                self.member_gone(&id, around);
                self.go_on_without(around);
            }
        }

        if self.state == GroupState::PreparingRebalance && self.join_deadline.is_some_and(|deadline| deadline.at <= now) {
            self.join_deadline_passed(around);
        }
        if self.sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.sync_deadline_passed(around);
        }
    }
}
