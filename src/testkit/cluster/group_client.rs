//! The client's side of a group, as librdkafka's background thread lives it, whether or not the application polls.
//!
//! ```text
//!  Init ─JoinGroup─► (Held) ─► Joining ─SyncGroup─► Callback(Revoke) ─poll─► Callback(Assign) ─poll─► Steady
//!   ▲                              └────nothing to revoke────────────────────────▲                     │
//!   ├──────────────── the group rebalances: rejoin in the background, tokens kept, no callback ────────┤
//!   └──poll── Callback(Lost) ◄──────────── session or generation over, max.poll.interval.ms exceeded ──┘
//! ```
//! Three things make two owners at once possible, as seen from the application: a member that is stopped or hung believes in its
//! tokens until it polls; a static member whose JoinGroup came too late starts anew with another member id and the old tokens,
//! without any callback; and a static member that did not rejoin in time is passed over by the others.

use std::collections::BTreeSet;

use super::faults::{Dice, FaultKind};
use super::group::{Group, GroupMetadata, Heartbeat, JoinReply, JoinRequest, SyncReply};
use super::refusal::Refusal;

/// The client looks for new partitions this often.
const METADATA_REFRESH_MS: i64 = 10_000;

/// State changes of one client in one tick, at most: more would be a loop.
const CHANGES_PER_TICK: usize = 8;

/// How a member joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberConfig {
    /// What the member is called in the trace and in [`super::FakeCluster::pause`]; member ids begin with it.
    pub name: String,
    /// `group.instance.id`: makes it a static member.
    pub instance_id: Option<String>,
    /// `session.timeout.ms`.
    pub session_timeout_ms: i64,
    /// `max.poll.interval.ms`, which is also the rebalance time-out.
    pub max_poll_interval_ms: i64,
}

impl MemberConfig {
    /// A dynamic member with the engine's time-outs (10 s, 30 s).
    pub fn dynamic(name: impl Into<String>) -> Self {
        MemberConfig { name: name.into(), instance_id: None, session_timeout_ms: 10_000, max_poll_interval_ms: 30_000 }
    }

    /// A static member with the engine's time-outs.
    pub fn fixed(name: impl Into<String>, instance_id: impl Into<String>) -> Self {
        MemberConfig { instance_id: Some(instance_id.into()), ..MemberConfig::dynamic(name) }
    }
}

/// A rebalance event that waits for the application to poll.
enum Callback {
    Assign { tokens: BTreeSet<i32>, rejoin: bool },
    Revoke { tokens: BTreeSet<i32>, then_assign: BTreeSet<i32> },
    Lost,
}

enum State {
    Init,
    /// A JoinGroup is stuck in its connection.
    Held {
        until_ms: i64,
    },
    Joining,
    Callback(Callback),
    Steady,
    /// LeaveGroup is to be sent.
    Leaving,
    Left,
    Fenced,
}

/// What one rebalance event tells the application.
#[derive(Debug)]
pub(super) enum Served {
    Assigned { tokens: Vec<i32>, metadata: GroupMetadata },
    Revoked(Vec<i32>),
    Lost(Vec<i32>),
}

/// One group consumer.
pub(super) struct GroupClient {
    pub(super) group: String,
    pub(super) config: MemberConfig,
    /// True while its process is stopped.
    pub(super) paused: bool,
    state: State,
    member_id: String,
    generation: i32,
    /// What the application was told that it has.
    tokens: BTreeSet<i32>,
    tokens_generation: i32,
    leaving: bool,
    max_poll_exceeded: bool,
    heard_ms: i64,
    polled_ms: i64,
    refreshed_ms: i64,
    known_partitions: i32,
}

impl GroupClient {
    pub(super) fn new(group: &str, config: MemberConfig, now_ms: i64) -> Self {
        GroupClient {
            group: group.into(),
            config,
            paused: false,
            state: State::Init,
            member_id: String::new(),
            generation: -1,
            tokens: BTreeSet::new(),
            tokens_generation: -1,
            leaving: false,
            max_poll_exceeded: false,
            heard_ms: now_ms,
            polled_ms: now_ms,
            refreshed_ms: now_ms,
            known_partitions: 0,
        }
    }

