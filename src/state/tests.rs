//! What every store promises, on RocksDB and in memory alike: one suite for both.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::index::StoreIndex;
use super::working_set::{ErasedStore, TypedStore};
use super::*;
use crate::codec::{self, KeyCodec as _};
use crate::state::index::IndexKeys;

mod damaged;

mod handing;

mod loads;

const STORE: Column = Column(1);
const INDEX: Column = Column(2);

type Key = (String, u64);

/// A database of either kind in a directory of its own.
struct Kind {
    provider: Box<dyn DatabaseProvider>,
    directory: Option<PathBuf>,
}

impl Kind {
    fn memory() -> Self {
        Kind { provider: Box::new(MemoryDisk::default()), directory: None }
    }

    fn rocks() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("viewmill-stores-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        let provider = RocksDisk::new(&directory, MemoryBudget::new(16)).unwrap();
        Kind { provider: Box::new(provider), directory: Some(directory) }
    }

    fn open(&self) -> Arc<TaskDatabase> {
        let columns = ["rows@1".to_string(), "rows@1#by-value".to_string()];
        Arc::new(TaskDatabase::new(self.provider.open("task", &columns).unwrap()).unwrap())
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

fn store(database: &Arc<TaskDatabase>) -> TypedStore<Key, u64> {
    // By value; even values by their half too.
    let keys: IndexKeys<Key, u64> = Arc::new(|_, value, found| {
        let mut bytes = Vec::new();
        value.encode_key(&mut bytes);
        found(&bytes);
        if value.is_multiple_of(2) {
            bytes.clear();
            (value / 2 + 1_000).encode_key(&mut bytes);
            found(&bytes);
        }
    });
    TypedStore::new("rows".into(), STORE, vec![StoreIndex { column: INDEX, keys }], database.clone())
}

fn index_rows(value: u64, key: &Key) -> Vec<Vec<u8>> {
    let mut values = vec![value];
    values.extend(value.is_multiple_of(2).then_some(value / 2 + 1_000));
    let row = |value: u64| {
        let mut bytes = Vec::new();
        value.encode_key(&mut bytes);
        key.encode_key(&mut bytes);
        bytes
    };
    values.into_iter().map(row).collect()
}

#[derive(Clone, Debug)]
enum Action {
    Put(Key, u64),
    PutIfAbsent(Key, u64),
    Delete(Key),
    Add(Key, u64),
    KeepRecord,
    UndoRecord,
    Commit,
    Abort,
    Range(Key, Key, usize),
    Prefix(String, usize),
}

fn key() -> impl Strategy<Value = Key> {
    ("[ab\u{0}]{0,2}", 0u64..4)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (key(), 0u64..6).prop_map(|(key, value)| Action::Put(key, value)),
        1 => (key(), 0u64..6).prop_map(|(key, value)| Action::PutIfAbsent(key, value)),
        2 => key().prop_map(Action::Delete),
        3 => (key(), 1u64..3).prop_map(|(key, by)| Action::Add(key, by)),
        3 => Just(Action::KeepRecord),
        1 => Just(Action::UndoRecord),
        2 => Just(Action::Commit),
        1 => Just(Action::Abort),
        2 => (key(), key(), 0usize..6).prop_map(|(a, b, limit)| Action::Range(a, b, limit)),
        2 => ("[ab]{0,1}", 0usize..6).prop_map(|(prefix, limit)| Action::Prefix(prefix, limit)),
    ]
}

type Model = BTreeMap<Key, u64>;

fn plain(rows: Vec<(Key, Arc<u64>)>) -> Vec<(Key, u64)> {
    rows.into_iter().map(|(key, value)| (key, *value)).collect()
}

fn copied<'a>(rows: impl Iterator<Item = (&'a Key, &'a u64)>, limit: usize) -> Vec<(Key, u64)> {
    rows.take(limit).map(|(key, value)| (key.clone(), *value)).collect()
}

