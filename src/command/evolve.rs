//! Makes the states, by the events of the log alone: those of the handler, and those of other writers.

use std::sync::Arc;

use super::Aggregate;
use crate::codec::{self, CodecError};
use crate::processor::{ProcessResult, Processor, ProcessorContext, StoreRef};
use crate::record::Record;

/// The processor of an aggregate's events.
pub(super) struct Evolve<A: Aggregate> {
    pub aggregate: Arc<A>,
    pub states: StoreRef<A::Id, A::State>,
}

impl<A: Aggregate> Processor<A::Id, A::Event> for Evolve<A> {
    fn process(&mut self, context: &mut ProcessorContext<'_>, record: Record<A::Id, A::Event>) -> ProcessResult {
        let mut states = context.store(self.states);
        let old = states.get(&record.key)?;
        let mut new = old.as_deref().cloned();
        self.aggregate.evolve(&mut new, &record.value, record.timestamp)?;
        // An event that says nothing new must not write the row again.
        if bytes(old.as_deref())? == bytes(new.as_ref())? {
            return Ok(());
        }
        match new {
            Some(state) => states.put(&record.key, state)?,
            None => states.delete(&record.key)?,
        }
        Ok(())
    }
}

fn bytes<V: codec::StoreValue>(state: Option<&V>) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::new();
    state.map_or(Ok(()), |state| codec::encode_row(state, &mut bytes))?;
    Ok(bytes)
}