    /// What the background thread does in one tick. Without a group the coordinator cannot be reached.
    pub(super) fn tick(&mut self, mut group: Option<&mut Group>, dice: &mut Dice, now_ms: i64) {
        if self.paused || dice.take(FaultKind::BackgroundStalled, &self.config.name) {
            return;
        }
        for _ in 0..CHANGES_PER_TICK {
            self.check_intervals(group.as_deref_mut(), now_ms);
            let Some(group) = group.as_deref_mut() else { return };
            let changed = match self.state {
                State::Init => !self.max_poll_exceeded && self.start_joining(group, dice, now_ms),
                State::Held { until_ms } => now_ms >= until_ms && self.join(group, now_ms),
                State::Joining => self.sync(group, now_ms),
                State::Callback(_) | State::Steady => self.beat(group, now_ms),
                State::Leaving => self.finish_leaving(group, now_ms),
                State::Left | State::Fenced => false,
            };
            if !changed {
                return;
            }
        }
    }

    /// What the client finds out by its own clock.
    fn check_intervals(&mut self, group: Option<&mut Group>, now_ms: i64) {
        let ended = matches!(self.state, State::Leaving | State::Left | State::Fenced);
        if !ended && !self.max_poll_exceeded && now_ms - self.polled_ms > self.config.max_poll_interval_ms {
            self.max_poll_exceeded = true;
            // A static member keeps its place until its session ends.
            if let (Some(group), None) = (group, &self.config.instance_id) {
                group.remove(&self.member_id, "max.poll.interval.ms exceeded", now_ms);
            }
            self.member_id.clear();
            self.lose();
        }
        if matches!(self.state, State::Steady) && now_ms - self.heard_ms > self.config.session_timeout_ms {
            self.member_id.clear();
            self.lose();
        }
    }

    /// The place in the group is gone. While a callback waits, librdkafka leaves it at that; the next heartbeat finds out again.
    fn lose(&mut self) {
        if !matches!(self.state, State::Callback(_)) {
            self.state = if self.tokens.is_empty() { State::Init } else { State::Callback(Callback::Lost) };
        }
    }

    fn start_joining(&mut self, group: &mut Group, dice: &mut Dice, now_ms: i64) -> bool {
        if dice.take(FaultKind::JoinHeld, &self.config.name) {
            let most = usize::try_from(self.config.session_timeout_ms * 2).unwrap_or(0);
            self.state = State::Held { until_ms: now_ms + dice.up_to(most) as i64 };
            return true;
        }
        self.join(group, now_ms)
    }

    fn join(&mut self, group: &mut Group, now_ms: i64) -> bool {
        let request = JoinRequest {
            member_id: self.member_id.clone(),
            instance_id: self.config.instance_id.clone(),
            name: self.config.name.clone(),
            session_timeout_ms: self.config.session_timeout_ms,
            rebalance_timeout_ms: self.config.max_poll_interval_ms,
            claims: self.tokens.clone(),
            claims_generation: self.tokens_generation,
        };
        self.state = State::Init;
        match group.join(request, now_ms) {
            Ok(JoinReply::Accepted { member_id }) => {
                self.member_id = member_id;
                self.state = State::Joining;
            }
            Ok(JoinReply::MemberIdRequired { member_id }) => {
                self.member_id = member_id;
                self.lose();
            }
            Err(Refusal::FencedInstance) => self.state = State::Fenced,
            // The silent way: it joins anew with the tokens that it had, and the application hears nothing of it.
            Err(_) => self.member_id.clear(),
        }
        true
    }

    fn sync(&mut self, group: &mut Group, now_ms: i64) -> bool {
        match group.sync(&self.member_id) {
            Ok(SyncReply::Wait) => return false,
            Ok(SyncReply::Rejoin { generation }) => {
                self.generation = generation;
                self.state = State::Init;
            }
            Ok(SyncReply::Assignment { generation, tokens }) => {
                self.generation = generation;
                self.tokens_generation = generation;
                self.heard_ms = now_ms;
                self.refreshed_ms = now_ms;
                self.known_partitions = group.partitions;
                let added: BTreeSet<i32> = tokens.difference(&self.tokens).copied().collect();
                let gone: BTreeSet<i32> = self.tokens.difference(&tokens).copied().collect();
                self.state = State::Callback(if gone.is_empty() {
                    Callback::Assign { tokens: added, rejoin: false }
                } else {
                    Callback::Revoke { tokens: gone, then_assign: added }
                });
            }
            Err(_) => {
                // Taken over while it waited, or forgotten.
                self.state = if self.is_replaced(group) { State::Fenced } else { State::Steady };
                self.member_id.clear();
                if !matches!(self.state, State::Fenced) {
                    self.lose();
                }
            }
        }
        true
    }

