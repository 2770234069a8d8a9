//! The group coordinator: members of consumer groups, their generations, and committed offsets.
//!
//! A pure state machine with the rules of Kafka's classic protocol: time and the journal are passed in, nothing waits. A JoinGroup or
//! SyncGroup that has to wait leaves its [`Waiter`]; [`Groups::take_answers`] gives the answers that have become due. A change that
//! outlives the process is journaled before it is believed.
//!
//! ```text
//! Empty ── a member joins ──► PreparingRebalance ── all joined, or time-out ──► CompletingRebalance ── the leader syncs ──► Stable
//!   ▲                             ▲       │                                            │                                       │
//!   └──── the last one left ──────┼───────┘                                            │                                       │
//!                                 └──── a member joins, leaves, fails or changes ──────┴───────────────────────────────────────┘
//! ```

mod entry;
mod group;
mod heartbeat;
mod join;
mod leave;
mod listing;
mod member;
mod offsets;
mod offsets_expiry;
mod offsets_recovery;
mod rebalance;
mod room;
mod static_member;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

pub use self::entry::GroupEntry;
pub use self::group::{Group, GroupState};
pub use self::join::{Join, Joined};
pub use self::leave::{Leaving, Left};
pub use self::listing::{DescribedGroup, DescribedMember, ListedGroup};
pub use self::member::{Member, Protocol};
pub use self::offsets::{Commit, Committed, Committer, FetchedOffset, OffsetToCommit};
pub use self::sync::{Sync, Synced};

use super::journal::Append;
use super::moment::Moment;
use super::wire::ErrorCode;

/// Limits, with Kafka's names; its defaults unless said otherwise.
#[derive(Debug, Clone)]
pub struct GroupSettings {
    /// `group.initial.rebalance.delay.ms`: how long a new group waits for further members. Kafka waits 3 s for programs on many machines;
    /// here all start on one, and their consumers join within milliseconds of each other. None at all would be worse: the second member
    /// would wait for the first one's next heartbeat.
    pub initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`; 6 s in Kafka, for networks. On one machine a member may be given up after a second of silence.
    pub min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout: Duration,
    /// How long a member may wait for its first JoinGroup, as it cannot send heartbeats meanwhile.
    pub new_member_join_timeout: Duration,
    /// `group.max.size`; unbounded in Kafka.
    pub max_size: usize,
    /// `offset.metadata.max.bytes`
    pub max_offset_metadata: usize,
    /// `offsets.retention.minutes`
    pub offsets_retention: Duration,
    /// Bytes of a member's protocols; unbounded in Kafka.
    pub max_member_metadata: usize,
    /// Bytes that all members of a group bring, and as many of their assignments; in Kafka what fits into a record, 1 MB.
    pub max_group_bytes: usize,
    /// Bytes of all groups and their offsets, roughly; unbounded in Kafka. What would be more is refused for now.
    pub max_bytes: usize,
    /// No more groups; unbounded in Kafka.
    pub max_groups: usize,
}

impl Default for GroupSettings {
    fn default() -> Self {
        GroupSettings {
            initial_rebalance_delay: Duration::from_millis(200),
            min_session_timeout: Duration::from_secs(1),
            max_session_timeout: Duration::from_secs(30 * 60),
            new_member_join_timeout: Duration::from_secs(5 * 60),
            max_size: 1000,
            max_offset_metadata: 4096,
            offsets_retention: Duration::from_secs(7 * 24 * 3600),
            max_member_metadata: 1 << 20,
            max_group_bytes: 16 << 20,
            max_bytes: 128 << 20,
            max_groups: 100_000,
        }
    }
}

/// Names a request that waits; given by the caller, unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waiter(pub u64);

/// The answer to a request that waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To a JoinGroup.
    Joined(Joined),
    /// To a SyncGroup.
    Synced(Synced),
}

/// All groups.
#[derive(Debug, Default)]
pub struct Groups {
    settings: GroupSettings,
    by_id: HashMap<String, Group>,
    answers: Vec<(Waiter, Answer)>,
    /// Counts commits of offsets: which of two came later.
    commits: i64,
    room: room::Room,
}

impl Groups {
    /// None yet.
    pub fn new(settings: GroupSettings) -> Self {
        Groups { settings, ..Groups::default() }
    }

    /// The answers that have become due since the last call.
    pub fn take_answers(&mut self) -> Vec<(Waiter, Answer)> {
        std::mem::take(&mut self.answers)
    }

    /// A group, for who looks.
    #[cfg(test)]
    pub fn get(&self, id: &str) -> Option<&Group> {
        self.by_id.get(id)
    }

    /// The group, made if there is room.
    fn get_or_make(&mut self, id: &str, now: Moment) -> Result<&mut Group, ErrorCode> {
        if !self.by_id.contains_key(id) && self.by_id.len() >= self.settings.max_groups {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        Ok(self.by_id.entry(id.to_owned()).or_insert_with(|| Group::new(id, now)))
    }
}

/// What the moves of one group need besides it.
struct Around<'a, J> {
    settings: &'a GroupSettings,
    answers: &'a mut Vec<(Waiter, Answer)>,
    journal: &'a mut J,
    now: Moment,
}

impl<J: Append> Around<'_, J> {
    fn answer(&mut self, waiter: Waiter, answer: Answer) {
        self.answers.push((waiter, answer));
    }
}

/// Fails with the journal as the protocol has it: to be tried again.
fn append(journal: &mut impl Append, record: &[u8]) -> Result<(), ErrorCode> {
    journal.append(record).map(|_| ()).map_err(|_| ErrorCode::CoordinatorNotAvailable)
}
