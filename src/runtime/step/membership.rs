//! Polling: the group between transactions, the sources always.

use super::active_task::Slot;
use super::consequence::Doing;
use super::stream_thread::{MEMBERSHIP_POLL, Phase, StreamThread};
use super::{Guarantee, ThreadError};
use crate::faults::Sabotage;
use crate::ports::{Generation, Membership as _, MembershipEvent, PortError, PortErrorClass, ThreadPorts};

/// How long leaving the group may take.
const LEAVE_WITHIN: std::time::Duration = std::time::Duration::from_secs(15);

/// How long a stop waits for a producer that may have left a transaction open.
const SETTLE_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

impl<P: ThreadPorts> StreamThread<P> {
    /// Serves the group if no transaction is open, then takes over what was fetched.
    pub(super) fn poll(&mut self) -> Result<(), ThreadError> {
        let now = self.now();
        let due = self.last_membership_poll.is_none_or(|last| now >= last + MEMBERSHIP_POLL);
        let hurried =
            self.generation_refused || self.generation.is_none() || matches!(self.phase, Phase::ReplaceProducer | Phase::Leaving { .. });
        if self.transaction.is_some() && due {
            self.last_membership_poll = Some(now);
            self.give_up_if_refused()?;
        }
        if self.transaction.is_none() && (due || hurried) && self.phase != Phase::Left {
            self.last_membership_poll = Some(now);
            self.poll_membership()?;
        }
        if self.phase == Phase::ReplaceProducer {
            self.replace_producer()?;
        }
        let in_group = self.fence.is_none() && !matches!(self.phase, Phase::Leaving { .. } | Phase::Left);
        if self.stopping() && self.parts.settings.sabotaged.is(Sabotage::LeaveOpenTransaction) {
            self.transaction = None;
        }
        if in_group && self.transaction.is_none() && (self.stopping() || self.must_rejoin()) && !self.must_settle() {
            self.leave();
        }
        if !self.stopping() { self.fetch() } else { Ok(()) }
    }

    /// The client rejoins in the background, also while a transaction is open. From then on the transaction cannot be committed, and the
    /// group waits for this thread: the sooner it ends, the sooner all tasks are back.
    fn give_up_if_refused(&mut self) -> Result<(), ThreadError> {
        let settings = &self.parts.settings;
        // Without transactions the newer generation commits what was done under the older.
        if settings.guarantee == Guarantee::AtLeastOnce || settings.sabotaged.is(Sabotage::TakeFreshGeneration) {
            return Ok(());
        }
        match &self.generation {
            Some(generation) if !self.parts.membership.is_current(generation) => {
                let detail = format!("the group went on from generation {generation:?} while a transaction was open");
                self.recover(PortError::new(PortErrorClass::StaleGeneration, "work in a transaction", detail))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn poll_membership(&mut self) -> Result<(), ThreadError> {
        if let Some(fence) = self.fence.take() {
            return self.settle_fence(fence);
        }
        match self.parts.membership.poll(std::time::Duration::ZERO) {
            Ok(events) => events.into_iter().for_each(|event| self.handle(event)),
            Err(error) if error.class == PortErrorClass::FencedInstance => self.fenced(error),
            Err(error) => self.go_on_or_stop(Doing::PollingGroup, error)?,
        }
        if let Phase::Leaving { until } = self.phase
            && (self.parts.membership.has_left() || self.now() >= until)
        {
            self.phase = if self.stopping() { Phase::Left } else { self.rejoin()? };
        }
        Ok(())
    }

    /// Whether this thread is the one that joins again because tasks are without an owner, or new.
    fn must_rejoin(&self) -> bool {
        self.phase == Phase::Ready && self.generation.is_some() && self.parts.status.take_rejoin()
    }

    /// A transaction whose end is not known is ended by the producer's replacement. A stop waits for that a little: whoever is given the
    /// tasks would have to wait for the transaction's time-out.
    fn must_settle(&mut self) -> bool {
        let now = self.now();
        self.left_open && now < *self.settle_until.get_or_insert(now + SETTLE_WITHIN)
    }

    /// The group shares out all tasks when a member joins.
    fn rejoin(&mut self) -> Result<Phase, ThreadError> {
        tracing::warn!(thread = self.parts.name, "tasks are without an owner or new: left the group and join it again");
        self.generation = None;
        self.parts.membership.rejoin().map_err(ThreadError::Port)?;
        Ok(Phase::Ready)
    }

    fn handle(&mut self, event: MembershipEvent) {
        let count = |kind| self.parts.metrics.consumer.rebalances.with_label_values(&[kind]).inc();
        match event {
            MembershipEvent::Assigned { tokens, generation } => {
                count("assigned");
                tracing::info!(thread = self.parts.name, ?tokens, ?generation, "tokens assigned");
                if self.missed_a_generation(&generation) {
                    // Somebody else may have worked on what we hold: all markers are read again.
                    self.reopen_all();
                }
                self.generation = Some(generation);
                self.generation_refused &= self.parts.settings.sabotaged.is(Sabotage::StayRefused);
                tokens.into_iter().for_each(|token| self.want(token));
                self.withdraw_lost();
            }
            MembershipEvent::Revoked { tokens } => {
                count("revoked");
                tracing::info!(thread = self.parts.name, ?tokens, "tokens revoked");
                tokens.into_iter().for_each(|token| self.close(token));
                // By a newer generation, whose assignment follows when librdkafka has let go of them: for what is left here nothing can be
                // committed before it, and the group must not wait for a thread that tries.
                self.generation_refused = true;
            }
            MembershipEvent::Lost { tokens } => {
                count("lost");
                tracing::warn!(thread = self.parts.name, ?tokens, "tokens lost: the group went on without this member");
                if !self.parts.settings.sabotaged.is(Sabotage::KeepLostTokens) {
                    tokens.into_iter().for_each(|token| self.lose(token));
                }
            }
        }
    }

    fn missed_a_generation(&self, new: &Generation) -> bool {
        if self.parts.settings.sabotaged.is(Sabotage::KeepTasksOverMissedGeneration) {
            return false;
        }
        self.generation.as_ref().is_some_and(|old| old.member_id != new.member_id || new.generation_id > old.generation_id + 1)
    }

    /// Closes every task and reads its marker again.
    pub(super) fn reopen_all(&mut self) {
        let tokens: Vec<i32> = self.slots.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.want(token));
    }

    pub(super) fn close_all(&mut self) {
        let tokens: Vec<i32> = self.slots.keys().copied().collect();
        tokens.into_iter().for_each(|token| self.close(token));
    }

    fn leave(&mut self) {
        self.close_all();
        self.withdraw_lost();
        self.parts.membership.leave();
        self.phase = Phase::Leaving { until: self.now() + LEAVE_WITHIN };
    }

    fn fetch(&mut self) -> Result<(), ThreadError> {
        let mut failure = None;
        let (now, max_task_idle) = (self.now(), self.parts.settings.max_task_idle);
        for active in self.slots.values_mut().filter_map(Slot::active_mut) {
            if let Err(fault) = active.group.fill(&mut self.parts.data) {
                failure = Some(fault);
            }
            if let Some(partition) = active.group.settle(&self.parts.data, now, max_task_idle) {
                tracing::warn!(thread = self.parts.name, %partition, "brings nothing though its end is not reached; its task goes on without it");
            }
        }
        let Some((partition, error)) = failure else { return Ok(()) };
        if error.class == PortErrorClass::OffsetOutOfRange {
            self.parts.metrics.consumer.offsets_lost.inc();
            self.parts.status.set_lost(partition);
        }
        self.go_on_or_stop(Doing::Fetching, error)
    }
}
