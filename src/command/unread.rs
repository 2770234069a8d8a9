//! The events that a handler wrote and that have not come back from their topics yet.
//!
//! States are made by the events of the log alone, in the order of the log, so that they are the same however often they are made again.
//! A decision must know more: what was decided just before it. So the handler keeps its events here until they have come back; a
//! state with these events is what it decides on. When nothing is asked the store is empty.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Aggregate;
use crate::codec::{Codec, CodecError, StoreValue};
use crate::processor::{ProcessResult, Processor, ProcessorContext, ProcessorError, StoreRef};
use crate::record::{Record, Timestamp};

/// So many events of one aggregate may be on their way; further commands are refused until some have come back.
const MAX_UNREAD: usize = 256;

/// The events of one aggregate that are on their way, in the order in which they were decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadEvents(Vec<UnreadEvent>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnreadEvent {
    id: u128,
    /// The time of its record, milliseconds since the Unix epoch.
    at: i64,
    /// As it stands in its topic.
    value: Vec<u8>,
}

impl StoreValue for UnreadEvents {}

/// The unread events of one task.
pub(super) struct Unread<A: Aggregate> {
    pub rows: StoreRef<A::Id, UnreadEvents>,
    pub codec: Arc<dyn Codec<A::Event>>,
}

impl<A: Aggregate> Unread<A> {
    /// Moves a state by the events that are on their way. One that cannot be applied will not be when it comes back either.
    ///
    /// Answers whether there is room for further ones.
    pub(super) fn apply(
        &self,
        context: &mut ProcessorContext<'_>,
        aggregate: &A,
        id: &A::Id,
        state: &mut Option<A::State>,
    ) -> Result<bool, ProcessorError> {
        let Some(unread) = context.store(self.rows).get(id)? else { return Ok(true) };
        for event in &unread.0 {
            let mut moved = state.clone();
            if aggregate.evolve(&mut moved, &self.codec.decode(Some(&event.value))?, Timestamp(event.at)).is_ok() {
                *state = moved;
            }
        }
        Ok(unread.0.len() < MAX_UNREAD)
    }

    /// Keeps events until they come back.
    pub(super) fn add(&self, context: &mut ProcessorContext<'_>, id: &A::Id, events: &[(Uuid, A::Event)], at: Timestamp) -> ProcessResult {
        let mut added = Vec::with_capacity(events.len());
        for (event_id, event) in events {
            let value = self.codec.encode(event)?.ok_or_else(|| CodecError::new("an event must not be null"))?;
            added.push(UnreadEvent { id: event_id.as_u128(), at: at.0, value });
        }
        context.store(self.rows).change(id, |row| row.get_or_insert_default().0.extend(added))?;
        Ok(())
    }
}

/// The processor that strikes off what has come back.
pub(super) struct Settle<A: Aggregate> {
    pub aggregate: Arc<A>,
    pub rows: StoreRef<A::Id, UnreadEvents>,
}

impl<A: Aggregate> Processor<A::Id, A::Event> for Settle<A> {
    fn process(&mut self, context: &mut ProcessorContext<'_>, record: Record<A::Id, A::Event>) -> ProcessResult {
        // Most events of most logs are of other writers: for those nothing is looked up.
        let Some(event_id) = self.aggregate.event_id(&record.value) else { return Ok(()) };
        let mut rows = context.store(self.rows);
        let Some(unread) = rows.get(&record.key)? else { return Ok(()) };
        let left: Vec<UnreadEvent> = unread.0.iter().filter(|event| event.id != event_id.as_u128()).cloned().collect();
        if left.is_empty() {
            rows.delete(&record.key)?;
        } else if left.len() < unread.0.len() {
            rows.put(&record.key, UnreadEvents(left))?;
        }
        Ok(())
    }
}
