//! The rows that a transaction touches, decoded, and how to undo one record.
//!
//! ```text
//!            first touch             commit: encoded once
//!  database ─────────────► row ───────────────────────────► batch + changelog
//!                           │ change: the old value goes into the journal
//!                           ▼
//!                        journal ── record failed: put back · record done: forgotten
//! ```
//!
//! Rows are shared (`Arc`): the journal, the answer to the processor and the set hold one copy. After a commit the rows stay as a
//! cache until there are too many of them.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use indexmap::IndexMap;

use super::{Batch, Change, Column, StoreError, TaskDatabase};
use crate::codec::{self, CodecError, StoreKey, StoreValue};

/// Rows that a store keeps decoded between commits; at the next commit above it the set is emptied.
const CACHED_ROWS: usize = 20_000;

/// A store of a task, whatever its types.
pub(crate) trait ErasedStore: Send {
    /// The typed store, for a downcast.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// The record is done: its changes stay.
    fn keep_record(&mut self);
    /// The record failed: its changes are undone.
    fn undo_record(&mut self);
    /// Fails if a row that the current record changed is larger than `max_bytes` when written.
    fn check_record(&self, max_bytes: usize) -> Result<(), CodecError>;
    /// How many rows wait for the commit.
    fn dirty_rows(&self) -> usize;
    /// Appends the rows that wait for the commit.
    fn collect(&self, batch: &mut Batch) -> Result<(), StoreError>;
    /// The commit is done: nothing waits any more.
    fn settle(&mut self);
    /// The commit failed: what was not committed is forgotten.
    fn discard(&mut self);
}

struct Row<V> {
    value: Option<Arc<V>>,
    /// Differs from the database.
    dirty: bool,
    /// Its value before the current record is in the journal.
    journaled: bool,
}

struct Undo<V> {
    row: usize,
    value: Option<Arc<V>>,
    dirty: bool,
}

/// A task's store with its working set.
pub(crate) struct TypedStore<K, V> {
    name: String,
    column: Column,
    database: Arc<TaskDatabase>,
    /// By encoded key. Rows leave only when no record and no commit is open, so that their indexes hold meanwhile.
    rows: IndexMap<Box<[u8]>, Row<V>, DefaultHashBuilder>,
    dirty: Vec<usize>,
    /// The length of `dirty` when the current record began.
    dirty_before_record: usize,
    journal: Vec<Undo<V>>,
    key: Vec<u8>,
    _key: PhantomData<fn(&K)>,
}

impl<K: StoreKey, V: StoreValue> TypedStore<K, V> {
    pub(crate) fn new(name: String, column: Column, database: Arc<TaskDatabase>) -> Self {
        TypedStore {
            name,
            column,
            database,
            rows: IndexMap::default(),
            dirty: Vec::new(),
            dirty_before_record: 0,
            journal: Vec::new(),
            key: Vec::new(),
            _key: PhantomData,
        }
    }

    pub(super) fn get(&mut self, key: &K) -> Result<Option<Arc<V>>, StoreError> {
        let row = self.load(key)?;
        Ok(self.rows[row].value.clone())
    }

    pub(super) fn try_change<E: From<StoreError>>(
        &mut self,
        key: &K,
        change: impl FnOnce(&mut Option<V>) -> Result<(), E>,
    ) -> Result<Change<V>, E> {
        let row = self.load(key)?;
        let old = self.rows[row].value.clone();
        let mut value = old.as_deref().cloned();
        change(&mut value)?;
        let new = value.map(Arc::new);
        self.set(row, new.clone());
        Ok(Change { old, new })
    }

    pub(super) fn replace(&mut self, key: &K, value: Option<V>) -> Result<(), StoreError> {
        let row = self.load(key)?;
        self.set(row, value.map(Arc::new));
        Ok(())
    }

    /// The index of a key's row, which is read from the database on first touch.
    fn load(&mut self, key: &K) -> Result<usize, StoreError> {
        self.key.clear();
        key.encode_key(&mut self.key);
        if let Some(row) = self.rows.get_index_of(self.key.as_slice()) {
            return Ok(row);
        }
        let mut found = None;
        self.database.database().get(self.column, &self.key, &mut |bytes| found = Some(codec::decode_row::<V>(bytes)))?;
        let value = found.transpose().map_err(|e| self.codec_error(e))?.map(Arc::new);
        let row = Row { value, dirty: false, journaled: false };
        Ok(self.rows.insert_full(self.key.as_slice().into(), row).0)
    }

    fn set(&mut self, index: usize, value: Option<Arc<V>>) {
        let row = &mut self.rows[index];
        let old = std::mem::replace(&mut row.value, value);
        if !row.journaled {
            row.journaled = true;
            self.journal.push(Undo { row: index, value: old, dirty: row.dirty });
        }
        if !row.dirty {
            row.dirty = true;
            self.dirty.push(index);
        }
    }

    fn codec_error(&self, source: CodecError) -> StoreError {
        StoreError::Codec { store: self.name.clone(), source }
    }
}

