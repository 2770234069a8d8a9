//! The coordinator's side of a consumer group: members, generations, time-outs and the rebalance between them.
//!
//! ```text
//!          somebody joins, leaves, is evicted
//!   Empty ─────────────► Preparing ──all have joined, or time is up──► Stable (generation + 1)
//!                            ▲                                            │
//!                            └────────────────────────────────────────────┘
//! ```
//! While it prepares, the old generation still commits offsets; from completion on it is refused. The work between JoinGroup and
//! SyncGroup is one step here. Static members (with an instance id) are not forced out when time is up, only when their session
//! ends, and a new process with the same instance id takes the place over at once, in the same generation.

use std::collections::{BTreeMap, BTreeSet};

use super::assignor::{self, Claim};
use super::group_offsets::GroupOffsets;
use super::refusal::Refusal;

/// Reserved ids of dynamic members that have not come back yet, at most.
const RESERVED_MEMBERS: usize = 64;

/// What a member sends to join.
#[derive(Clone, Debug)]
pub(super) struct JoinRequest {
    /// Empty when it has none.
    pub(super) member_id: String,
    pub(super) instance_id: Option<String>,
    /// What a new member id begins with.
    pub(super) name: String,
    pub(super) session_timeout_ms: i64,
    pub(super) rebalance_timeout_ms: i64,
    pub(super) claims: BTreeSet<i32>,
    /// The generation of the claims.
    pub(super) claims_generation: i32,
}

/// What a join that is not refused comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JoinReply {
    /// The member waits for the generation to complete (or is part of the present one already).
    Accepted { member_id: String },
    /// A dynamic member without an id must come again with this one.
    MemberIdRequired { member_id: String },
}

/// What a member that has joined finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SyncReply {
    /// Others have not joined yet.
    Wait,
    /// The group moved on already: join again.
    Rejoin {
        generation: i32,
    },
    Assignment {
        generation: i32,
        tokens: BTreeSet<i32>,
    },
}

/// The coordinator's answer to a heartbeat that is not refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heartbeat {
    Fine,
    RebalanceInProgress,
}

/// What a consumer was given by the group, as it goes with its offset commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupMetadata {
    pub(super) group: String,
    pub(super) member_id: String,
    pub(super) generation: i32,
    pub(super) instance_id: Option<String>,
}

struct Member {
    instance_id: Option<String>,
    session_timeout_ms: i64,
    rebalance_timeout_ms: i64,
    expires_ms: i64,
    /// Its JoinGroup waits for the others: no heartbeat is due.
    joined: bool,
    /// The last generation of which it was part.
    generation: i32,
    claims: BTreeSet<i32>,
    claims_generation: i32,
    tokens: BTreeSet<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Empty,
    Preparing { deadline_ms: i64 },
    Stable,
}

/// Something that time does to a group.
pub(super) enum GroupDue {
    /// A member's session ends.
    Session(String),
    /// Those that have not joined are left behind.
    Rebalance,
}

/// One group; its topic's partitions are what it assigns.
pub(super) struct Group {
    pub(super) offsets: GroupOffsets,
    /// Partitions of the task log, brought up to date by the broker.
    pub(super) partitions: i32,
    generation: i32,
    phase: Phase,
    members: BTreeMap<String, Member>,
    reserved: BTreeSet<String>,
    assigned_partitions: i32,
    last_member: u64,
    /// What happened since it was last taken, for the trace.
    pub(super) notes: Vec<String>,
}

impl Group {
    pub(super) fn new(partitions: i32) -> Self {
        Group {
            offsets: GroupOffsets::default(),
            partitions,
            generation: 0,
            phase: Phase::Empty,
            members: BTreeMap::new(),
            reserved: BTreeSet::new(),
            assigned_partitions: 0,
            last_member: 0,
            notes: Vec::new(),
        }
    }

    /// A JoinGroup has arrived.
    pub(super) fn join(&mut self, request: JoinRequest, now_ms: i64) -> Result<JoinReply, Refusal> {
        let holder = request.instance_id.as_ref().and_then(|id| self.holder_of(id));
        if request.member_id.is_empty() {
            let member_id = self.next_member_id(&request.name);
            return match (&request.instance_id, holder) {
                (None, _) => {
                    if self.reserved.len() == RESERVED_MEMBERS {
                        self.reserved.pop_first();
                    }
                    self.reserved.insert(member_id.clone());
                    Ok(JoinReply::MemberIdRequired { member_id })
                }
                (Some(_), Some(old)) => Ok(self.take_over(old, member_id, request, now_ms)),
                (Some(_), None) => Ok(self.admit(member_id, request, now_ms)),
            };
        }
        let known = self.members.contains_key(&request.member_id);
        match holder {
            Some(holder) if holder != request.member_id => Err(Refusal::FencedInstance),
            _ if known => Ok(self.rejoin(request, now_ms)),
            _ if self.reserved.remove(&request.member_id) => Ok(self.admit(request.member_id.clone(), request, now_ms)),
            _ => Err(Refusal::UnknownMember),
        }
    }

