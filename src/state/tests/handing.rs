//! Who may open a task's database while it is put aside, and what can be read while rows are restored.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::*;
use crate::record::Timestamp;

/// A disk at whose most delicate moment somebody else in the process asks for the same database.
#[derive(Clone, Default)]
struct Watched {
    disk: MemoryDisk,
    directory: Arc<Mutex<Option<StateDirectory>>>,
    /// For each time: whether the other one got it.
    got: Arc<Mutex<Vec<bool>>>,
}

impl DatabaseProvider for Watched {
    fn open(&self, task: &str, columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        self.disk.open(task, columns)
    }

    fn open_beside(&self, task: &str, columns: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        self.disk.open_beside(task, columns)
    }

    fn switch(&self, task: &str) -> Result<(), StoreError> {
        self.disk.switch(task)
    }

    fn set_aside(&self, task: &str, keep: bool) -> Result<(), StoreError> {
        let directory = self.directory.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let got = directory.expect("it was told").lease(task, &[]).unwrap().is_some();
        self.got.lock().unwrap_or_else(PoisonError::into_inner).push(got);
        self.disk.set_aside(task, keep)
    }

    fn remove(&self, task: &str) -> Result<(), StoreError> {
        self.disk.remove(task)
    }
}

#[test]
fn nobody_gets_a_database_while_it_is_put_aside() {
    let watched = Watched::default();
    let directory = StateDirectory::unlocked(Box::new(watched.clone()));
    *watched.directory.lock().unwrap() = Some(directory.clone());
    let lease = directory.lease("t", &[]).unwrap().expect("it is free");
    lease.database().apply(Batch::default(), commit(1)).unwrap();
    let lease = directory.start_over(lease, "t", &[], false).unwrap();
    assert_eq!(lease.database().position(), None, "the new one is empty");
    drop(lease);
    let lease = directory.replace("t", &[]).unwrap().expect("it is free");
    assert!(directory.replace("t", &[]).unwrap().is_none(), "it is held");
    drop(lease);
    assert!(directory.lease("t", &[]).unwrap().is_some(), "it was given back");
    assert_eq!(*watched.got.lock().unwrap(), [false, false]);
}

#[test]
fn rows_are_not_read_while_they_are_restored() {
    each(|kind| {
        let database = kind.open();
        database.apply(Batch::default(), commit(1)).unwrap();
        let is_readable = |database: &TaskDatabase| {
            let in_memory = database.read_in_memory(STORE, b"k", &mut |_| {}).unwrap().is_some();
            let readable = database.snapshot().unwrap().is_some();
            assert_eq!(database.read(STORE, b"k", &mut |_| {}).unwrap().is_some(), readable);
            assert!(readable || !in_memory);
            readable
        };
        assert!(is_readable(&database));
        let progress = RestoreProgress { lineage: uuid::Uuid::nil(), sequence: 2, next: BTreeMap::new(), began_at: Timestamp(0) };
        database.begin_restore(&progress).unwrap();
        assert!(!is_readable(&database));
        drop(database);
        let database = kind.open();
        assert!(!is_readable(&database), "also after a kill");
        database.finish_restore(commit(2)).unwrap();
        assert!(is_readable(&database));
        database.begin_restore(&progress).unwrap();
        database.forget_restore().unwrap();
        assert!(is_readable(&database));
    });
}
