//! Membership: which task tokens (partitions of the task log) this thread holds.
//!
//! A token is a partition of `<application-id>-tasks`. The group assigns tokens; who holds token *n* runs task *n*. Every
//! assignment is a new ownership, also of a token that was held before: its marker must be read again.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::PortError;
use crate::record::{Offset, TopicPartition};

/// The group's metadata as captured in one assign callback.
///
/// Offsets are committed with exactly this generation, never with one taken later: librdkafka rejoins in the background, and
/// metadata taken fresh could carry a generation under which somebody else already works on the token.
#[derive(Clone)]
pub struct Generation {
    /// The member id that the coordinator gave.
    pub member_id: Arc<str>,
    /// The group's generation, from 0.
    pub generation_id: i32,
    /// The client's own handle for the same metadata; only the adapter that made it reads it.
    pub handle: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.member_id, self.generation_id)
    }
}

/// What a rebalance did, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum MembershipEvent {
    /// Tokens were given (none when only the generation changed).
    Assigned {
        /// Partitions of the task log.
        tokens: Vec<i32>,
        /// Captured before the assignment was taken.
        generation: Generation,
    },
    /// Tokens must be given up; what they did until now may still be committed by nobody: close them.
    Revoked {
        /// Partitions of the task log.
        tokens: Vec<i32>,
    },
    /// Tokens are already somebody else's: never commit for them.
    Lost {
        /// Partitions of the task log.
        tokens: Vec<i32>,
    },
}

/// The group consumer of one stream thread; subscribes to the task log only.
pub trait Membership: Send {
    /// Serves the group until a poll brings nothing, waiting at most `wait` for the first event. Call it only between
    /// transactions. A class of `FencedInstance` means that all tokens are lost.
    fn poll(&mut self, wait: Duration) -> Result<Vec<MembershipEvent>, PortError>;

    /// Commits offsets as this member, outside of any transaction. Refused as `StaleGeneration` when the client is no longer in the
    /// captured generation, or the coordinator says so; `Retriable` when no answer came in time: they may be committed all the same,
    /// also later. Between the look at the generation and the sending the client may rejoin in the background, and then it commits as
    /// a member of a newer generation: so nothing may rest on these offsets alone.
    fn commit_offsets(&mut self, offsets: &[(TopicPartition, Offset)], generation: &Generation, timeout: Duration)
    -> Result<(), PortError>;

    /// Begins to leave the group; keep polling until [`Membership::has_left`].
    fn leave(&mut self);

    /// True when the coordinator has forgotten this member.
    fn has_left(&self) -> bool;

    /// Begins to join again, after having left.
    fn rejoin(&mut self) -> Result<(), PortError>;

    /// Begins anew, as a client that the group does not know: after it has fenced this one.
    fn renew(&mut self) -> Result<(), PortError>;

    /// False when the client is known to have gone on to another generation in the background: under this one nothing can be committed
    /// any more. Quick, asks no broker.
    fn is_current(&self, generation: &Generation) -> bool;

    /// The generation at this moment, under which nothing may be committed; see [`crate::faults::Sabotage::TakeFreshGeneration`].
    #[cfg(any(test, feature = "faults"))]
    fn fresh_generation(&self) -> Option<Generation> {
        None
    }
}