    fn admit(&mut self, member_id: String, request: JoinRequest, now_ms: i64) -> JoinReply {
        let member = Member {
            instance_id: request.instance_id,
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms.max(1),
            expires_ms: now_ms + request.session_timeout_ms,
            joined: false,
            generation: -1,
            claims: request.claims,
            claims_generation: request.claims_generation,
            tokens: BTreeSet::new(),
        };
        self.notes.push(format!("{member_id} joins"));
        self.members.insert(member_id.clone(), member);
        self.mark_joined(&member_id, now_ms);
        JoinReply::Accepted { member_id }
    }

    /// A known member joins again: a rebalance only if it says something new.
    fn rejoin(&mut self, request: JoinRequest, now_ms: i64) -> JoinReply {
        let member_id = request.member_id;
        let mut news = self.phase != Phase::Stable || self.partitions != self.assigned_partitions;
        if let Some(member) = self.members.get_mut(&member_id) {
            news |= member.claims != request.claims;
            member.claims = request.claims;
            member.claims_generation = request.claims_generation;
            member.expires_ms = now_ms + member.session_timeout_ms;
            if !news {
                // A static member that was left behind finds what the others gave it meanwhile.
                member.generation = self.generation;
            }
        }
        if news {
            self.mark_joined(&member_id, now_ms);
        }
        JoinReply::Accepted { member_id }
    }

    /// A new process holds an instance id that is known: it gets the place, the old one is fenced.
    fn take_over(&mut self, old: String, member_id: String, request: JoinRequest, now_ms: i64) -> JoinReply {
        self.notes.push(format!("{member_id} takes over from {old}"));
        if let Some(mut member) = self.members.remove(&old) {
            member.claims = request.claims;
            member.claims_generation = request.claims_generation;
            member.expires_ms = now_ms + request.session_timeout_ms;
            member.session_timeout_ms = request.session_timeout_ms;
            member.rebalance_timeout_ms = request.rebalance_timeout_ms.max(1);
            member.generation = self.generation;
            self.members.insert(member_id.clone(), member);
        }
        if self.phase != Phase::Stable {
            self.mark_joined(&member_id, now_ms);
        }
        JoinReply::Accepted { member_id }
    }

    fn mark_joined(&mut self, member_id: &str, now_ms: i64) {
        self.prepare(now_ms);
        if let Some(member) = self.members.get_mut(member_id) {
            member.joined = true;
        }
        self.maybe_complete(now_ms);
    }

    /// Asks every member to join again, if that is not under way.
    pub(super) fn prepare(&mut self, now_ms: i64) {
        let Some(longest) = self.members.values().map(|member| member.rebalance_timeout_ms).max() else { return };
        if !matches!(self.phase, Phase::Preparing { .. }) {
            self.phase = Phase::Preparing { deadline_ms: now_ms + longest };
            self.members.values_mut().for_each(|member| member.joined = false);
        }
    }

