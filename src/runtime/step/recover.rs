//! Doing what must follow a failure; [`super::consequence`] decides what that is.

use super::active_task::Slot;
use super::consequence::{Consequence, Doing, consequence};
use super::patience::{Patience, SLICE};
use super::stream_thread::{Phase, StreamThread};
use super::{Guarantee, ThreadError};
use crate::faults::{self, Sabotage};
use crate::ports::{DataConsumer as _, PortError, PortErrorClass, ThreadPorts, TransactionalProducer as _};
use crate::state::StoreError;
use crate::task::TaskError;
use crate::topology::TaskId;

/// So many failed producers within five minutes are borne.
const MAX_FAILURES: usize = 3;

impl<P: ThreadPorts> StreamThread<P> {
    /// A transaction failed: does what [`consequence`] says.
    pub(super) fn recover(&mut self, error: PortError) -> Result<(), ThreadError> {
        tracing::warn!(thread = self.parts.name, class = ?error.class, %error, "transaction failed");
        let in_transaction = self.parts.settings.guarantee == Guarantee::ExactlyOnce;
        let count = |result| {
            if in_transaction {
                self.parts.metrics.processing.transactions.with_label_values(&[result]).inc();
            }
        };
        match consequence(Doing::Transaction, error.class) {
            Consequence::Abort | Consequence::Again => {
                count("aborted");
                self.abort()
            }
            Consequence::AbortCounted | Consequence::AgainCounted => {
                count("aborted");
                self.abort()?;
                self.count_failure(error)
            }
            // Whether another process took our id is for the group's poll to say.
            Consequence::AbortAndAwaitAssignment => {
                count("refused");
                self.generation_refused = true;
                self.abort()
            }
            Consequence::StartOver => {
                count("indefinite");
                if self.parts.settings.sabotaged.is(Sabotage::TakeIndefiniteForAborted) {
                    self.transaction = None;
                    self.unheard.clear();
                    self.phase = Phase::ReplaceProducer;
                    return self.rewind_all();
                }
                self.start_over();
                Ok(())
            }
            Consequence::StartOverCounted => {
                count("aborted");
                self.start_over();
                self.count_failure(error)
            }
            Consequence::Stop(stop) => Err(stop.with(error)),
        }
    }

    /// A failure outside of a transaction: there is nothing to undo.
    pub(super) fn go_on_or_stop(&mut self, doing: Doing, error: PortError) -> Result<(), ThreadError> {
        match consequence(doing, error.class) {
            Consequence::Stop(stop) => Err(stop.with(error)),
            Consequence::Again => {
                tracing::warn!(thread = self.parts.name, ?doing, %error, "will be tried again");
                Ok(())
            }
            _ => self.count_failure(error),
        }
    }

    /// A task's own failure: the transaction is aborted, and the task opened again.
    pub(super) fn task_failed(&mut self, token: i32, task: TaskId, cause: TaskError) -> Result<(), ThreadError> {
        if !matches!(cause, TaskError::Store(_)) {
            return Err(ThreadError::Task { task, cause });
        }
        // A damaged database is replaced; any other failure may come again.
        self.apply_failures += usize::from(!is_damage(&cause));
        if self.apply_failures > MAX_FAILURES {
            return Err(ThreadError::Task { task, cause });
        }
        // First: a database that fails cannot go back to its last commit by itself.
        self.want(token);
        self.abort()
    }

    /// A reader, or RocksDB itself, has found a database damaged: its task is opened again, which rebuilds it.
    pub(super) fn reopen_damaged(&mut self) -> Result<(), ThreadError> {
        let damage = |(token, slot): (&i32, &Slot<_>)| {
            let database = slot.active()?.task.database().database();
            let detail = database.damage()?.to_string();
            Some((*token, StoreError::Damaged { path: database.path(), detail }))
        };
        let damaged: Vec<(i32, StoreError)> = self.slots.iter().filter_map(damage).collect();
        for (token, cause) in damaged {
            let Some(task) = self.parts.tokens.task(token).cloned() else { continue };
            tracing::error!(%task, error = %cause, "task starts again");
            self.task_failed(token, task, cause.into())?;
        }
        Ok(())
    }

