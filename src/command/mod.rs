//! The write side: what a command leads to, decided over the event log.
//!
//! ```text
//!  command topic ──► handler: decide(state, command) ──► facts ──► events, into their topics ─┐
//!                       │  ▲                                                                  │ one transaction
//!                       ▼  │ evolve(state, event)                                             │
//!                     store of states ◄── the same event topics, also from other writers      │
//!                       └────────────────────────────────► outcome, into its topic ───────────┘
//! ```
//!
//! [`Aggregate`] is what an application writes; it is pure.

mod aggregate;
mod members;

pub use aggregate::{Actor, Aggregate, DecisionContext, EventMeta, Rejection};
pub use members::Members;
