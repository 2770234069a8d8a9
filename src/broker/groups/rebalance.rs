//! From one generation to the next.

use tracing::{debug, info};

use super::super::journal::Append;
use super::super::wire::ErrorCode;
use super::group::JoinDeadline;
use super::{Answer, Around, Group, GroupState, Joined, append, entry};

impl Group {
    pub(super) fn rebalance_or_complete<J: Append>(&mut self, around: &mut Around<'_, J>) {
        if self.state == GroupState::PreparingRebalance {
            self.complete_if_all_joined(around);
        } else {
            self.prepare_rebalance(around);
        }
    }

    /// Calls all members to join.
    pub(super) fn prepare_rebalance<J: Append>(&mut self, around: &mut Around<'_, J>) {
        if self.state == GroupState::CompletingRebalance {
            self.drop_assignment(ErrorCode::RebalanceInProgress, around);
        }
        self.expect_no_syncs();
        let was_empty = self.state == GroupState::Empty;
        self.enter(GroupState::PreparingRebalance, around.now);
        if was_empty {
            let delay = around.settings.initial_rebalance_delay;
            let left = self.rebalance_timeout().saturating_sub(delay);
            self.join_deadline = Some(JoinDeadline { at: around.now.monotonic + delay, initial: Some(left) });
        } else if self.all_joined() {
            self.complete_join(around);
        } else {
            self.join_deadline = Some(JoinDeadline { at: around.now.monotonic + self.rebalance_timeout(), initial: None });
        }
    }

    /// Ends the joining early if nobody is missing; a group that was empty waits for its time, because more are likely to come.
    pub(super) fn complete_if_all_joined<J: Append>(&mut self, around: &mut Around<'_, J>) {
        let initial = self.join_deadline.is_some_and(|deadline| deadline.initial.is_some());
        if self.state == GroupState::PreparingRebalance && !initial && self.all_joined() {
            self.complete_join(around);
        }
    }

    /// The time for joining is over.
    pub(super) fn join_deadline_passed<J: Append>(&mut self, around: &mut Around<'_, J>) {
        match self.join_deadline.and_then(|deadline| deadline.initial) {
            Some(left) if self.newcomer && !left.is_zero() => {
                self.newcomer = false;
                let delay = around.settings.initial_rebalance_delay.min(left);
                self.join_deadline = Some(JoinDeadline { at: around.now.monotonic + delay, initial: Some(left.saturating_sub(delay)) });
            }
            _ => self.complete_join(around),
        }
    }

    /// The next generation begins with those who joined. Static members that did not keep their place until their session ends.
    pub(super) fn complete_join<J: Append>(&mut self, around: &mut Around<'_, J>) {
        self.join_deadline = None;
        self.newcomer = false;
        let missing: Vec<String> = self
            .members
            .values()
            .filter(|member| member.joining.is_none() && member.instance_id.is_none())
            .map(|member| member.id.clone())
            .collect();
        for id in missing {
            info!(group = self.id, member = id, "a member did not join the rebalance in time and is removed from the group");
            self.remove(&id);
        }
        if !self.members.is_empty() && !self.elect_leader() {
            // Only static members, none of which came: they may until their sessions end.
            self.join_deadline = Some(JoinDeadline { at: around.now.monotonic + self.rebalance_timeout(), initial: None });
            return;
        }
        self.generation = self.generation.wrapping_add(1).max(0);
        self.protocol = self.elect_protocol();
        self.read_subscriptions();
        self.expect_no_syncs();
        if self.members.is_empty() {
            self.enter(GroupState::Empty, around.now);
            // Without it, the generation before comes back after a restart, and its members' sessions end then.
            if append(around.journal, &entry::stored(self)).is_err() {
                debug!(group = self.id, "that the group is empty could not be journaled");
            }
            return;
        }
        self.enter(GroupState::CompletingRebalance, around.now);
        info!(group = self.id, generation = self.generation, members = self.members.len(), "a new generation of the group begins");
        self.sync_deadline = Some(around.now.monotonic + self.rebalance_timeout());
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = Joined::into_generation(self, &id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.is_new = false;
            member.owes_sync = true;
            member.alive(around.now.monotonic);
            if let Some(waiter) = member.joining.take() {
                around.answer(waiter, Answer::Joined(joined));
            }
        }
    }

    /// The leader stays if it joined; else any member that did leads. Whether there is one.
    fn elect_leader(&mut self) -> bool {
        let has_joined = |id: &String| self.members.get(id).is_some_and(|member| member.joining.is_some());
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let joined = self.members.values().find(|member| member.joining.is_some()).map(|member| member.id.clone());
        if let Some(joined) = joined {
            self.leader = Some(joined);
            return true;
        }
        false
    }

    /// The member is gone; the others share what it had.
    pub(super) fn member_gone<J: Append>(&mut self, id: &str, around: &mut Around<'_, J>) {
        let Some(member) = self.remove(id) else { return };
        if let Some(waiter) = member.joining {
            around.answer(waiter, Answer::Joined(Joined::failed(ErrorCode::UnknownMemberId, "")));
        }
        if let Some(waiter) = member.syncing {
            around.answer(waiter, Answer::Synced(super::Synced::failed(ErrorCode::UnknownMemberId)));
        }
    }

    /// After members are gone.
    pub(super) fn go_on_without<J: Append>(&mut self, around: &mut Around<'_, J>) {
        match self.state {
            GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(around),
            GroupState::PreparingRebalance => self.complete_if_all_joined(around),
            GroupState::Empty => {}
        }
    }

    pub(super) fn expect_no_syncs(&mut self) {
        self.sync_deadline = None;
        for member in self.members.values_mut() {
            member.owes_sync = false;
        }
    }
}
