//! JoinGroup.

use std::time::Duration;

use bytes::Bytes;

use super::super::journal::Append;
use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{Answer, Around, Group, GroupState, Groups, Member, Protocol, Waiter};

/// A JoinGroup request.
#[derive(Debug, Clone)]
pub struct Join {
    pub group: String,
    /// Empty: it has none yet.
    pub member_id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout: Duration,
    pub rebalance_timeout: Duration,
    pub protocol_type: String,
    pub protocols: Vec<Protocol>,
    /// A member without id is told one and joins again with it (since version 4), so that one that vanishes does not hold up others.
    pub id_first: bool,
    /// The leader of a stable group can be told not to assign (since version 9).
    pub may_skip_assignment: bool,
    /// Makes a new member's id unique.
    pub unique: String,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    pub error: ErrorCode,
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    pub member_id: String,
    /// For the leader alone.
    pub members: Vec<JoinedMember>,
}

/// A member as the leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    pub id: String,
    pub instance_id: Option<String>,
    pub metadata: Bytes,
}

impl Joined {
    /// It did not join.
    pub fn failed(error: ErrorCode, member_id: &str) -> Self {
        Joined {
            error,
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: Vec::new(),
        }
    }

    /// It is in the group's generation.
    pub(super) fn into_generation(group: &Group, member_id: &str) -> Self {
        Joined {
            error: ErrorCode::None,
            generation: group.generation,
            protocol_type: group.protocol_type.clone(),
            protocol: group.protocol.clone(),
            leader: group.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members: if group.is_leader(member_id) { members_of(group) } else { Vec::new() },
        }
    }
}

fn members_of(group: &Group) -> Vec<JoinedMember> {
    let protocol = group.protocol.as_deref().unwrap_or_default();
    let seen = |member: &Member| JoinedMember {
        id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        metadata: member.metadata(protocol),
    };
    group.members.values().map(seen).collect()
}

impl Groups {
    /// JoinGroup. The answer comes by [`Groups::take_answers`], at once or later.
    pub fn join(&mut self, journal: &mut impl Append, now: Moment, join: Join, waiter: Waiter) {
        if let Err(error) = self.try_join(journal, now, &join, waiter) {
            self.answers.push((waiter, Answer::Joined(Joined::failed(error, &join.member_id))));
        }
    }

