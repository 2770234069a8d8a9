//! How one record is handled: processors, what they may do, and the nodes behind which their types vanish.

mod context;
mod error;
mod node;
mod punctuation;
mod scope;

pub use context::{ProcessorContext, RecordContext};
pub use error::{ProcessResult, ProcessorError};
pub(crate) use node::{ErasedNode, ErasedSource, ProcessorNode, SinkNode, SourceNode, SourceRecord};
pub use punctuation::{PunctuationId, PunctuationType};
pub(crate) use scope::{EdgeId, Emitted, StoreId, TaskScope};

use std::fmt;
use std::marker::PhantomData;

use crate::record::{Record, Timestamp};

/// Handles the records of one stream within one task.
///
/// A record is atomic in its task: when any processor that it reaches fails or panics, all its changes are undone, all its
/// outputs dropped, the task's processors made anew from their suppliers, and the source's poison policy decides.
pub trait Processor<K, V>: Send + 'static {
    /// Called once before the first record.
    fn init(&mut self, _context: &mut ProcessorContext<'_>) -> ProcessResult {
        Ok(())
    }

    /// Handles one record.
    fn process(&mut self, context: &mut ProcessorContext<'_>, record: Record<K, V>) -> ProcessResult;

    /// Called when a time that was asked for has come; `time` is stream time or wall-clock time, as asked.
    fn punctuate(&mut self, _context: &mut ProcessorContext<'_>, _id: PunctuationId, _time: Timestamp) -> ProcessResult {
        Ok(())
    }

    /// Called when the task leaves this thread.
    fn close(&mut self) {}
}

/// Carries types without owning values of them.
type Types<T> = PhantomData<fn() -> T>;

/// A stream that a processor may forward to. Got from `Wiring::output`.
pub struct Output<K, V> {
    pub(crate) edge: EdgeId,
    types: Types<(K, V)>,
}

/// A store that a processor may use. Got from `Wiring::store`.
pub struct StoreRef<K, V> {
    pub(crate) store: StoreId,
    types: Types<(K, V)>,
}

/// An index that a processor may read. Got from `Wiring::index`.
pub struct IndexRef<I, K, V> {
    pub(crate) store: StoreId,
    /// Which of the store's indexes.
    pub(crate) at: usize,
    types: Types<(I, K, V)>,
}

impl<I, K, V> IndexRef<I, K, V> {
    pub(crate) fn new(store: StoreId, at: usize) -> Self {
        IndexRef { store, at, types: PhantomData }
    }
}

impl<I, K, V> Clone for IndexRef<I, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<I, K, V> Copy for IndexRef<I, K, V> {}
impl<I, K, V> fmt::Debug for IndexRef<I, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexRef({} of {:?})", self.at, self.store)
    }
}

impl<K, V> Output<K, V> {
    pub(crate) fn new(edge: EdgeId) -> Self {
        Output { edge, types: PhantomData }
    }
}

impl<K, V> StoreRef<K, V> {
    pub(crate) fn new(store: StoreId) -> Self {
        StoreRef { store, types: PhantomData }
    }
}

impl<K, V> Clone for Output<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for Output<K, V> {}
impl<K, V> fmt::Debug for Output<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output({:?})", self.edge)
    }
}

impl<K, V> Clone for StoreRef<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K, V> Copy for StoreRef<K, V> {}
impl<K, V> fmt::Debug for StoreRef<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreRef({:?})", self.store)
    }
}
