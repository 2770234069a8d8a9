//! What a builder gives back: small typed names of parts, free to copy.

use std::fmt;
use std::marker::PhantomData;

use crate::processor::{EdgeId, StoreId};

/// Carries types without owning values of them.
type Types<T> = PhantomData<fn() -> T>;

/// A stream of records with these types.
pub struct Stream<K, V> {
    pub(crate) edge: EdgeId,
    types: Types<(K, V)>,
}

/// A store's rows are found by the partition of their key.
pub enum Keyed {}

/// A store has a row a partition for one key; whoever reads it puts them together.
pub enum Partial {}

/// An index of a store: `I` is the key by which rows are found, `K` and `V` the store's types.
pub struct Index<I, K, V> {
    pub(crate) store: StoreId,
    /// Which of the store's indexes.
    pub(crate) at: usize,
    types: Types<(I, K, V)>,
}

/// A store with these types; `Of` says how its rows are spread over partitions.
pub struct Store<K, V, Of = Keyed> {
    pub(crate) id: StoreId,
    types: Types<(K, V, Of)>,
}

/// A topic that a sink writes, with these types.
pub struct Sink<K, V> {
    pub(crate) sink: usize,
    types: Types<(K, V)>,
}

impl<K, V> Stream<K, V> {
    pub(super) fn new(edge: EdgeId) -> Self {
        Stream { edge, types: PhantomData }
    }
}

impl<K, V, Of> Store<K, V, Of> {
    pub(super) fn new(id: StoreId) -> Self {
        Store { id, types: PhantomData }
    }
}

impl<I, K, V> Index<I, K, V> {
    pub(super) fn new(store: StoreId, at: usize) -> Self {
        Index { store, at, types: PhantomData }
    }
}

impl<K, V> Sink<K, V> {
    pub(super) fn new(sink: usize) -> Self {
        Sink { sink, types: PhantomData }
    }
}

// Derives would ask the same of K and V.
impl<K, V> Clone for Stream<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for Stream<K, V> {}
impl<K, V> fmt::Debug for Stream<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({})", self.edge.0)
    }
}

impl<K, V, Of> Clone for Store<K, V, Of> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V, Of> Copy for Store<K, V, Of> {}
impl<K, V, Of> fmt::Debug for Store<K, V, Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.id.0)
    }
}

impl<I, K, V> Clone for Index<I, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<I, K, V> Copy for Index<I, K, V> {}
impl<I, K, V> fmt::Debug for Index<I, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} of store {})", self.at, self.store.0)
    }
}

impl<K, V> Clone for Sink<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for Sink<K, V> {}
impl<K, V> fmt::Debug for Sink<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sink({})", self.sink)
    }
}
