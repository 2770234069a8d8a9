//! A member of a group.

use std::time::Duration;

use bytes::Bytes;

use super::Waiter;

/// A way to assign that a member knows, with what it tells the leader about itself for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Its name: "range", "cooperative-sticky".
    pub name: String,
    /// For the leader; opaque here.
    pub metadata: Bytes,
}

/// One of a group.
#[derive(Debug, Clone)]
pub struct Member {
    /// As given by the coordinator.
    pub id: String,
    /// `group.instance.id` of a static member, which keeps its place when it restarts.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// How long it may take to join a rebalance.
    pub rebalance_timeout: Duration,
    /// After so long without a sign of life it is out.
    pub session_timeout: Duration,
    /// In its order of preference.
    pub protocols: Vec<Protocol>,
    /// What the leader assigned; empty: nothing yet.
    pub assignment: Bytes,
    pub(super) joining: Option<Waiter>,
    pub(super) syncing: Option<Waiter>,
    /// It has not got its first generation yet.
    pub(super) is_new: bool,
    /// It has the generation, and its SyncGroup has not come.
    pub(super) owes_sync: bool,
    /// When it is out; none while it waits for others.
    pub(super) deadline: Option<Duration>,
}

impl Member {
    /// Whether it would join with the same as before.
    pub(super) fn joins_alike(&self, protocols: &[Protocol]) -> bool {
        self.protocols == protocols
    }

    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|known| known.name == protocol).map(|known| known.metadata.clone()).unwrap_or_default()
    }

    /// It showed a sign of life.
    pub(super) fn alive(&mut self, now: Duration) {
        self.deadline = Some(now + self.session_timeout);
    }

    /// Whether silence does not count against it: it waits for an answer. A new one may be gone without anybody knowing.
    pub(super) fn is_excused(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }
}
