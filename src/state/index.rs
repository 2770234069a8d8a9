//! Secondary indexes of a store: which index rows a change of a row takes away and adds.
//!
//! An index row has the bytes `[index key][key of the row]` and no value. It is derived from its row and written in the same batch,
//! so it has no changelog: it is made again where the rows are restored.

use std::any::Any;
use std::sync::Arc;

use super::{Batch, Column};
use crate::codec::CodecError;

/// Calls back with the encoded index keys of a row, each once.
pub(crate) type IndexKeys<K, V> = Arc<dyn Fn(&K, &V, &mut dyn FnMut(&[u8])) + Send + Sync>;

/// An index as declared, with its types erased.
pub(crate) struct IndexDef {
    pub name: String,
    /// The [`IndexKeys`] of its store's types.
    pub keys: Arc<dyn Any + Send + Sync>,
    /// Where in an index row the key of its row starts.
    pub key_starts: fn(&[u8]) -> Result<usize, CodecError>,
}

/// An index of a task's store.
pub(crate) struct StoreIndex<K, V> {
    pub column: Column,
    pub keys: IndexKeys<K, V>,
}

impl<K: 'static, V: 'static> StoreIndex<K, V> {
    /// The index of a declaration, in its column.
    pub(crate) fn new(column: Column, definition: &IndexDef) -> Self {
        let keys = definition.keys.downcast_ref::<IndexKeys<K, V>>().expect("an Index carries the types of its store");
        StoreIndex { column, keys: keys.clone() }
    }
}

/// Buffers that are used again from row to row.
#[derive(Default)]
pub(crate) struct IndexScratch {
    old: KeyList,
    new: KeyList,
}

impl IndexScratch {
    /// Appends what a change of a row makes of its index rows. Most changes make nothing.
    pub(crate) fn delta<K, V>(&mut self, index: &StoreIndex<K, V>, key: (&K, &[u8]), old: Option<&V>, new: Option<&V>, batch: &mut Batch) {
        for (list, row) in [(&mut self.old, old), (&mut self.new, new)] {
            list.clear();
            if let Some(row) = row {
                (index.keys)(key.0, row, &mut |index_key| list.push(index_key, key.1));
            }
        }
        if self.old == self.new {
            return;
        }
        self.old.iter().filter(|row| !self.new.contains(row)).for_each(|row| batch.delete(index.column, row));
        self.new.iter().filter(|row| !self.old.contains(row)).for_each(|row| batch.put(index.column, row, &[]));
    }
}

/// Some keys in one buffer.
#[derive(Default, PartialEq)]
struct KeyList {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl KeyList {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn push(&mut self, index_key: &[u8], key: &[u8]) {
        self.bytes.extend_from_slice(index_key);
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    fn contains(&self, key: &[u8]) -> bool {
        self.iter().any(|known| known == key)
    }
}
