//! A static member that comes again takes its former place: without a rebalance, if nothing changes for the others.

use super::super::journal::Append;
use super::super::wire::ErrorCode;
use super::{Answer, Around, Group, GroupState, Join, Joined, Synced, Waiter, append, entry};

impl Group {
    pub(super) fn replace_static<J: Append>(
        &mut self,
        join: &Join,
        old_id: &str,
        new_id: &str,
        waiter: Waiter,
        around: &mut Around<'_, J>,
    ) {
        let old_leader = self.leader.clone();
        let before = self.members.get(old_id).cloned();
        self.rename(old_id, new_id, around);
        if let Some(member) = self.members.get_mut(new_id) {
            member.alive(around.now.monotonic);
        }
        self.update_member(new_id, join, waiter, around);
        match self.state {
            GroupState::Stable if self.elect_protocol() == self.protocol => {
                if let Err(error) = append(around.journal, &entry::stored(self)) {
                    // It could come back under its old id after a restart: as if it had not been here.
                    self.rename_back(old_id, new_id, before, old_leader);
                    around.answer(waiter, Answer::Joined(Joined::failed(error, "")));
                    return;
                }
                self.answer_in_place(join, new_id, old_leader, around);
            }
            GroupState::Stable => self.rebalance_or_complete(around),
            // The leader may just be assigning to the old id.
            GroupState::CompletingRebalance => self.prepare_rebalance(around),
            GroupState::PreparingRebalance | GroupState::Empty => self.complete_if_all_joined(around),
        }
    }

    /// Gives the place to the new id, and tells whoever still waits under the old one.
    fn rename<J: Append>(&mut self, old_id: &str, new_id: &str, around: &mut Around<'_, J>) {
        let Some(mut member) = self.members.remove(old_id) else { return };
        if let Some(waiter) = member.joining.take() {
            around.answer(waiter, Answer::Joined(Joined::failed(ErrorCode::FencedInstanceId, old_id)));
        }
        if let Some(waiter) = member.syncing.take() {
            around.answer(waiter, Answer::Synced(Synced::failed(ErrorCode::FencedInstanceId)));
        }
        member.id = new_id.to_owned();
        member.is_new = false;
        member.owes_sync = false;
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), new_id.to_owned());
        }
        self.members.insert(new_id.to_owned(), member);
        if self.is_leader(old_id) {
            self.leader = Some(new_id.to_owned());
        }
    }

    fn rename_back(&mut self, old_id: &str, new_id: &str, before: Option<super::Member>, leader: Option<String>) {
        self.members.remove(new_id);
        if let Some(before) = before {
            if let Some(instance) = &before.instance_id {
                self.static_members.insert(instance.clone(), old_id.to_owned());
            }
            self.members.insert(old_id.to_owned(), before);
        }
        self.leader = leader;
    }

    /// The place is taken without a rebalance; what was assigned to it comes with SyncGroup.
    fn answer_in_place<J: Append>(&mut self, join: &Join, id: &str, old_leader: Option<String>, around: &mut Around<'_, J>) {
        let mut joined = Joined::into_generation(self, id);
        if join.may_skip_assignment {
            joined.skip_assignment = self.is_leader(id);
        } else {
            // One that cannot be told to skip must not take itself for the leader: it would assign anew in the same generation.
            joined.leader = old_leader.unwrap_or_default();
            joined.members.clear();
        }
        if let Some(waiter) = self.members.get_mut(id).and_then(|member| member.joining.take()) {
            around.answer(waiter, Answer::Joined(joined));
        }
    }
}
