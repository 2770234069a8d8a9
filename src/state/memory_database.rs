//! The memory twin of RocksDB: for the test driver, simulations and stores that need no disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use super::{Batch, Column, Database, DatabaseProvider, Direction, KeyRange, Snapshot, StoreError};

type Rows = BTreeMap<(u16, Vec<u8>), Arc<[u8]>>;

/// A database in memory.
#[derive(Default)]
pub struct MemoryDatabase {
    rows: RwLock<Arc<Rows>>,
    /// Set by a test: reads and writes fail from then on.
    damage: OnceLock<String>,
}

impl MemoryDatabase {
    fn whole(&self) -> Result<(), StoreError> {
        match self.damage.get() {
            Some(detail) => Err(StoreError::Damaged { path: self.path(), detail: detail.clone() }),
            None => Ok(()),
        }
    }

    fn current(&self) -> Arc<Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Database for MemoryDatabase {
    fn get(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, StoreError> {
        self.whole()?;
        self.current().get(column, key, read)
    }

    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        self.whole()?;
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

    fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
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
    /// Damages a task's database, as a flipped byte on a disk would: whatever is read or written fails from now on. Snapshots that
    /// exist go on.
    pub fn damage(&self, task: &str, detail: &str) {
        if let Some(database) = self.databases().get(task) {
            database.damage.get_or_init(|| detail.to_string());
        }
    }

    /// The position that a task's database says of itself.
    pub fn position(&self, task: &str) -> Option<super::TaskPosition> {
        let database = self.databases().get(task)?.clone();
        super::TaskDatabase::new(database).ok()?.position()
    }

    /// The names of all databases that are kept.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.databases().keys().cloned().collect();
        names.sort();
        names
    }

    fn databases(&self) -> MutexGuard<'_, HashMap<String, Arc<MemoryDatabase>>> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a database beside that of a task.
fn beside(task: &str) -> String {
    format!("{task}.beside")
}

impl DatabaseProvider for MemoryDisk {
    fn open(&self, task: &str, _columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        let mut databases = self.databases();
        databases.remove(&beside(task));
        let database = databases.entry(task.to_string()).or_default().clone();
        match database.damage.get() {
            Some(detail) => Err(StoreError::Damaged { path: database.path(), detail: detail.clone() }),
            None => Ok(database),
        }
    }

    fn open_beside(&self, task: &str, _columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        let database = Arc::<MemoryDatabase>::default();
        self.databases().insert(beside(task), database.clone());
        Ok(database)
    }

    fn switch(&self, task: &str) -> Result<(), StoreError> {
        let mut databases = self.databases();
        if let Some(new) = databases.remove(&beside(task)) {
            databases.insert(task.to_string(), new);
        }
        Ok(())
    }

    fn set_aside(&self, task: &str, keep: bool) -> Result<(), StoreError> {
        let mut databases = self.databases();
        if let Some(old) = databases.remove(task)
            && keep
        {
            databases.insert(format!("{task}.aside"), old);
        }
        Ok(())
    }

    fn remove(&self, task: &str) -> Result<(), StoreError> {
        self.databases().remove(task);
        Ok(())
    }
}
