//! How a handler stands in a topology.
//!
//! ```text
//!  source of events ──┬─► <name>-evolve, or a view of the application ──► store of states
//!                     └─► <name>-settle ─► store <name>-unread                  │
//!                                                │  ┌───────────────────────────┘
//!  source of commands ────────────────────► <name>-decide ──► streams <name>-new-events, <name>-outcomes ──► sinks of the application
//!                                                └── stores commands-seen, commands-seen-count
//! ```

use std::sync::Arc;

use super::evolve::Evolve;
use super::expiry::{EXPIRY_INTERVAL, Expiry, Timed as _};
use super::handler::Handler;
use super::seen::Seen;
use super::unread::{Settle, Unread, UnreadEvents};
use super::{Aggregate, CommandLimits, CommandRecord, Outcome, SeenCommand};
use crate::codec::Codec;
use crate::processor::PunctuationType;
use crate::record::Timestamp;
use crate::topology::{CommitPace, Store, Stream, TopologyBuilder};

/// What a handler reads, and its bounds. The topics of both sources have the same keys and the same number of partitions, and the events
/// that it gives go to topics that are read here.
pub struct CommandTopology<A: Aggregate> {
    /// A source of commands.
    pub commands: Stream<A::Id, CommandRecord<A::Command>>,
    /// A source of all events that move the aggregate.
    pub events: Stream<A::Id, A::Event>,
    /// What all these events make of each one: a store of [`states`], or a view whose processor folds every event as the aggregate does,
    /// and nothing else. It is read here and never written.
    pub states: Store<A::Id, A::State>,
    /// How events are written into their topics.
    pub codec: Arc<dyn Codec<A::Event>>,
    /// What is kept of commands.
    pub limits: CommandLimits,
    /// The name of the store of commands that were seen: `commands-seen`, unless a topology has several handlers.
    pub seen_store: &'static str,
}

impl<A: Aggregate> CommandTopology<A> {
    /// With the usual bounds.
    pub fn new(
        commands: Stream<A::Id, CommandRecord<A::Command>>,
        events: Stream<A::Id, A::Event>,
        states: Store<A::Id, A::State>,
        codec: impl Codec<A::Event>,
    ) -> Self {
        CommandTopology { commands, events, states, codec: Arc::new(codec), limits: CommandLimits::default(), seen_store: "commands-seen" }
    }
}

/// What a handler gives. Both streams are to be sent to topics.
pub struct CommandHandles<A: Aggregate> {
    /// The commands that were handled, by aggregate and key.
    pub seen: Store<(A::Id, String), SeenCommand>,
    /// The events of commands, new ones only. Those of several topics are told apart by `TopologyBuilder::split`.
    pub events: Stream<A::Id, A::Event>,
    /// What became of each command, by its id.
    pub outcomes: Stream<String, Outcome>,
}

/// Declares a store `<name>-states` and a processor that keeps it by the events: for an aggregate of which there is no view.
pub fn states<A: Aggregate>(b: &mut TopologyBuilder, name: &str, aggregate: A, events: Stream<A::Id, A::Event>) -> Store<A::Id, A::State> {
    let states = b.store::<A::Id, A::State>(&format!("{name}-states"), events);
    let aggregate = Arc::new(aggregate);
    b.processor(&format!("{name}-evolve"), events, move |w| Evolve { aggregate: aggregate.clone(), states: w.store(states) });
    states
}

/// Declares the handler of an aggregate's commands: its stores and processors.
pub fn handler<A: Aggregate>(b: &mut TopologyBuilder, name: &str, aggregate: A, parts: CommandTopology<A>) -> CommandHandles<A> {
    let CommandTopology { commands, events, states, codec, limits, seen_store } = parts;
    let aggregate = Arc::new(aggregate);
    b.co_partition(states, commands);
    b.commit(commands, CommitPace::AtOnce);
    b.decide_once(commands);
    let unread = b.store::<A::Id, UnreadEvents>(&format!("{name}-unread"), events);
    b.co_partition(unread, commands);
    let seen = b.store_by::<(A::Id, String), SeenCommand, _>(seen_store, commands, |(id, _)| id.clone());
    let by_time = b.index(seen, "by-time", |_, row| Some(row.time()));
    let count = b.partial_store::<String, u64>(&format!("{seen_store}-count"));
    let new_events = b.stream(&format!("{name}-new-events"));
    let outcomes = b.stream(&format!("{name}-outcomes"));
    let settling = aggregate.clone();
    b.processor(&format!("{name}-settle"), events, move |w| Settle { aggregate: settling.clone(), rows: w.store(unread) });
    b.processor(&format!("{name}-decide"), commands, move |w| {
        w.every(EXPIRY_INTERVAL, PunctuationType::StreamTime);
        Handler {
            aggregate: aggregate.clone(),
            states: w.store(states),
            unread: Unread { rows: w.store(unread), codec: codec.clone() },
            seen: Seen {
                rows: Expiry { rows: w.store(seen), by_time: w.index(by_time), keep: limits.keep, cursor: Timestamp::MIN },
                count: w.store(count),
                max: limits.max_seen,
            },
            events: w.output(new_events),
            outcomes: w.output(outcomes),
        }
    });
    CommandHandles { seen, events: new_events, outcomes }
}

// Derives would ask the same of A.
impl<A: Aggregate> Clone for CommandHandles<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A: Aggregate> Copy for CommandHandles<A> {}