/// Everything that a store answers is what a sorted map answers, whatever was undone, committed or aborted in between; and after
/// each commit the index holds exactly what the rows give.
fn behaves_like_a_map(kind: &Kind, actions: &[Action]) -> Result<(), TestCaseError> {
    let database = kind.open();
    let mut erased = store(&database);
    let (mut committed, mut kept, mut now) = (Model::new(), Model::new(), Model::new());
    for action in actions {
        match action {
            Action::KeepRecord => {
                erased.keep_record();
                kept = now.clone();
            }
            Action::UndoRecord => {
                erased.undo_record();
                now = kept.clone();
            }
            Action::Commit => {
                erased.keep_record();
                let mut batch = Batch::default();
                erased.collect(&mut batch).unwrap();
                erased.collect_indexes(&mut batch).unwrap();
                database.database().write(&batch).unwrap();
                erased.settle();
                (committed, kept) = (now.clone(), now.clone());
                check_database(&database, &committed)?;
            }
            Action::Abort => {
                erased.discard();
                (kept, now) = (committed.clone(), committed.clone());
            }
            _ => {
                let mut store = KeyValueStore::new(&mut erased);
                on_rows(&mut store, &mut now, action)?;
            }
        }
    }
    Ok(())
}

fn on_rows(store: &mut KeyValueStore<'_, Key, u64>, model: &mut Model, action: &Action) -> Result<(), TestCaseError> {
    match action {
        Action::Put(key, value) => {
            store.put(key, *value).unwrap();
            model.insert(key.clone(), *value);
        }
        Action::PutIfAbsent(key, value) => {
            let present = store.put_if_absent(key, *value).unwrap();
            prop_assert_eq!(present.as_deref(), model.get(key));
            model.entry(key.clone()).or_insert(*value);
        }
        Action::Delete(key) => {
            store.delete(key).unwrap();
            model.remove(key);
        }
        Action::Add(key, by) => {
            let change = store.change(key, |value| *value = Some(value.unwrap_or(0) + by)).unwrap();
            prop_assert_eq!(change.old.as_deref(), model.get(key));
            *model.entry(key.clone()).or_insert(0) += by;
            prop_assert_eq!(change.new.as_deref(), model.get(key));
        }
        Action::Range(a, b, limit) => {
            let expected = copied(model.range(a.min(b)..a.max(b)), *limit);
            prop_assert_eq!(plain(store.range(a.min(b).clone()..a.max(b).clone(), *limit).unwrap()), expected);
            let expected = copied(model.range(a.min(b)..=a.max(b)).rev(), *limit);
            prop_assert_eq!(plain(store.reverse_range(a.min(b).clone()..=a.max(b).clone(), *limit).unwrap()), expected);
            let row = store.get(a).unwrap();
            prop_assert_eq!(row.as_deref(), model.get(a));
        }
        Action::Prefix(prefix, limit) => {
            let begins = |row: &(&Key, &u64)| row.0.0.starts_with(prefix.as_str());
            let expected = copied(model.iter().filter(begins), *limit);
            prop_assert_eq!(plain(store.prefix(prefix.as_str(), *limit).unwrap()), expected);
            let expected = copied(model.iter().rev().filter(|row| row.0.0 == *prefix), *limit);
            prop_assert_eq!(plain(store.reverse_prefix(prefix.clone(), *limit).unwrap()), expected);
        }
        _ => {}
    }
    Ok(())
}