    fn is_replaced(&self, group: &Group) -> bool {
        group.validate(&self.metadata()) == Err(Refusal::FencedInstance)
    }

    fn beat(&mut self, group: &mut Group, now_ms: i64) -> bool {
        let steady = matches!(self.state, State::Steady);
        if self.member_id.is_empty() {
            self.lose();
            return steady;
        }
        match group.heartbeat(&self.metadata(), now_ms) {
            Ok(Heartbeat::Fine) => {
                self.heard_ms = now_ms;
                if !steady || now_ms - self.refreshed_ms < METADATA_REFRESH_MS {
                    return false;
                }
                self.refreshed_ms = now_ms;
                let grown = self.known_partitions != group.partitions;
                self.known_partitions = group.partitions;
                if grown {
                    self.state = State::Init;
                }
                grown
            }
            Ok(Heartbeat::RebalanceInProgress) => {
                self.heard_ms = now_ms;
                if steady {
                    self.state = State::Init;
                }
                steady
            }
            Err(Refusal::FencedInstance) => {
                self.state = State::Fenced;
                true
            }
            Err(refusal) => {
                match refusal {
                    Refusal::IllegalGeneration => self.generation = -1,
                    _ => self.member_id.clear(),
                }
                self.lose();
                steady
            }
        }
    }

    fn finish_leaving(&mut self, group: &mut Group, now_ms: i64) -> bool {
        group.remove(&self.member_id, "left", now_ms);
        self.member_id.clear();
        self.state = State::Left;
        false
    }

    /// The application polls: at most one event is served; `None` when nothing waits.
    pub(super) fn serve(&mut self, now_ms: i64) -> Result<Option<Served>, Refusal> {
        self.polled_ms = now_ms;
        self.max_poll_exceeded = false;
        let state = std::mem::replace(&mut self.state, State::Steady);
        match state {
            State::Fenced => {
                self.state = State::Fenced;
                self.tokens.clear();
                Err(Refusal::FencedInstance)
            }
            State::Callback(Callback::Assign { tokens, rejoin }) => {
                let metadata = self.metadata();
                self.tokens.extend(&tokens);
                if rejoin {
                    self.state = State::Init;
                }
                Ok(Some(Served::Assigned { tokens: tokens.into_iter().collect(), metadata }))
            }
            State::Callback(Callback::Revoke { tokens, then_assign }) => {
                self.tokens.retain(|token| !tokens.contains(token));
                self.state = State::Callback(Callback::Assign { tokens: then_assign, rejoin: true });
                Ok(Some(Served::Revoked(tokens.into_iter().collect())))
            }
            State::Callback(Callback::Lost) => {
                self.state = State::Init;
                Ok(Some(Served::Lost(std::mem::take(&mut self.tokens).into_iter().collect())))
            }
            State::Leaving | State::Left => {
                self.state = state;
                Ok(None)
            }
            _ if self.leaving => {
                self.state = State::Leaving;
                let tokens: Vec<i32> = std::mem::take(&mut self.tokens).into_iter().collect();
                Ok((!tokens.is_empty()).then_some(Served::Revoked(tokens)))
            }
            State::Init | State::Held { .. } | State::Joining | State::Steady => {
                self.state = state;
                Ok(None)
            }
        }
    }

    /// Unsubscribes; the rest happens in the next polls.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    /// Begins anew, as a member that nobody knows.
    pub(super) fn rejoin(&mut self) {
        self.leaving = false;
        self.state = State::Init;
        self.member_id.clear();
        self.generation = -1;
    }

    pub(super) fn has_left(&self) -> bool {
        matches!(self.state, State::Left)
    }

    /// The group's metadata as the client has it now, which may be newer than what the application knows.
    pub(super) fn metadata(&self) -> GroupMetadata {
        GroupMetadata {
            group: self.group.clone(),
            member_id: self.member_id.clone(),
            generation: self.generation,
            instance_id: self.config.instance_id.clone(),
        }
    }
}
