//! Answers commands, one after the other, on the states of its task.
//!
//! The order of what is asked: is it late (`deadline-exceeded`)? Was its key seen (the outcome again, or `idempotency-key-reused`)? Is it
//! valid (`validation-failed`)? Can it be remembered (`overloaded`)? May its sender know of the aggregate? Has that the expected version
//! (`version-mismatch`)? Then it is decided.

use std::sync::Arc;

use super::identity::{event_id, id_of_place, key_text};
use super::seen::{Seen, SeenCommand};
use super::unread::Unread;
use super::{
    Aggregate, CommandRecord, DEADLINE_EXCEEDED, DecisionContext, EventMeta, IDEMPOTENCY_KEY_REUSED, OUTCOME_LOST, OVERLOADED, Outcome,
    Rejection, VERSION_MISMATCH,
};
use crate::faults::Sabotage;
use crate::processor::{Output, ProcessResult, Processor, ProcessorContext, ProcessorError, PunctuationId, StoreRef};
use crate::record::{Record, Timestamp};

/// The processor of an aggregate's commands.
pub(super) struct Handler<A: Aggregate> {
    pub aggregate: Arc<A>,
    pub states: StoreRef<A::Id, A::State>,
    pub unread: Unread<A>,
    pub seen: Seen<A>,
    pub events: Output<A::Id, A::Event>,
    pub outcomes: Output<String, Outcome>,
}

/// A command with what it is known by.
struct Asked<'a, A: Aggregate> {
    id: &'a A::Id,
    command_id: &'a str,
    record: &'a CommandRecord<A::Command>,
    now: Timestamp,
    /// Under which its outcome is kept.
    key: (A::Id, String),
    /// With what is told of the command.
    unanswered: Outcome,
}

