//! What a processor sees of a store.

use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;

use super::{Direction, StoreError, TypedStore};
use crate::codec::{Prefix, StoreKey, StoreValue};

/// A row before and after a change; shared, so that it is cheap to forward.
pub struct Change<V> {
    /// The row before; `None` when there was none.
    pub old: Option<Arc<V>>,
    /// The row after; `None` when there is none any more.
    pub new: Option<Arc<V>>,
}

impl<V> Clone for Change<V> {
    fn clone(&self) -> Self {
        Change { old: self.old.clone(), new: self.new.clone() }
    }
}

impl<V: PartialEq> PartialEq for Change<V> {
    fn eq(&self, other: &Self) -> bool {
        self.old == other.old && self.new == other.new
    }
}

impl<V: fmt::Debug> fmt::Debug for Change<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").field("old", &self.old).field("new", &self.new).finish()
    }
}

/// A key-value store of the current task. Changes show at once to this task, and to readers after the commit; those of a record
/// that fails are undone.
pub struct KeyValueStore<'a, K, V> {
    store: &'a mut TypedStore<K, V>,
}

impl<'a, K: StoreKey, V: StoreValue> KeyValueStore<'a, K, V> {
    pub(crate) fn new(store: &'a mut TypedStore<K, V>) -> Self {
        KeyValueStore { store }
    }

    /// The row of a key.
    pub fn get(&mut self, key: &K) -> Result<Option<Arc<V>>, StoreError> {
        self.store.get(key)
    }

    /// Sets the row of a key.
    pub fn put(&mut self, key: &K, value: V) -> Result<(), StoreError> {
        self.store.replace(key, Some(value))
    }

    /// Sets the row of a key that has none, and tells the row that was there otherwise.
    pub fn put_if_absent(&mut self, key: &K, value: V) -> Result<Option<Arc<V>>, StoreError> {
        match self.store.get(key)? {
            Some(present) => Ok(Some(present)),
            None => self.store.replace(key, Some(value)).map(|()| None),
        }
    }

    /// Removes the row of a key.
    pub fn delete(&mut self, key: &K) -> Result<(), StoreError> {
        self.store.replace(key, None)
    }

    /// Changes the row of a key in place (`None`: there is no row) and tells old and new.
    pub fn change(&mut self, key: &K, change: impl FnOnce(&mut Option<V>)) -> Result<Change<V>, StoreError> {
        self.store.try_change(key, |row| {
            change(row);
            Ok(())
        })
    }

    /// As [`KeyValueStore::change`]; when `change` fails, the row stays as it was.
    pub fn try_change<E: From<StoreError>>(
        &mut self,
        key: &K,
        change: impl FnOnce(&mut Option<V>) -> Result<(), E>,
    ) -> Result<Change<V>, E> {
        self.store.try_change(key, change)
    }

    /// At most `limit` rows whose keys lie within bounds, the smallest keys first. Changes of this transaction show. It costs a step
    /// a row, and one for each row that waits for the commit.
    pub fn range(&mut self, bounds: impl RangeBounds<K>, limit: usize) -> Result<Vec<(K, Arc<V>)>, StoreError> {
        self.store.between(bounds, Direction::Forward, limit)
    }

    /// As [`KeyValueStore::range`], the largest keys first.
    pub fn reverse_range(&mut self, bounds: impl RangeBounds<K>, limit: usize) -> Result<Vec<(K, Arc<V>)>, StoreError> {
        self.store.between(bounds, Direction::Reverse, limit)
    }

    /// As [`KeyValueStore::range`], for the keys that begin with a prefix.
    pub fn prefix(&mut self, prefix: impl Prefix<K>, limit: usize) -> Result<Vec<(K, Arc<V>)>, StoreError> {
        self.store.prefixed(prefix, Direction::Forward, limit)
    }

    /// As [`KeyValueStore::prefix`], the largest keys first.
    pub fn reverse_prefix(&mut self, prefix: impl Prefix<K>, limit: usize) -> Result<Vec<(K, Arc<V>)>, StoreError> {
        self.store.prefixed(prefix, Direction::Reverse, limit)
    }
}