    fn maybe_complete(&mut self, now_ms: i64) {
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            self.generation += 1;
        } else if matches!(self.phase, Phase::Preparing { .. }) && self.members.values().all(|member| member.joined) {
            self.complete(now_ms);
        }
    }

    fn complete(&mut self, now_ms: i64) {
        self.generation += 1;
        self.phase = Phase::Stable;
        self.assigned_partitions = self.partitions;
        let claims: Vec<Claim> = self
            .members
            .iter()
            .map(|(id, m)| Claim { member_id: id.clone(), tokens: m.claims.clone(), generation: m.claims_generation })
            .collect();
        let mut assigned = assignor::assign(self.partitions, &claims);
        self.notes.push(format!("generation {} is complete: {assigned:?}", self.generation));
        for (id, member) in &mut self.members {
            member.tokens = assigned.remove(id).unwrap_or_default();
            member.expires_ms = now_ms + member.session_timeout_ms;
            if member.joined {
                member.generation = self.generation;
                member.joined = false;
            }
        }
    }

    /// A member that has joined asks for its assignment.
    pub(super) fn sync(&self, member_id: &str) -> Result<SyncReply, Refusal> {
        let member = self.members.get(member_id).ok_or(Refusal::UnknownMember)?;
        Ok(match self.phase {
            Phase::Preparing { .. } if member.joined => SyncReply::Wait,
            Phase::Stable if member.generation == self.generation => {
                SyncReply::Assignment { generation: self.generation, tokens: member.tokens.clone() }
            }
            _ => SyncReply::Rejoin { generation: member.generation },
        })
    }

    /// A member says that it lives.
    pub(super) fn heartbeat(&mut self, metadata: &GroupMetadata, now_ms: i64) -> Result<Heartbeat, Refusal> {
        self.validate(metadata)?;
        if let Some(member) = self.members.get_mut(&metadata.member_id) {
            member.expires_ms = now_ms + member.session_timeout_ms;
        }
        Ok(if self.phase == Phase::Stable { Heartbeat::Fine } else { Heartbeat::RebalanceInProgress })
    }

    /// Refuses what comes from a member or generation of the past. Who names neither is not checked at all, as on a real broker.
    pub(super) fn validate(&self, metadata: &GroupMetadata) -> Result<(), Refusal> {
        if metadata.generation < 0 && metadata.member_id.is_empty() && metadata.instance_id.is_none() {
            return Ok(());
        }
        if let Some(instance_id) = &metadata.instance_id {
            let holder = self.holder_of(instance_id).ok_or(Refusal::UnknownMember)?;
            if holder != metadata.member_id {
                return Err(Refusal::FencedInstance);
            }
        }
        if !self.members.contains_key(&metadata.member_id) {
            return Err(Refusal::UnknownMember);
        }
        if metadata.generation != self.generation {
            return Err(Refusal::IllegalGeneration);
        }
        Ok(())
    }

    /// Whether the present generation gave a token to a member.
    pub(super) fn holds(&self, member_id: &str, token: i32) -> bool {
        self.members.get(member_id).is_some_and(|member| member.tokens.contains(&token))
    }

    /// Takes a member out: it left, its session ended, or the coordinator forgot it.
    pub(super) fn remove(&mut self, member_id: &str, why: &str, now_ms: i64) {
        self.reserved.remove(member_id);
        if self.members.remove(member_id).is_some() {
            self.notes.push(format!("{member_id} is out: {why}"));
            self.prepare(now_ms);
            self.maybe_complete(now_ms);
        }
    }

    /// What time does next, and when.
    pub(super) fn next_due(&self) -> Option<(i64, GroupDue)> {
        let sessions = self.members.iter().filter(|(_, member)| !member.joined);
        let session = sessions.min_by_key(|(_, member)| member.expires_ms);
        let session = session.map(|(id, member)| (member.expires_ms, GroupDue::Session(id.clone())));
        let rebalance = match self.phase {
            Phase::Preparing { deadline_ms } => Some((deadline_ms, GroupDue::Rebalance)),
            Phase::Empty | Phase::Stable => None,
        };
        session.into_iter().chain(rebalance).min_by_key(|(at, _)| *at)
    }

    /// Time does it.
    pub(super) fn fall_due(&mut self, due: GroupDue, at_ms: i64) {
        match due {
            GroupDue::Session(member_id) => self.remove(&member_id, "session time-out", at_ms),
            GroupDue::Rebalance => self.leave_behind(at_ms),
        }
    }

    /// The rebalance time-out: dynamic members that have not joined are out, static ones stay until their session ends.
    fn leave_behind(&mut self, at_ms: i64) {
        self.members.retain(|_, member| member.joined || member.instance_id.is_some());
        self.notes.push(format!("rebalance time-out, {} members remain", self.members.len()));
        if self.members.values().any(|member| member.joined) {
            self.complete(at_ms);
        } else {
            self.phase = Phase::Stable;
            self.prepare(at_ms);
            self.maybe_complete(at_ms);
        }
    }

    /// A new coordinator gives every member a whole session.
    pub(super) fn renew_sessions(&mut self, now_ms: i64) {
        self.members.values_mut().for_each(|member| member.expires_ms = now_ms + member.session_timeout_ms);
    }

    /// Each member with its instance id and the tokens of the last generation.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, Option<&str>, &BTreeSet<i32>)> {
        self.members.iter().map(|(id, member)| (id.as_str(), member.instance_id.as_deref(), &member.tokens))
    }

    /// The generation of the group.
    pub(super) fn generation(&self) -> i32 {
        self.generation
    }

    /// True when no rebalance is under way.
    pub(super) fn is_stable(&self) -> bool {
        self.phase == Phase::Stable
    }

    fn holder_of(&self, instance_id: &str) -> Option<String> {
        self.members.iter().find(|(_, member)| member.instance_id.as_deref() == Some(instance_id)).map(|(id, _)| id.clone())
    }

    fn next_member_id(&mut self, name: &str) -> String {
        self.last_member += 1;
        format!("{name}#{}", self.last_member)
    }
}