    fn try_join(&mut self, journal: &mut impl Append, now: Moment, join: &Join, waiter: Waiter) -> Result<(), ErrorCode> {
        if join.group.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if join.session_timeout < self.settings.min_session_timeout || join.session_timeout > self.settings.max_session_timeout {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        if join.protocols.iter().map(|protocol| protocol.metadata.len()).sum::<usize>() > self.settings.max_member_metadata {
            return Err(ErrorCode::PolicyViolation);
        }
        if !join.member_id.is_empty() && !self.by_id.contains_key(&join.group) {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.take_room_for_member(join, now)?;
        self.get_or_make(&join.group, now)?;
        let Groups { settings, by_id, answers, .. } = self;
        let Some(group) = by_id.get_mut(&join.group) else { return Err(ErrorCode::CoordinatorNotAvailable) };
        let mut around = Around { settings, answers, journal, now };
        if !group.has_room_for(&join.member_id, around.settings.max_size) {
            group.remove(&join.member_id);
            around.answer(waiter, Answer::Joined(Joined::failed(ErrorCode::GroupMaxSizeReached, "")));
            return Ok(());
        }
        if join.member_id.is_empty() { group.join_new(join, waiter, &mut around) } else { group.join_known(join, waiter, &mut around) }
    }
}

impl Group {
    fn has_room_for(&self, member_id: &str, max_size: usize) -> bool {
        match self.state {
            GroupState::Empty => self.promised.len() < max_size || self.promised.contains_key(member_id),
            GroupState::PreparingRebalance => {
                let waits = self.members.get(member_id).is_some_and(|member| member.joining.is_some());
                waits || self.joining() < max_size
            }
            GroupState::CompletingRebalance | GroupState::Stable => self.members.contains_key(member_id) || self.members.len() < max_size,
        }
    }

    fn join_new<J: Append>(&mut self, join: &Join, waiter: Waiter, around: &mut Around<'_, J>) -> Result<(), ErrorCode> {
        if !self.supports(&join.protocol_type, &join.protocols) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let name = join.instance_id.as_deref().unwrap_or(&join.client_id);
        let id = format!("{name}-{}", join.unique);
        if let Some(instance) = &join.instance_id {
            match self.static_members.get(instance).cloned() {
                Some(old) => self.replace_static(join, &old, &id, waiter, around),
                None => self.add_and_rebalance(join, &id, waiter, around),
            }
        } else if join.id_first {
            if self.promised.len() >= around.settings.max_size {
                return Err(ErrorCode::GroupMaxSizeReached);
            }
            self.promised.insert(id.clone(), around.now.monotonic + join.session_timeout);
            around.answer(waiter, Answer::Joined(Joined::failed(ErrorCode::MemberIdRequired, &id)));
        } else {
            self.add_and_rebalance(join, &id, waiter, around);
        }
        Ok(())
    }

    fn join_known<J: Append>(&mut self, join: &Join, waiter: Waiter, around: &mut Around<'_, J>) -> Result<(), ErrorCode> {
        let id = &join.member_id;
        if !self.supports(&join.protocol_type, &join.protocols) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if self.promised.contains_key(id) {
            if join.instance_id.is_some() {
                return Err(ErrorCode::UnknownMemberId);
            }
            self.add_and_rebalance(join, id, waiter, around);
            return Ok(());
        }
        self.check_member(id, join.instance_id.as_deref())?;
        let alike = self.members[id].joins_alike(&join.protocols);
        let answer_is_known = match self.state {
            GroupState::Empty => return Err(ErrorCode::UnknownMemberId),
            GroupState::PreparingRebalance => false,
            // It did not get the answer to its JoinGroup.
            GroupState::CompletingRebalance => alike,
            // A leader asks for a rebalance by joining: topics may have changed.
            GroupState::Stable => alike && !self.is_leader(id),
        };
        if answer_is_known {
            let joined = Joined::into_generation(self, id);
            around.answer(waiter, Answer::Joined(joined));
        } else {
            self.update_member(id, join, waiter, around);
            self.rebalance_or_complete(around);
        }
        Ok(())
    }

    fn add_and_rebalance<J: Append>(&mut self, join: &Join, id: &str, waiter: Waiter, around: &mut Around<'_, J>) {
        if self.state == GroupState::PreparingRebalance && self.join_deadline.is_some_and(|deadline| deadline.initial.is_some()) {
            self.newcomer = true;
        }
        let member = Member {
            id: id.to_owned(),
            instance_id: join.instance_id.clone(),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            rebalance_timeout: join.rebalance_timeout,
            session_timeout: join.session_timeout,
            protocols: join.protocols.clone(),
            assignment: Bytes::new(),
            joining: Some(waiter),
            syncing: None,
            is_new: true,
            owes_sync: false,
            deadline: Some(around.now.monotonic + around.settings.new_member_join_timeout),
        };
        self.add(&join.protocol_type, member);
        self.rebalance_or_complete(around);
    }

    pub(super) fn update_member<J: Append>(&mut self, id: &str, join: &Join, waiter: Waiter, around: &mut Around<'_, J>) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.protocols.clone_from(&join.protocols);
        member.rebalance_timeout = join.rebalance_timeout;
        member.session_timeout = join.session_timeout;
        // Of two requests of a member the later counts; the earlier is answered, so that its connection goes on.
        if let Some(earlier) = member.joining.replace(waiter) {
            around.answer(earlier, Answer::Joined(Joined::failed(ErrorCode::RebalanceInProgress, id)));
        }
    }
}
