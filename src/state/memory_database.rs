//! The memory twin of RocksDB: for the test driver, simulations and stores that need no disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{Batch, Column, Database, DatabaseProvider, Direction, KeyRange, Snapshot, StoreError};

type Rows = BTreeMap<(u16, Vec<u8>), Arc<[u8]>>;

/// A database in memory.
#[derive(Default)]
pub struct MemoryDatabase {
    rows: RwLock<Arc<Rows>>,
}

impl MemoryDatabase {
    fn current(&self) -> Arc<Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Database for MemoryDatabase {
    fn get(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, StoreError> {
        self.current().get(column, key, read)
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        // Copies the whole map only while a snapshot is alive.
        let rows = Arc::make_mut(&mut rows);
        for entry in batch.iter() {
            let key = (entry.column.0, entry.key.to_vec());
            match entry.value {
                Some(value) => drop(rows.insert(key, value.into())),
                None => drop(rows.remove(&key)),
            }
        }
        Ok(())
    }

    fn clear(&self, column: Column) -> Result<(), StoreError> {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut rows).retain(|(at, _), _| *at != column.0);
        Ok(())
    }

    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        Box::new(self.current())
    }

    fn path(&self) -> String {
        "(memory)".to_string()
    }
}

impl Snapshot for Arc<Rows> {
    fn get(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, StoreError> {
        let row = BTreeMap::get(self, &(column.0, key.to_vec()));
        if let Some(row) = row {
            read(row);
        }
        Ok(row.is_some())
    }

    fn scan(
        &self,
        column: Column,
        range: &KeyRange,
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        if range.is_empty() {
            return Ok(());
        }
        let end = range.to.as_ref().map_or((column.0 + 1, Vec::new()), |to| (column.0, to.clone()));
        let mut rows = self.range((column.0, range.from.clone())..end);
        let mut next = || match direction {
            Direction::Forward => rows.next(),
            Direction::Reverse => rows.next_back(),
        };
        while let Some(((_, key), row)) = next() {
            if !visit(key, row) {
                break;
            }
        }
        Ok(())
    }
}

/// The databases of one state directory, in memory. Clones share them, so that a simulation can "restart the process".
#[derive(Clone, Default)]
pub struct MemoryDisk {
    databases: Arc<Mutex<HashMap<String, Arc<MemoryDatabase>>>>,
}

impl MemoryDisk {
    fn databases(&self) -> MutexGuard<'_, HashMap<String, Arc<MemoryDatabase>>> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DatabaseProvider for MemoryDisk {
    fn open(&self, task: &str, _columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        Ok(self.databases().entry(task.to_string()).or_default().clone())
    }

    fn set_aside(&self, task: &str, keep: bool) -> Result<(), StoreError> {
        let mut databases = self.databases();
        if let Some(old) = databases.remove(task)
            && keep
        {
            let name = (1..).map(|n| format!("{task}.aside-{n}")).find(|name| !databases.contains_key(name));
            databases.insert(name.expect("an endless range has a free name"), old);
        }
        Ok(())
    }

    fn remove(&self, task: &str) -> Result<(), StoreError> {
        self.databases().remove(task);
        Ok(())
    }
}
