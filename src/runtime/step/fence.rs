//! Told by the group that another client has this thread's place.
//!
//! That may be another process with this instance's id: then this one ends, by name. Or it is this client's own JoinGroup, come twice: when
//! brokers go and come back, an answer is lost, and the one that was sent again takes the place of the first. What is in the members
//! topic tells which it is.

use std::time::Duration;

use super::ThreadError;
use super::stream_thread::{Phase, StreamThread};
use crate::ports::{Membership as _, PortError, ThreadPorts};

/// So long another process has to be heard of: one that lives publishes itself every 2 s.
const RIVAL_HEARD_WITHIN: Duration = Duration::from_secs(4);

/// So often within five minutes a thread begins anew as another client. Two processes that do not hear of each other would do so for ever.
const MAX_RENEWALS: usize = 3;

/// What the group said, and when.
pub(super) struct Fence {
    since: Duration,
    error: PortError,
}

impl<P: ThreadPorts> StreamThread<P> {
    /// All tokens are lost: whoever has our place has them, and nothing of them may be served any more.
    pub(super) fn fenced(&mut self, error: PortError) {
        tracing::warn!(thread = self.parts.name, %error, "the group knows another client in this thread's place; looking whether that is another process");
        self.close_all();
        self.withdraw_lost();
        self.generation = None;
        self.fence = Some(Fence { since: self.now(), error });
    }

    /// Ends the thread when another process is heard of; else begins anew as a member that the group does not know yet.
    pub(super) fn settle_fence(&mut self, fence: Fence) -> Result<(), ThreadError> {
        let now = self.now();
        if self.stopping() {
            self.phase = Phase::Left;
            return Ok(());
        }
        if self.parts.status.has_rival() {
            return Err(ThreadError::FencedInstance(fence.error));
        }
        if now < fence.since + RIVAL_HEARD_WITHIN {
            self.fence = Some(fence);
            return Ok(());
        }
        if self.renewals.add(now) > MAX_RENEWALS {
            return Err(ThreadError::FencedInstance(fence.error));
        }
        tracing::warn!(thread = self.parts.name, "no other process with this instance's id is heard of: joining the group anew");
        self.parts.membership.renew().map_err(ThreadError::Port)?;
        if let Phase::Leaving { .. } = self.phase {
            // It was leaving to join anew, which it does now.
            self.phase = Phase::Ready;
        }
        Ok(())
    }
}
