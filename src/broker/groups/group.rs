//! A group: its members, its generation, its offsets.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::super::moment::Moment;
use super::super::wire::ErrorCode;
use super::{Committed, Member, Protocol};

/// Kafka's name for groups of consumers, whose metadata can be read.
pub(super) const CONSUMER: &str = "consumer";

/// Where a group is. Kafka's `Dead` is a group that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupState {
    /// No members; perhaps offsets.
    Empty,
    /// Waits for all members to join.
    PreparingRebalance,
    /// Waits for the leader's assignment.
    CompletingRebalance,
    /// Every member has, or can have, its assignment.
    Stable,
}

impl GroupState {
    /// As Kafka's tools show it.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
        }
    }
}

/// When joining ends, whoever has joined.
#[derive(Debug, Clone, Copy)]
pub(super) struct JoinDeadline {
    pub at: Duration,
    /// Of a group that was empty: how much longer it may be put off for members that come meanwhile.
    pub initial: Option<Duration>,
}

/// A group.
#[derive(Debug)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub state: GroupState,
    /// Counts rebalances.
    pub generation: i32,
    /// "consumer", "connect"; none for a group that only commits offsets.
    pub protocol_type: Option<String>,
    /// The way to assign of this generation.
    pub protocol: Option<String>,
    /// Who assigns.
    pub leader: Option<String>,
    /// By id.
    pub members: BTreeMap<String, Member>,
    /// Committed offsets by topic and partition.
    pub offsets: BTreeMap<String, BTreeMap<i32, Committed>>,
    /// Offsets of open transactions by producer id.
    pub pending_offsets: HashMap<i64, BTreeMap<(String, i32), Committed>>,
    /// Since when it is in this state, in milliseconds since 1970.
    pub since_ms: i64,
    /// Ids that were given out and not used yet, and until when they can be.
    pub(super) promised: HashMap<String, Duration>,
    /// By `group.instance.id`.
    pub(super) static_members: HashMap<String, String>,
    pub(super) join_deadline: Option<JoinDeadline>,
    pub(super) sync_deadline: Option<Duration>,
    /// Somebody came while an initial rebalance was waiting.
    pub(super) newcomer: bool,
    /// Topics its consumers subscribe to, if they can be read.
    pub(super) subscribed: Option<HashSet<String>>,
}

impl Group {
    pub(super) fn new(id: &str, now: Moment) -> Self {
        Group {
            id: id.to_owned(),
            state: GroupState::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            offsets: BTreeMap::new(),
            pending_offsets: HashMap::new(),
            since_ms: now.wall_ms,
            promised: HashMap::new(),
            static_members: HashMap::new(),
            join_deadline: None,
            sync_deadline: None,
            newcomer: false,
            subscribed: None,
        }
    }

    pub(super) fn enter(&mut self, state: GroupState, now: Moment) {
        self.state = state;
        self.since_ms = now.wall_ms;
    }

    pub(super) fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    pub(super) fn joining(&self) -> usize {
        self.members.values().filter(|member| member.joining.is_some()).count()
    }

    pub(super) fn all_joined(&self) -> bool {
        self.promised.is_empty() && self.members.values().all(|member| member.joining.is_some())
    }

    /// The longest that any member may take to join.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    /// Whether somebody who knows these protocols can be a member beside the others.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let known_to_all = |name: &str| self.members.values().all(|member| member.protocols.iter().any(|known| known.name == name));
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(|protocol| known_to_all(&protocol.name))
    }

    /// The protocol that most members prefer among those that all know.
    pub(super) fn elect_protocol(&self) -> Option<String> {
        let known_to_all = |name: &str| self.members.values().all(|member| member.protocols.iter().any(|known| known.name == name));
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            if let Some(preferred) = member.protocols.iter().find(|protocol| known_to_all(&protocol.name)) {
                *votes.entry(&preferred.name).or_default() += 1;
            }
        }
        votes.into_iter().rev().max_by_key(|(_, votes)| *votes).map(|(name, _)| name.to_owned())
    }

    pub(super) fn add(&mut self, protocol_type: &str, member: Member) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.to_owned());
        }
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(instance.clone(), member.id.clone());
        }
        self.promised.remove(&member.id);
        self.leader.get_or_insert_with(|| member.id.clone());
        self.members.insert(member.id.clone(), member);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        self.promised.remove(id);
        let removed = self.members.remove(id);
        if let Some(instance) = removed.as_ref().and_then(|member| member.instance_id.as_ref()) {
            self.static_members.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        removed
    }

    /// Whether this is a member as it says, and not one whose place another took.
    pub(super) fn check_member(&self, id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance_id {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UnknownMemberId),
                Some(owner) if owner != id => return Err(ErrorCode::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.members.contains_key(id) { Ok(()) } else { Err(ErrorCode::UnknownMemberId) }
    }

    /// Reads which topics its consumers subscribe to.
    pub(super) fn read_subscriptions(&mut self) {
        self.subscribed = match (self.protocol_type.as_deref(), &self.protocol) {
            (Some(CONSUMER), _) if self.members.is_empty() => Some(HashSet::new()),
            (Some(CONSUMER), Some(protocol)) => {
                let topics = self.members.values().map(|member| super::subscription::topics(&member.metadata(protocol)));
                topics.collect::<Option<Vec<_>>>().map(|topics| topics.into_iter().flatten().collect())
            }
            _ => None,
        };
    }

    /// Whether its members consume the topic, as far as can be known.
    pub(super) fn consumes(&self, topic: &str) -> bool {
        self.subscribed.as_ref().map_or(self.protocol_type.as_deref() == Some(CONSUMER), |topics| topics.contains(topic))
    }
}
