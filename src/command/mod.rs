//! The write side: what a command leads to, decided over the event log.
//!
//! ```text
//!  command topic ──► decide: seen? in time? this version? decide(state, command) ──► facts ──► events, into their topics ─┐
//!                       │  ▲                                                                                               │ one
//!                       ▼  │ evolve(state, event)                                                                          │ transaction
//!                     store of states ◄── evolve ◄── the same event topics, also from other writers                       │
//!                       ├─► store of the commands that were seen                                                           │
//!                       └─► outcome, into its topic ───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! [`Aggregate`] is what an application writes; it is pure. [`handler()`] makes the processors and stores of it, between a source of
//! [`CommandRecord`]s and one of events, and gives the new events and the [`Outcome`]s, which the application sends to its topics.
//!
//! **One event for one decision.** A command is known by its idempotency key, or else by its id, within its aggregate. The first time, it
//! is decided, and its outcome is kept for [`CommandLimits::keep`] of stream time; after that the outcome is told again. State, outcome and
//! events are one transaction, so a decision that was cut off left nothing. The id of an event follows from the command's id and the
//! place of the fact among its facts.
//!
//! **A replay decides nothing.** When a store is added to a task, the sources are replayed for it, by record time: an order in which they
//! were not read at first. What was decided stands in the event log, so in a replay the states come from the events alone, and a
//! command only leaves the note that it was handled, under the code [`OUTCOME_LOST`]. A store that shall be filled later is therefore to be
//! fed from event topics, never from the streams that a handler gives.

mod aggregate;
mod command_json;
mod command_record;
mod evolve;
mod expiry;
mod gateway;
mod handler;
mod identity;
mod members;
mod outcome;
mod outcomes;
mod seen;
mod time;
mod unread;
mod wiring;

pub use aggregate::{Actor, Aggregate, DecisionContext, EventMeta, Rejection};
pub use command_json::{CommandData, CommandJson, read_data};
pub use command_record::CommandRecord;
pub use gateway::{Commands, GatewayLimits, NotSent, POSITION_HEADER, Sent, Told};
pub use identity::event_id;
pub use members::Members;
pub use outcome::{
    CommandState, DEADLINE_EXCEEDED, IDEMPOTENCY_KEY_REUSED, OUTCOME_LOST, OVERLOADED, Outcome, VALIDATION_FAILED, VERSION_MISMATCH,
};
pub use outcomes::{KnownCommand, outcomes};
pub use seen::{CommandLimits, SeenCommand};
pub use unread::UnreadEvents;
pub use wiring::{CommandHandles, CommandTopology, handler, states};
