//! What a task asks of a database; RocksDB and the memory twin both give it.

use std::sync::Arc;

use super::{Batch, Column, DatabaseFigures, Direction, KeyRange, LoadRow, StoreError};

/// A task's database. Shared by the task, which writes, and readers.
pub trait Database: Send + Sync {
    /// Calls `read` with the row of a key, if there is one, and tells whether there was.
    fn get(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, StoreError>;

    /// As [`Database::get`], but it never touches the disk: `None` when what is in memory does not tell.
    fn get_in_memory(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<Option<bool>, StoreError> {
        self.get(column, key, read).map(Some)
    }

    /// Applies all writes or none. They survive a kill of the process, not necessarily a power cut.
    fn write(&self, batch: &Batch) -> Result<(), StoreError>;

    /// As [`Database::write`] for many rows of one column, sorted by key, each key once; much cheaper where there is a disk. No other
    /// rows of the column may be written meanwhile.
    fn ingest(&self, column: Column, rows: &[LoadRow<'_>]) -> Result<(), StoreError> {
        self.write(&Batch::of_rows(column, rows))
    }

    /// Removes all rows of a column. Not atomic: who does it must be able to do it again.
    fn clear(&self, column: Column) -> Result<(), StoreError>;

    /// Writes what is in memory and in the log into files, so that who opens the database next has nothing to replay. Waits for it.
    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// What the database holds at this moment; later writes do not show.
    fn snapshot(&self) -> Box<dyn Snapshot + '_>;

    /// Where it lies, for messages.
    fn path(&self) -> String;

    /// What was found damaged since it was opened, whoever found it. Such a database must be rebuilt.
    fn damage(&self) -> Option<&str> {
        None
    }

    /// What it tells of itself.
    fn figures(&self) -> DatabaseFigures {
        DatabaseFigures::default()
    }
}

/// A database as it was at one moment.
pub trait Snapshot {
    /// As [`Database::get`].
    fn get(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, StoreError>;

    /// Calls `visit` with the rows of a range, in key order or against it, until it answers false.
    fn scan(
        &self,
        column: Column,
        range: &KeyRange,
        direction: Direction,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError>;
}

/// Opens the databases of one state directory.
pub trait DatabaseProvider: Send + Sync {
    /// Opens a task's current database, made empty if there is none. `columns` are the names of its stores; they become
    /// columns 1, 2, ….
    fn open(&self, task: &str, columns: &[String]) -> Result<Arc<dyn Database>, StoreError>;

    /// The tasks that have a database here, as far as can be seen; made by an earlier process.
    fn tasks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Opens a new, empty database beside the current one. It counts for nothing, and goes with the next `open`, until
    /// [`DatabaseProvider::switch`].
    fn open_beside(&self, task: &str, columns: &[String]) -> Result<Arc<dyn Database>, StoreError>;

    /// What was opened beside becomes the current database, at one moment; the old one is removed. Either may be open.
    fn switch(&self, task: &str) -> Result<(), StoreError>;

    /// Puts a task's database aside, so that the next `open` makes an empty one. Readers may still have it open. The old one is kept
    /// under another name when `keep` is set, in the place of one that was kept before, else removed.
    fn set_aside(&self, task: &str, keep: bool) -> Result<(), StoreError>;

    /// Removes all that a task has here. Its database must not be open; nothing there is no error.
    fn remove(&self, task: &str) -> Result<(), StoreError>;
}
