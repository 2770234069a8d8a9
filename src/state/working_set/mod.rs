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

mod ranges;

#[cfg(test)]
mod tests;

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use indexmap::IndexMap;

use super::index::{IndexScratch, StoreIndex};
use super::{Batch, Change, Column, StoreError, TaskDatabase};
use crate::clock::Stopwatch;
use crate::codec::{self, CodecError, StoreKey, StoreValue};
use crate::metrics::StoreTally;

/// Rows that a store keeps decoded between commits; at the next commit above it the set is emptied. Four times as many found one row in a
/// hundred more and took 70 MiB more.
const CACHED_ROWS: usize = 5_000;

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
    /// Appends what the rows that wait for the commit make of the store's indexes.
    fn collect_indexes(&mut self, batch: &mut Batch) -> Result<(), StoreError>;
    /// The commit is done: nothing waits any more.
    fn settle(&mut self);
    /// The commit failed: what was not committed is forgotten.
    fn discard(&mut self);
    /// What was done since the last call.
    fn take_tally(&mut self) -> StoreTally;
}

struct Row<V> {
    value: Option<Arc<V>>,
    /// What the database has, while the row is dirty and the store has indexes: their old rows follow from it.
    committed: Option<Arc<V>>,
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
    indexes: Vec<StoreIndex<K, V>>,
    scratch: IndexScratch,
    database: Arc<TaskDatabase>,
    /// By encoded key. Rows leave only when no record and no commit is open, so that their indexes hold meanwhile.
    rows: IndexMap<Box<[u8]>, Row<V>, DefaultHashBuilder>,
    dirty: Vec<usize>,
    /// The length of `dirty` when the current record began.
    dirty_before_record: usize,
    journal: Vec<Undo<V>>,
    key: Vec<u8>,
    tally: StoreTally,
    _key: PhantomData<fn(&K)>,
}

impl<K: StoreKey, V: StoreValue> TypedStore<K, V> {
    pub(crate) fn new(name: String, column: Column, indexes: Vec<StoreIndex<K, V>>, database: Arc<TaskDatabase>) -> Self {
        TypedStore {
            name,
            column,
            indexes,
            scratch: IndexScratch::default(),
            database,
            rows: IndexMap::default(),
            dirty: Vec::new(),
            dirty_before_record: 0,
            journal: Vec::new(),
            key: Vec::new(),
            tally: StoreTally::default(),
            _key: PhantomData,
        }
    }

    pub(super) fn get(&mut self, key: &K) -> Result<Option<Arc<V>>, StoreError> {
        let watch = self.watch();
        let row = self.load(key)?;
        self.tally.gets += 1;
        self.watched(watch);
        Ok(self.rows[row].value.clone())
    }

    pub(super) fn try_change<E: From<StoreError>>(
        &mut self,
        key: &K,
        change: impl FnOnce(&mut Option<V>) -> Result<(), E>,
    ) -> Result<Change<V>, E> {
        let watch = self.watch();
        let row = self.load(key)?;
        let old = self.rows[row].value.clone();
        let mut value = old.as_deref().cloned();
        change(&mut value)?;
        let new = value.map(Arc::new);
        self.set(row, new.clone());
        self.watched(watch);
        Ok(Change { old, new })
    }

    pub(super) fn replace(&mut self, key: &K, value: Option<V>) -> Result<(), StoreError> {
        let watch = self.watch();
        let row = self.load(key)?;
        self.set(row, value.map(Arc::new));
        self.watched(watch);
        Ok(())
    }

    /// The index of a key's row, which is read from the database on first touch.
    fn load(&mut self, key: &K) -> Result<usize, StoreError> {
        self.key.clear();
        key.encode_key(&mut self.key);
        if let Some(row) = self.rows.get_index_of(self.key.as_slice()) {
            self.tally.hits += 1;
            return Ok(row);
        }
        self.tally.misses += 1;
        let mut found = None;
        self.database.database().get(self.column, &self.key, &mut |bytes| found = Some(codec::decode_row::<V>(bytes)))?;
        let value = found.transpose().map_err(|e| self.codec_error(e))?.map(Arc::new);
        let row = Row { value, committed: None, dirty: false, journaled: false };
        Ok(self.rows.insert_full(self.key.as_slice().into(), row).0)
    }

    fn watch(&mut self) -> Option<Stopwatch> {
        self.tally.times_next().then(Stopwatch::start)
    }

    fn watched(&mut self, watch: Option<Stopwatch>) {
        if let Some(watch) = watch {
            self.tally.timed(watch.elapsed());
        }
    }

    fn set(&mut self, index: usize, value: Option<Arc<V>>) {
        match value {
            Some(_) => self.tally.puts += 1,
            None => self.tally.deletes += 1,
        }
        let row = &mut self.rows[index];
        let old = std::mem::replace(&mut row.value, value);
        if !row.dirty && !self.indexes.is_empty() {
            row.committed = old.clone();
        }
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
            let row = &mut self.rows[undo.row];
            let committed = row.committed.take().filter(|_| undo.dirty);
            *row = Row { value: undo.value, committed, dirty: undo.dirty, journaled: false };
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

    fn collect_indexes(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        if self.indexes.is_empty() {
            return Ok(());
        }
        for at in &self.dirty {
            let (bytes, row) = self.rows.get_index(*at).expect("rows stay while they are dirty");
            let key = codec::decode_whole_key::<K>(bytes).map_err(|e| self.codec_error(e))?;
            for index in &self.indexes {
                self.scratch.delta(index, (&key, bytes), row.committed.as_deref(), row.value.as_deref(), batch);
            }
        }
        Ok(())
    }

    fn settle(&mut self) {
        for index in self.dirty.drain(..) {
            let row = &mut self.rows[index];
            row.dirty = false;
            row.committed = None;
        }
        self.dirty_before_record = 0;
        if self.rows.len() > CACHED_ROWS {
            self.rows.clear();
        }
    }

    fn take_tally(&mut self) -> StoreTally {
        self.tally.take()
    }

    fn discard(&mut self) {
        self.rows.clear();
        self.dirty.clear();
        self.journal.clear();
        self.dirty_before_record = 0;
    }
}
