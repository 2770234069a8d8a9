//! How a handler stands in a topology.
//!
//! ```text
//!  source of events ───► <name>-evolve ──┐
//!                                        store <name>-aggregate
//!  source of commands ─► <name>-decide ──┘──► streams <name>-new-events, <name>-outcomes ──► sinks of the application
//!                             └── stores commands-seen, commands-seen-count
//! ```

use std::sync::Arc;

use super::evolve::Evolve;
use super::expiry::{EXPIRY_INTERVAL, Expiry, Timed as _};
use super::handler::Handler;
use super::seen::Seen;
use super::{Aggregate, CommandLimits, CommandRecord, Outcome, SeenCommand};
use crate::processor::PunctuationType;
use crate::record::Timestamp;
use crate::topology::{Store, Stream, TopologyBuilder};

/// What a handler reads, and its bounds. The topics of both sources have the same keys and the same number of partitions, and the events
/// that it gives go to topics that are read here.
pub struct CommandTopology<A: Aggregate> {
    /// A source of commands.
    pub commands: Stream<A::Id, CommandRecord<A::Command>>,
    /// A source of all events that move the aggregate.
    pub events: Stream<A::Id, A::Event>,
    /// What is kept of commands.
    pub limits: CommandLimits,
    /// The name of the store of commands that were seen: `commands-seen`, unless a topology has several handlers.
    pub seen_store: &'static str,
}

impl<A: Aggregate> CommandTopology<A> {
    /// With the usual bounds.
    pub fn new(commands: Stream<A::Id, CommandRecord<A::Command>>, events: Stream<A::Id, A::Event>) -> Self {
        CommandTopology { commands, events, limits: CommandLimits::default(), seen_store: "commands-seen" }
    }
}

/// What a handler gives. Both streams are to be sent to topics.
pub struct CommandHandles<A: Aggregate> {
    /// The states, as the handler sees them.
    pub states: Store<A::Id, A::State>,
    /// The commands that were handled, by aggregate and key.
    pub seen: Store<(A::Id, String), SeenCommand>,
    /// The events of commands, new ones only. Those of several topics are told apart by `TopologyBuilder::split`.
    pub events: Stream<A::Id, A::Event>,
    /// What became of each command, by its id.
    pub outcomes: Stream<String, Outcome>,
}

/// Declares the handler of an aggregate's commands: its stores and processors.
pub fn handler<A: Aggregate>(b: &mut TopologyBuilder, name: &str, aggregate: A, parts: CommandTopology<A>) -> CommandHandles<A> {
    let CommandTopology { commands, events, limits, seen_store } = parts;
    let aggregate = Arc::new(aggregate);
    let states = b.store::<A::Id, A::State>(&format!("{name}-aggregate"), commands);
    b.co_partition(states, events);
    let seen = b.store_by::<(A::Id, String), SeenCommand, _>(seen_store, commands, |(id, _)| id.clone());
    let by_time = b.index(seen, "by-time", |_, row| Some(row.time()));
    let count = b.partial_store::<String, u64>(&format!("{seen_store}-count"));
    let new_events = b.stream(&format!("{name}-new-events"));
    let outcomes = b.stream(&format!("{name}-outcomes"));
    let evolving = aggregate.clone();
    b.processor(&format!("{name}-evolve"), events, move |w| Evolve { aggregate: evolving.clone(), states: w.store(states) });
    b.processor(&format!("{name}-decide"), commands, move |w| {
        w.every(EXPIRY_INTERVAL, PunctuationType::StreamTime);
        Handler {
            aggregate: aggregate.clone(),
            states: w.store(states),
            seen: Seen {
                rows: Expiry { rows: w.store(seen), by_time: w.index(by_time), keep: limits.keep, cursor: Timestamp::MIN },
                count: w.store(count),
                max: limits.max_seen,
            },
            events: w.output(new_events),
            outcomes: w.output(outcomes),
        }
    });
    CommandHandles { states, seen, events: new_events, outcomes }
}

// Derives would ask the same of A.
impl<A: Aggregate> Clone for CommandHandles<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A: Aggregate> Copy for CommandHandles<A> {}
