//! The working set alone: atomic records, one row a commit, indexes that follow.

use super::*;
use crate::state::MemoryDatabase;

fn store() -> TypedStore<String, u64> {
    let database = TaskDatabase::new(Arc::new(MemoryDatabase::default())).unwrap();
    TypedStore::new("counts".into(), Column(1), Vec::new(), Arc::new(database))
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
    let mut store = TypedStore::<String, String>::new("texts".into(), Column(1), Vec::new(), Arc::new(database));
    store.replace(&key("a"), Some("x".repeat(50))).unwrap();
    assert!(store.check_record(100).is_ok());
    store.replace(&key("b"), Some("x".repeat(100))).unwrap();
    assert!(store.check_record(100).unwrap_err().to_string().contains("store texts"));
}