    /// Ends the transaction with everything undone.
    fn abort(&mut self) -> Result<(), ThreadError> {
        if self.parts.settings.guarantee == Guarantee::AtLeastOnce {
            self.leave_attempt();
            return Ok(());
        }
        self.outputs.clear();
        self.unheard.clear();
        self.foresight.forget_places();
        faults::point("abort-begun");
        if self.transaction.take().is_some() {
            let clock = self.parts.clock.clone();
            match Patience::for_abort(&*clock).call(|slice| self.parts.producer.abort(slice), PortErrorClass::Indefinite) {
                Ok(answered) => self.replace_if_late_copies_may_come(answered.at_once),
                Err(error) => {
                    tracing::warn!(thread = self.parts.name, %error, "abort failed");
                    self.start_over();
                    return Ok(());
                }
            }
        }
        self.last_membership_poll = None;
        faults::point("abort-answered");
        self.rewind_all()
    }

    /// A late copy of the request that ended this transaction could otherwise end the next one.
    pub(super) fn replace_if_late_copies_may_come(&mut self, answered_at_once: bool) {
        let suspect = !answered_at_once || self.parts.producer.connection_lost();
        if suspect && !self.parts.settings.sabotaged.is(Sabotage::KeepSuspectProducer) {
            self.phase = Phase::ReplaceProducer;
        }
    }

    /// All tasks go back to their last commit and read on from there.
    fn rewind_all(&mut self) -> Result<(), ThreadError> {
        let mut failed = Vec::new();
        for (token, active) in self.slots.iter_mut().filter_map(|(token, slot)| Some((token, slot.active_mut()?))) {
            let plan = active.task.plan().clone();
            if self.parts.settings.sabotaged.is(Sabotage::KeepRowsOnAbort) {
                active.task.sabotage_keep_rows();
            }
            if let Err(cause) = active.task.abort() {
                match cause {
                    TaskError::Store(_) => failed.push((*token, plan.id.clone(), cause)),
                    cause => return Err(ThreadError::Task { task: plan.id.clone(), cause }),
                }
                continue;
            }
            active.group.clear();
            active.meter.undone();
            if self.parts.settings.sabotaged.is(Sabotage::ForgetToSeek) {
                continue;
            }
            let partitions: Vec<_> = plan.source_partitions().cloned().collect();
            let positions: Vec<_> = partitions.iter().cloned().zip(active.task.next_offsets().iter().copied()).collect();
            self.parts.data.unassign(&partitions).map_err(ThreadError::Port)?;
            self.parts.data.assign(&positions).map_err(ThreadError::Port)?;
        }
        // No transaction is open any more: this ends when each has failed once.
        failed.into_iter().try_for_each(|(token, task, cause)| self.task_failed(token, task, cause))
    }

    /// Without transactions nothing is undone in Kafka: the tasks are opened again, which finds what stands behind their markers.
    fn leave_attempt(&mut self) {
        self.measures_rows |= self.slots.values().filter_map(Slot::active).any(|active| active.task.measures_rows());
        self.start_over();
    }

    /// Nothing is known for sure any more: every task is opened anew, after a new producer has ended what the old one left.
    fn start_over(&mut self) {
        self.outputs.clear();
        self.unheard.clear();
        self.transaction = None;
        self.last_membership_poll = None;
        self.reopen_all();
        (self.phase, self.left_open) = (Phase::ReplaceProducer, true);
    }

    /// Tries once to replace the producer; the group was polled before.
    pub(super) fn replace_producer(&mut self) -> Result<(), ThreadError> {
        faults::point("producer-replacing");
        match self.parts.producer.replace(SLICE) {
            Ok(()) => {
                // It has ended what the one before left open: with marks.
                self.foresight.forget_places();
                faults::point("producer-replaced");
                tracing::debug!(thread = self.parts.name, "producer is ready");
                self.parts.metrics.processing.producers_replaced.inc();
                (self.phase, self.left_open) = (Phase::Ready, false);
                Ok(())
            }
            Err(error) => self.go_on_or_stop(Doing::ReplacingProducer, error),
        }
    }

    fn count_failure(&mut self, cause: PortError) -> Result<(), ThreadError> {
        let now = self.now();
        match self.producer_failures.add(now) {
            times if times > MAX_FAILURES => Err(ThreadError::ProducerFails { times, cause }),
            _ => Ok(()),
        }
    }
}

fn is_damage(cause: &TaskError) -> bool {
    matches!(cause, TaskError::Store(error) if error.is_damage())
}