/// What a command leads to: its outcome, and what it is counted as.
type Answered = Result<(Outcome, &'static str), ProcessorError>;

impl<A: Aggregate> Processor<A::Id, CommandRecord<A::Command>> for Handler<A> {
    fn process(&mut self, context: &mut ProcessorContext<'_>, record: Record<A::Id, CommandRecord<A::Command>>) -> ProcessResult {
        let Record { key: id, value: command, timestamp: now, .. } = record;
        let aggregate_id = key_text(&id);
        if let Some(other) = command.aggregate_id.as_ref().filter(|other| **other != aggregate_id) {
            return Err(ProcessorError::Misplaced(format!("the key is {aggregate_id:?}, the aggregateId {other:?}")));
        }
        let command_id = command.command_id.clone().unwrap_or_else(|| id_of_place(context.record()));
        let asked = Asked {
            id: &id,
            command_id: &command_id,
            record: &command,
            now,
            key: (id.clone(), command.dedupe_key(&command_id)),
            unanswered: Outcome { request_id: command.request_id.clone(), ..Outcome::pending(command_id.as_str(), aggregate_id, now) },
        };
        if context.is_replay() {
            return self.note(context, &asked);
        }
        let (outcome, counted) = self.answer(context, &asked)?;
        context.count(counted);
        context.forward(self.outcomes, Record::new(command_id, outcome, now))
    }

    fn punctuate(&mut self, context: &mut ProcessorContext<'_>, _id: PunctuationId, _time: Timestamp) -> ProcessResult {
        self.seen.expire(context)
    }
}

impl<A: Aggregate> Handler<A> {
    fn answer(&self, context: &mut ProcessorContext<'_>, asked: &Asked<'_, A>) -> Answered {
        if asked.is_late(context) {
            let late = Rejection::new(DEADLINE_EXCEEDED, "the command came to its handler after its deadline, and was not carried out");
            return Ok((asked.rejected(late, None), "command-expired"));
        }
        let seen = self.seen.find(context, &asked.key)?;
        if let Some(seen) = seen.filter(|_| !context.sabotaged(Sabotage::ForgetSeenCommands)) {
            return asked.answer_again(&seen);
        }
        let command = match &asked.record.command {
            Ok(command) => command,
            Err(rejection) => return Ok((asked.rejected(rejection.clone(), None), "command-rejected")),
        };
        if self.seen.is_full(context)? {
            let full = Rejection::new(OVERLOADED, "there are as many commands to remember as may be; try again later");
            return Ok((asked.rejected(full, None), "command-overloaded"));
        }
        let answered = self.decide(context, asked, command)?;
        if answered.0.is_kept() {
            self.seen.keep(context, &asked.key, asked.record.digest.as_ref(), &answered.0)?;
        }
        Ok(answered)
    }

    fn decide(&self, context: &mut ProcessorContext<'_>, asked: &Asked<'_, A>, command: &A::Command) -> Answered {
        let (aggregate, actor) = (&*self.aggregate, asked.record.actor.as_ref());
        let mut state = context.store(self.states).get(asked.id)?.as_deref().cloned();
        if !context.sabotaged(Sabotage::ForgetUnreadEvents) && !self.unread.apply(context, aggregate, asked.id, &mut state)? {
            let full = Rejection::new(OVERLOADED, "too many events of this one have not been read back yet; try again later");
            return Ok((asked.rejected(full, None), "command-overloaded"));
        }
        let version = aggregate.version(state.as_ref());
        let given = DecisionContext { now: asked.now, actor, command_id: asked.command_id };
        let decided = aggregate.admit(state.as_ref(), command, &given).and_then(|()| match asked.record.expected_version {
            Some(expected) if expected != version => Err(mismatch(expected, version)),
            _ => aggregate.decide(state.as_ref(), command, &given),
        });
        let facts = match decided {
            Ok(facts) => facts,
            Err(rejection) => return Ok((asked.rejected(rejection, state.as_ref().map(|_| version)), "command-rejected")),
        };
        let mut events = Vec::with_capacity(facts.len());
        for (index, fact) in facts.into_iter().enumerate() {
            let meta = EventMeta {
                event_id: event_id(asked.command_id, index, asked.now),
                time: asked.now,
                command_id: asked.command_id,
                correlation_id: asked.record.correlation_id.as_deref().unwrap_or(asked.command_id),
                actor,
            };
            let event = aggregate.event(state.as_ref(), asked.id, fact, &meta);
            if aggregate.event_id(&event) != Some(meta.event_id) {
                // It would be taken for one that never comes back.
                return Err(ProcessorError::rejected("the event that the aggregate made does not tell the id that it was given"));
            }
            aggregate.evolve(&mut state, &event, asked.now)?;
            events.push((meta.event_id, event));
        }
        let (data, version) = (aggregate.describe(asked.id, state.as_ref()), aggregate.version(state.as_ref()));
        if !events.is_empty() {
            self.unread.add(context, asked.id, &events, asked.now)?;
        }
        for (_, event) in events {
            let headers = aggregate.headers(&event);
            context.forward(self.events, Record { key: asked.id.clone(), value: event, timestamp: asked.now, headers })?;
        }
        Ok((asked.unanswered.clone().succeeded(data, version), "command-succeeded"))
    }

    /// In a replay: the command was handled, but its outcome is not at hand. It must not be decided when it comes again.
    fn note(&self, context: &mut ProcessorContext<'_>, asked: &Asked<'_, A>) -> ProcessResult {
        if asked.record.command.is_err() || asked.is_late(context) || self.seen.find(context, &asked.key)?.is_some() {
            return Ok(());
        }
        let lost = Rejection::new(OUTCOME_LOST, "the command was handled before; what became of it is not known any more");
        self.seen.keep(context, &asked.key, asked.record.digest.as_ref(), &asked.rejected(lost, None))
    }
}

fn mismatch(expected: u64, version: u64) -> Rejection {
    Rejection::new(VERSION_MISMATCH, format!("the command expects version {expected}, the current version is {version}"))
        .with("currentVersion", &version)
}

impl<A: Aggregate> Asked<'_, A> {
    fn is_late(&self, context: &ProcessorContext<'_>) -> bool {
        self.record.deadline.is_some_and(|deadline| deadline < self.now.max(context.stream_time()))
    }

    fn rejected(&self, rejection: Rejection, version: Option<u64>) -> Outcome {
        self.unanswered.clone().rejected(rejection, version)
    }

    /// The outcome of the command that came first, told to whoever waits now.
    fn answer_again(&self, seen: &SeenCommand) -> Answered {
        if let (Some(then), Some(now)) = (&seen.digest, &self.record.digest)
            && then != now
        {
            let reused = Rejection::new(IDEMPOTENCY_KEY_REUSED, "the key was used before, for a command that is not the same");
            return Ok((self.rejected(reused, None), "command-rejected"));
        }
        let first: Outcome = serde_json::from_str(&seen.outcome)
            .map_err(|error| ProcessorError::rejected(format!("the outcome of a command that was seen cannot be read: {error}")))?;
        let Outcome { command_id, request_id, .. } = self.unanswered.clone();
        Ok((Outcome { command_id, request_id, replayed: true, ..first }, "command-replayed"))
    }
}
