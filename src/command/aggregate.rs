//! What decides: one kind of thing, its commands and its facts.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Members;
use crate::codec::{StoreKey, StoreValue};
use crate::processor::ProcessorError;
use crate::record::{Headers, Timestamp};

/// One kind of thing that decides, such as an order or an account. Pure: the same state, command and time always lead to the same facts.
pub trait Aggregate: Send + Sync + 'static {
    /// Which one of its kind; the key of its topics and of the store of its states.
    type Id: StoreKey + Send + Sync + 'static;
    /// What is remembered of one.
    type State: StoreValue;
    /// What can be asked of one.
    type Command: Clone + Send + 'static;
    /// What can happen to one, without an envelope.
    type Fact: Clone + Send + 'static;
    /// A fact as it stands in the log, also one that another writer put there.
    type Event: Clone + Send + 'static;

    /// The facts that a command leads to, or why there are none. No facts and no rejection: what is asked for is so already.
    fn decide(
        &self,
        state: Option<&Self::State>,
        command: &Self::Command,
        context: &DecisionContext<'_>,
    ) -> Result<Vec<Self::Fact>, Rejection>;

    /// Whether whoever asks may know of it at all. Asked before the version is compared, so that nobody learns the version of what is not
    /// theirs, and so that what is not there is answered as that. Everything is admitted unless this is written.
    fn admit(&self, _state: Option<&Self::State>, _command: &Self::Command, _context: &DecisionContext<'_>) -> Result<(), Rejection> {
        Ok(())
    }

    /// A fact as the next event of one's log.
    fn event(&self, state: Option<&Self::State>, id: &Self::Id, fact: Self::Fact, meta: &EventMeta<'_>) -> Self::Event;

    /// The id that stands in an event of the handler's ([`EventMeta::event_id`]); by it the handler knows that the event has come back. None
    /// for what another writer wrote, as far as can be told.
    fn event_id(&self, event: &Self::Event) -> Option<Uuid>;

    /// What an event makes of the state; one that was seen before should change nothing. `time` is that of the record, for an event that
    /// carries none.
    ///
    /// # Errors
    /// The event can never be applied; it goes to the poison policy.
    fn evolve(&self, state: &mut Option<Self::State>, event: &Self::Event, time: Timestamp) -> Result<(), ProcessorError>;

    /// The headers of an event's record; none unless this is written.
    fn headers(&self, _event: &Self::Event) -> Headers {
        Headers::default()
    }

    /// The version that a client compares: it grows with each fact that a command led to.
    fn version(&self, state: Option<&Self::State>) -> u64;

    /// What an outcome tells of the state that a command led to, such as a status.
    fn describe(&self, id: &Self::Id, state: Option<&Self::State>) -> Members;
}

/// What a decision may know besides the state and the command.
#[derive(Clone, Copy, Debug)]
pub struct DecisionContext<'a> {
    /// When the command was given: its record's time. The only clock of a decision.
    pub now: Timestamp,
    /// Who gives it, where that is known.
    pub actor: Option<&'a Actor>,
    /// The command's id.
    pub command_id: &'a str,
}

/// What the envelope of an event tells, besides the fact and its version.
#[derive(Clone, Copy, Debug)]
pub struct EventMeta<'a> {
    /// Derived from the command and the place of the fact among its facts: the same again when the command is decided again.
    pub event_id: Uuid,
    /// When it happened.
    pub time: Timestamp,
    /// The command that led to it.
    pub command_id: &'a str,
    /// What the whole conversation is known by.
    pub correlation_id: &'a str,
    /// Who gave the command.
    pub actor: Option<&'a Actor>,
}

/// Who gives a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// As the gateway in front names them.
    pub id: String,
    /// May act on what belongs to others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
}

/// Why a command is not carried out. It is an outcome, never an event.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// What programs compare, such as `invalid-transition`.
    pub code: Cow<'static, str>,
    /// What people read.
    pub detail: String,
    /// What else there is to know, such as the commands that are possible.
    pub data: Members,
}

impl Rejection {
    /// One with nothing else to know.
    pub fn new(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Rejection { code: code.into(), detail: detail.into(), data: Members::default() }
    }

    /// The same that tells this too.
    pub fn with(mut self, name: &'static str, value: &impl Serialize) -> Self {
        self.data.set(name, value);
        self
    }
}
