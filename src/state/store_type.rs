//! What is done with a store's rows where their types are not known: making the store, deriving indexes, showing JSON.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::index::{IndexScratch, StoreIndex};
use super::{Batch, Column, ErasedStore, IndexDef, StoreError, TaskDatabase, TypedStore};
use crate::codec::{self, CodecError, StoreKey, StoreValue};

/// The types of a store, erased.
pub(crate) trait StoreType: Send + Sync {
    /// The store of a task.
    fn make(&self, name: &str, column: Column, indexes: &[(Column, &IndexDef)], database: Arc<TaskDatabase>) -> Box<dyn ErasedStore>;

    /// Derives index rows from rows as bytes.
    fn indexer(&self, name: &str, indexes: &[(Column, &IndexDef)]) -> Box<dyn RowIndexer>;

    /// How its keys are written; see [`KeyCodec::key_shape`](crate::codec::KeyCodec::key_shape).
    fn key_shape(&self) -> String;

    /// A key and a row as JSON, as they write themselves: exact numbers keep their digits.
    fn row_json(&self, key: &[u8], row: &[u8]) -> Result<(Box<RawValue>, Box<RawValue>), CodecError>;

    /// The typed key of a JSON value, and its bytes in the store. The key is of the store's key type.
    fn key_from_json(&self, key: Value) -> Result<(Box<dyn Any + Send>, Vec<u8>), CodecError>;
}

/// Derives index rows from rows as bytes: while restoring and filling, where no working set is.
pub(crate) trait RowIndexer: Send {
    /// Appends what a change of a row makes of its index rows.
    fn delta(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>, batch: &mut Batch) -> Result<(), StoreError>;
}

/// [`StoreType`] of these types.
pub(crate) struct RowTypes<K, V>(PhantomData<fn() -> (K, V)>);

impl<K, V> Default for RowTypes<K, V> {
    fn default() -> Self {
        RowTypes(PhantomData)
    }
}

fn typed<K: 'static, V: 'static>(indexes: &[(Column, &IndexDef)]) -> Vec<StoreIndex<K, V>> {
    indexes.iter().map(|(column, definition)| StoreIndex::new(*column, definition)).collect()
}

impl<K: StoreKey, V: StoreValue> StoreType for RowTypes<K, V> {
    fn make(&self, name: &str, column: Column, indexes: &[(Column, &IndexDef)], database: Arc<TaskDatabase>) -> Box<dyn ErasedStore> {
        Box::new(TypedStore::<K, V>::new(name.to_string(), column, typed(indexes), database))
    }

    fn indexer(&self, name: &str, indexes: &[(Column, &IndexDef)]) -> Box<dyn RowIndexer> {
        Box::new(Indexer::<K, V> { store: name.to_string(), indexes: typed(indexes), scratch: IndexScratch::default() })
    }

    fn key_shape(&self) -> String {
        K::key_shape()
    }

    fn row_json(&self, key: &[u8], row: &[u8]) -> Result<(Box<RawValue>, Box<RawValue>), CodecError> {
        let json = |e: serde_json::Error| CodecError::new(format!("cannot be shown as JSON: {e}"));
        let key = to_raw_value(&codec::decode_whole_key::<K>(key)?).map_err(json)?;
        Ok((key, to_raw_value(&codec::decode_row::<V>(row)?).map_err(json)?))
    }

    fn key_from_json(&self, key: Value) -> Result<(Box<dyn Any + Send>, Vec<u8>), CodecError> {
        let key: K = serde_json::from_value(key).map_err(|e| CodecError::new(format!("is no key of this store: {e}")))?;
        let bytes = codec::encode_whole_key(&key);
        Ok((Box::new(key), bytes))
    }
}

struct Indexer<K, V> {
    store: String,
    indexes: Vec<StoreIndex<K, V>>,
    scratch: IndexScratch,
}

impl<K: StoreKey, V: StoreValue> RowIndexer for Indexer<K, V> {
    fn delta(&mut self, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>, batch: &mut Batch) -> Result<(), StoreError> {
        if self.indexes.is_empty() || old == new {
            return Ok(());
        }
        let failed = |source| StoreError::Codec { store: self.store.clone(), source };
        let row = |bytes: Option<&[u8]>| bytes.map(codec::decode_indexed_row::<V>).transpose().map_err(failed);
        let typed_key = codec::decode_whole_key::<K>(key).map_err(failed)?;
        let (old, new) = (row(old)?, row(new)?);
        for index in &self.indexes {
            self.scratch.delta(index, (&typed_key, key), old.as_ref(), new.as_ref(), batch);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize, Serializer};

    use super::*;

    /// A number that writes itself exactly.
    #[derive(Clone, Deserialize)]
    struct Exact(String);

    impl Serialize for Exact {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match serializer.is_human_readable() {
                true => RawValue::from_string(self.0.clone()).expect("it is a number").serialize(serializer),
                false => self.0.serialize(serializer),
            }
        }
    }

    impl StoreValue for Exact {}

    #[test]
    fn exact_numbers_keep_their_digits_in_json() {
        let (key, mut row) = (codec::encode_whole_key(&7u64), Vec::new());
        codec::encode_row(&Exact("9007199254740993.10".into()), &mut row).unwrap();
        let (key, row) = RowTypes::<u64, Exact>::default().row_json(&key, &row).unwrap();
        assert_eq!((key.get(), row.get()), ("7", "9007199254740993.10"));
    }
}