impl<K: StoreKey, V: StoreValue> ErasedStore for TypedStore<K, V> {
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn keep_record(&mut self) {
        for undo in self.journal.drain(..) {
            self.rows[undo.row].journaled = false;
        }
        self.dirty_before_record = self.dirty.len();
    }

    fn undo_record(&mut self) {
        for undo in self.journal.drain(..) {
            self.rows[undo.row] = Row { value: undo.value, dirty: undo.dirty, journaled: false };
        }
        self.dirty.truncate(self.dirty_before_record);
    }

    fn check_record(&self, max_bytes: usize) -> Result<(), CodecError> {
        let mut out = Vec::new();
        for undo in &self.journal {
            if let Some((key, Row { value: Some(value), .. })) = self.rows.get_index(undo.row) {
                out.clear();
                codec::encode_row(&**value, &mut out)?;
                let bytes = key.len() + out.len();
                if bytes > max_bytes {
                    return Err(CodecError::new(format!("row of store {} has {bytes} bytes, the most is {max_bytes}", self.name)));
                }
            }
        }
        Ok(())
    }

    fn dirty_rows(&self) -> usize {
        self.dirty.len()
    }

    fn collect(&self, batch: &mut Batch) -> Result<(), StoreError> {
        for index in &self.dirty {
            let (key, row) = self.rows.get_index(*index).expect("rows stay while they are dirty");
            match &row.value {
                Some(value) => batch.put_with(self.column, key, |out| codec::encode_row(&**value, out)).map_err(|e| self.codec_error(e))?,
                None => batch.delete(self.column, key),
            }
        }
        Ok(())
    }

    fn settle(&mut self) {
        for index in self.dirty.drain(..) {
            self.rows[index].dirty = false;
        }
        self.dirty_before_record = 0;
        if self.rows.len() > CACHED_ROWS {
            self.rows.clear();
        }
    }

    fn discard(&mut self) {
        self.rows.clear();
        self.dirty.clear();
        self.journal.clear();
        self.dirty_before_record = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::MemoryDatabase;

    fn store() -> TypedStore<String, u64> {
        let database = TaskDatabase::new(Arc::new(MemoryDatabase::default())).unwrap();
        TypedStore::new("counts".into(), Column(1), Arc::new(database))
    }

    fn key(name: &str) -> String {
        name.to_string()
    }

    #[test]
    fn a_failed_record_leaves_no_trace() {
        let mut store = store();
        store.replace(&key("a"), Some(1)).unwrap();
        store.keep_record();
        store.replace(&key("a"), Some(2)).unwrap();
        store.replace(&key("a"), None).unwrap();
        store.replace(&key("b"), Some(3)).unwrap();
        store.undo_record();
        assert_eq!(store.get(&key("a")).unwrap().as_deref(), Some(&1));
        assert_eq!(store.get(&key("b")).unwrap(), None);
        let mut batch = Batch::default();
        store.collect(&mut batch).unwrap();
        assert_eq!(batch.len(), 1, "only the row of the record that was kept waits for the commit");
    }

    #[test]
    fn a_row_is_written_once_a_commit() {
        let mut store = store();
        for n in 0..10 {
            store.replace(&key("a"), Some(n)).unwrap();
            store.keep_record();
        }
        let mut batch = Batch::default();
        store.collect(&mut batch).unwrap();
        assert_eq!(batch.len(), 1);
        store.database.database().write(&batch).unwrap();
        store.settle();
        assert_eq!(store.dirty_rows(), 0);
        store.discard();
        assert_eq!(store.get(&key("a")).unwrap().as_deref(), Some(&9), "read back from the database");
    }

    #[test]
    fn what_was_not_committed_is_forgotten() {
        let mut store = store();
        store.replace(&key("a"), Some(1)).unwrap();
        store.keep_record();
        store.discard();
        assert_eq!(store.get(&key("a")).unwrap(), None);
        assert_eq!(store.dirty_rows(), 0);
    }

    #[test]
    fn a_change_tells_old_and_new_and_a_refused_one_changes_nothing() {
        let mut store = store();
        let change = store.try_change::<StoreError>(&key("a"), |row| {
            *row = Some(5);
            Ok(())
        });
        assert_eq!(change.unwrap(), Change { old: None, new: Some(Arc::new(5)) });
        let refused = store.try_change::<StoreError>(&key("a"), |row| {
            *row = None;
            Err(store_error())
        });
        assert!(refused.is_err());
        assert_eq!(store.get(&key("a")).unwrap().as_deref(), Some(&5));
    }

    fn store_error() -> StoreError {
        StoreError::OutOfSequence { path: String::new(), found: 0, wanted: 0 }
    }

    #[test]
    fn a_row_too_large_is_found_in_its_record() {
        let database = TaskDatabase::new(Arc::new(MemoryDatabase::default())).unwrap();
        let mut store = TypedStore::<String, String>::new("texts".into(), Column(1), Arc::new(database));
        store.replace(&key("a"), Some("x".repeat(50))).unwrap();
        assert!(store.check_record(100).is_ok());
        store.replace(&key("b"), Some("x".repeat(100))).unwrap();
        assert!(store.check_record(100).unwrap_err().to_string().contains("store texts"));
    }
}