fn check_database(database: &TaskDatabase, model: &Model) -> Result<(), TestCaseError> {
    let snapshot = database.database().snapshot();
    let (mut rows, mut index) = (Model::new(), Vec::new());
    let mut visit = |key: &[u8], row: &[u8]| {
        rows.insert(codec::decode_whole_key(key).unwrap(), codec::decode_row(row).unwrap());
        true
    };
    snapshot.scan(STORE, &KeyRange::all(), Direction::Forward, &mut visit).unwrap();
    prop_assert_eq!(&rows, model);
    let mut visit = |key: &[u8], _: &[u8]| {
        index.push(key.to_vec());
        true
    };
    snapshot.scan(INDEX, &KeyRange::all(), Direction::Forward, &mut visit).unwrap();
    let mut expected: Vec<Vec<u8>> = model.iter().flat_map(|(key, value)| index_rows(*value, key)).collect();
    expected.sort();
    prop_assert_eq!(index, expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]
    #[test]
    fn a_store_in_memory_behaves_like_a_map_and_its_index_follows(actions in prop::collection::vec(action(), 1..60)) {
        behaves_like_a_map(&Kind::memory(), &actions)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn a_store_in_rocksdb_behaves_like_a_map_and_its_index_follows(actions in prop::collection::vec(action(), 1..200)) {
        behaves_like_a_map(&Kind::rocks(), &actions)?;
    }
}

fn each(promise: impl Fn(&Kind)) {
    promise(&Kind::memory());
    promise(&Kind::rocks());
}

#[test]
fn a_snapshot_does_not_see_later_writes() {
    each(|kind| {
        let database = kind.open();
        let put = |value: &[u8]| {
            let mut batch = Batch::default();
            batch.put(STORE, b"k", value);
            database.database().write(&batch).unwrap();
        };
        put(b"old");
        let snapshot = database.database().snapshot();
        put(b"new");
        let mut found = Vec::new();
        assert!(snapshot.get(STORE, b"k", &mut |row| found = row.to_vec()).unwrap());
        assert_eq!(found, b"old");
        snapshot
            .scan(STORE, &KeyRange::all(), Direction::Reverse, &mut |_, row| {
                assert_eq!(row, b"old");
                true
            })
            .unwrap();
    });
}

#[test]
fn a_cleared_column_is_empty_and_the_others_stay() {
    each(|kind| {
        let database = kind.open();
        let mut batch = Batch::default();
        for n in 0..100u8 {
            batch.put(STORE, &[n], b"row");
            batch.put(INDEX, &[0xff, n], b"");
        }
        database.database().write(&batch).unwrap();
        database.database().clear(INDEX).unwrap();
        database.database().clear(INDEX).unwrap();
        let count = |column| {
            let mut rows = 0;
            let mut visit = |_: &[u8], _: &[u8]| {
                rows += 1;
                true
            };
            database.database().snapshot().scan(column, &KeyRange::all(), Direction::Forward, &mut visit).unwrap();
            rows
        };
        assert_eq!((count(STORE), count(INDEX)), (100, 0));
    });
}

#[test]
fn an_index_that_is_not_kept_any_more_is_forgotten() {
    each(|kind| {
        let database = kind.open();
        for name in ["rows@1#a", "rows@1#b"] {
            database.set_index(name).unwrap();
        }
        database.forget_other_indexes(&["rows@1#b".to_string()]).unwrap();
        assert_eq!((database.has_index("rows@1#a").unwrap(), database.has_index("rows@1#b").unwrap()), (false, true));
    });
}

#[test]
fn a_row_on_disk_alone_is_not_told_from_memory() {
    let kind = Kind::rocks();
    let mut batch = Batch::default();
    batch.put(STORE, b"k", b"row");
    kind.open().apply(batch, commit(1)).unwrap();
    // Opened again, its log has become a file, of which nothing is cached yet.
    let database = kind.open();
    let look = || database.read_in_memory(STORE, b"k", &mut |_| {}).unwrap().is_some();
    assert!(!look());
    assert!(database.read(STORE, b"k", &mut |_| {}).unwrap().is_some());
    assert!(look(), "the read has brought it into the cache");
}

fn commit(sequence: u64) -> TaskPosition {
    let (sources, changelogs, outputs) = Default::default();
    let marker = Marker { lineage: uuid::Uuid::nil(), sequence, sources, stream_time: None, changelogs, outputs };
    TaskPosition { marker, marker_offset: crate::record::Offset(0), applied_at: crate::record::Timestamp(0) }
}
