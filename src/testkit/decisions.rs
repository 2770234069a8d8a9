//! Given–when–then for an aggregate: no Kafka, no topology, no clock.

use std::fmt::Debug;

use crate::codec;
use crate::command::{Actor, Aggregate, DecisionContext, EventMeta, Rejection, event_id};
use crate::record::Timestamp;

/// One aggregate and what has happened to it.
///
/// ```text
/// Decisions::of(Bank, id).given_facts([Opened]).when(Withdraw(7)).rejected("overdrawn").when(Deposit(7)).then([Deposited(7)]);
/// ```
pub struct Decisions<A: Aggregate> {
    aggregate: A,
    id: A::Id,
    state: Option<A::State>,
    now: Timestamp,
    actor: Option<Actor>,
    commands: usize,
}

impl<A: Aggregate> Decisions<A> {
    /// Nothing has happened yet.
    pub fn of(aggregate: A, id: impl Into<A::Id>) -> Self {
        Decisions { aggregate, id: id.into(), state: None, now: Timestamp(0), actor: None, commands: 0 }
    }

    /// From now on it is this time.
    pub fn at(self, now: Timestamp) -> Self {
        Decisions { now, ..self }
    }

    /// From now on this one gives the commands.
    pub fn by(self, actor: Actor) -> Self {
        Decisions { actor: Some(actor), ..self }
    }

    /// These events have come from the log, of whatever writer.
    pub fn given(mut self, events: impl IntoIterator<Item = A::Event>) -> Self {
        events.into_iter().for_each(|event| self.evolve(&event));
        self
    }

    /// These facts have come about by commands.
    pub fn given_facts(mut self, facts: impl IntoIterator<Item = A::Fact>) -> Self {
        self.commands += 1;
        facts.into_iter().enumerate().for_each(|(index, fact)| self.happen(index, fact));
        self
    }

    /// This is asked.
    pub fn when(mut self, command: A::Command) -> Decided<A> {
        self.commands += 1;
        let (state, command_id) = (self.state.as_ref(), self.command_id());
        let context = DecisionContext { now: self.now, actor: self.actor.as_ref(), command_id: &command_id };
        let admitted = self.aggregate.admit(state, &command, &context);
        let decided = admitted.and_then(|()| self.aggregate.decide(state, &command, &context));
        Decided { before: self, decided }
    }

    /// The state as it is now.
    pub fn state(&self) -> Option<&A::State> {
        self.state.as_ref()
    }

    fn command_id(&self) -> String {
        format!("command-{}", self.commands)
    }

    fn happen(&mut self, index: usize, fact: A::Fact) {
        let command_id = self.command_id();
        let meta = EventMeta {
            event_id: event_id(&command_id, index, self.now),
            time: self.now,
            command_id: &command_id,
            correlation_id: &command_id,
            actor: self.actor.as_ref(),
        };
        let event = self.aggregate.event(self.state.as_ref(), &self.id, fact, &meta);
        self.evolve(&event);
        // As each event that a handler writes does.
        let before = self.bytes();
        self.evolve(&event);
        assert!(before == self.bytes(), "an event that comes back from its topic changes the state");
    }

    fn evolve(&mut self, event: &A::Event) {
        let evolved = self.aggregate.evolve(&mut self.state, event, self.now);
        evolved.unwrap_or_else(|error| panic!("an event cannot be applied: {error}"));
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = self.state.as_ref().map_or(Ok(()), |state| codec::encode_row(state, &mut bytes));
        written.unwrap_or_else(|error| panic!("the state cannot be written: {error}"));
        bytes
    }
}

/// What a command led to.
pub struct Decided<A: Aggregate> {
    before: Decisions<A>,
    decided: Result<Vec<A::Fact>, Rejection>,
}

impl<A: Aggregate> Decided<A>
where
    A::Fact: PartialEq + Debug,
{
    /// It led to these facts, which have happened now.
    ///
    /// # Panics
    /// It led to others, or was rejected; or their events change the state again when they come back.
    #[track_caller]
    pub fn then(self, facts: impl IntoIterator<Item = A::Fact>) -> Decisions<A> {
        let Decided { before: mut decisions, decided } = self;
        let decided = decided.unwrap_or_else(|rejection| panic!("rejected: {} ({})", rejection.code, rejection.detail));
        assert_eq!(decided, facts.into_iter().collect::<Vec<_>>());
        decided.into_iter().enumerate().for_each(|(index, fact)| decisions.happen(index, fact));
        decisions
    }

    /// It was rejected with this code.
    ///
    /// # Panics
    /// It was rejected with another one, or not at all.
    #[track_caller]
    pub fn rejected(self, code: &str) -> Decisions<A> {
        assert_eq!(self.rejection().code, code, "{}", self.rejection().detail);
        self.before
    }

    /// Why it was rejected.
    ///
    /// # Panics
    /// It was not.
    #[track_caller]
    pub fn rejection(&self) -> &Rejection {
        match &self.decided {
            Err(rejection) => rejection,
            Ok(facts) => panic!("not rejected: it led to {facts:?}"),
        }
    }
}
