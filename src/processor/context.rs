//! What a processor can do while it handles a record.

use std::sync::Arc;

use super::scope::TaskScope;
use super::{Output, ProcessResult, StoreRef};
use crate::codec::{StoreKey, StoreValue};
use crate::record::{Data, Headers, Offset, Record, Timestamp};
use crate::state::{KeyValueStore, TypedStore};

/// Where the record that is being processed came from.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordContext {
    /// Full topic name.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: Offset,
    /// The record's time as Kafka has it.
    pub timestamp: Timestamp,
    /// The record's headers.
    pub headers: Headers,
}

/// The way from a processor to its task: streams, stores, the record at hand, time.
pub struct ProcessorContext<'a> {
    scope: &'a mut dyn TaskScope,
}

impl<'a> ProcessorContext<'a> {
    pub(crate) fn new(scope: &'a mut dyn TaskScope) -> Self {
        ProcessorContext { scope }
    }

    /// Gives a record to all readers of a stream, one after the other. When one of them fails, the whole input record has
    /// failed, also if this answer is ignored.
    pub fn forward<K: Data, V: Data>(&mut self, to: Output<K, V>, record: Record<K, V>) -> ProcessResult {
        forward(self.scope, to.edge, record)
    }

    /// The task's part of a store.
    pub fn store<K: StoreKey, V: StoreValue>(&mut self, store: StoreRef<K, V>) -> KeyValueStore<'_, K, V> {
        let erased = self.scope.store(store.store).as_any_mut();
        KeyValueStore::new(erased.downcast_mut::<TypedStore<K, V>>().expect("a StoreRef carries the types its store was made with"))
    }

    /// The source record that is being processed; `None` while punctuating.
    pub fn record(&self) -> Option<&RecordContext> {
        self.scope.record()
    }

    /// Adds one to `viewmill_processor_events_total{event=…}` when the record is committed: for what a processor saw and, say,
    /// left out.
    pub fn count(&mut self, event: &'static str) {
        self.scope.count(event);
    }

    /// The largest record time that this task has seen.
    pub fn stream_time(&self) -> Timestamp {
        self.scope.stream_time()
    }
}

/// Moves the record to the last reader and clones it for the others.
pub(super) fn forward<K: Data, V: Data>(scope: &mut dyn TaskScope, edge: super::EdgeId, record: Record<K, V>) -> ProcessResult {
    let children = scope.children(edge);
    let mut rest = Some(record);
    for child in 0..children {
        if child + 1 == children {
            return scope.deliver(edge, child, &mut rest);
        }
        let mut copy = rest.clone();
        scope.deliver(edge, child, &mut copy)?;
    }
    Ok(())
}
