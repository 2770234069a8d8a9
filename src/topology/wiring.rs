//! What a processor names while it is made: its stores, its outputs, its punctuations.

use std::time::Duration;

use super::handles::{Index, Store, Stream};
use crate::codec::{StoreKey, StoreValue};
use crate::processor::{EdgeId, IndexRef, Output, PunctuationId, PunctuationType, StoreId, StoreRef};
use crate::record::Data;

/// What one node named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    pub stores: Vec<StoreId>,
    pub outputs: Vec<EdgeId>,
    pub punctuations: Vec<(Duration, PunctuationType)>,
}

/// Given to a processor's supplier: to name a store or stream here is to be connected to it.
pub struct Wiring<'a> {
    uses: &'a mut Uses,
}

impl<'a> Wiring<'a> {
    pub(super) fn new(uses: &'a mut Uses) -> Self {
        Wiring { uses }
    }

    /// Connects to a store.
    pub fn store<K: StoreKey, V: StoreValue, Of>(&mut self, store: Store<K, V, Of>) -> StoreRef<K, V> {
        if !self.uses.stores.contains(&store.id) {
            self.uses.stores.push(store.id);
        }
        StoreRef::new(store.id)
    }

    /// Connects to a store for reading it by an index.
    pub fn index<I, K: StoreKey, V: StoreValue>(&mut self, index: Index<I, K, V>) -> IndexRef<I, K, V> {
        if !self.uses.stores.contains(&index.store) {
            self.uses.stores.push(index.store);
        }
        IndexRef::new(index.store, index.at)
    }

    /// Will forward to a stream.
    pub fn output<K: Data, V: Data>(&mut self, stream: Stream<K, V>) -> Output<K, V> {
        if !self.uses.outputs.contains(&stream.edge) {
            self.uses.outputs.push(stream.edge);
        }
        Output::new(stream.edge)
    }

    /// Wants `Processor::punctuate` to be called at this interval (at least 1 ms).
    pub fn every(&mut self, interval: Duration, kind: PunctuationType) -> PunctuationId {
        self.uses.punctuations.push((interval.max(Duration::from_millis(1)), kind));
        PunctuationId(self.uses.punctuations.len() - 1)
    }
}
