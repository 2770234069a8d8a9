//! What a processor can do while it handles a record.

use std::ops::Range;
use std::sync::Arc;

use super::scope::TaskScope;
use super::{IndexRef, Output, ProcessResult, ProcessorError, StoreRef};
use crate::codec::{self, KeyCodec, StoreKey, StoreValue};
use crate::faults::Sabotage;
use crate::record::{Data, Headers, Offset, Record, Timestamp};
use crate::state::{KeyRange, KeyValueStore, TypedStore};

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

    /// At most `limit` rows by an index, each with the index key that finds it, in the order of the index. They are told as of the last
    /// commit: rows that were changed since may be other ones now, so look at each.
    pub fn committed<I: KeyCodec, K: StoreKey, V: StoreValue>(
        &self,
        index: IndexRef<I, K, V>,
        range: Range<I>,
        limit: usize,
    ) -> Result<Vec<(I, K)>, ProcessorError> {
        let range = KeyRange::between(&range);
        let (mut found, mut failed) = (Vec::new(), None);
        if limit > 0 && !range.is_empty() {
            self.scope.committed(index.store, index.at, &range, &mut |row| {
                match codec::decode_whole_key::<(I, K)>(row) {
                    Ok(keys) => found.push(keys),
                    Err(error) => failed = Some(error),
                }
                failed.is_none() && found.len() < limit
            })?;
        }
        failed.map_or(Ok(found), |error| Err(error.into()))
    }

    /// True when the sources are read once more, for stores that were added to the task. Outputs go nowhere then, and records come by
    /// their time, not in the order in which they came first: a processor that decides something must not decide it again.
    pub fn is_replay(&self) -> bool {
        self.scope.is_replay()
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

    /// Whether this rule is broken on purpose.
    pub(crate) fn sabotaged(&self, rule: Sabotage) -> bool {
        self.scope.sabotaged().is(rule)
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
