//! Restored rows: loads, progress and what a killed process leaves.

use super::*;

fn progress(next: i64) -> RestoreProgress {
    RestoreProgress {
        lineage: uuid::Uuid::from_u128(1),
        sequence: 3,
        next: [("rows".to_string(), crate::record::Offset(next))].into(),
        began_at: crate::record::Timestamp(5),
    }
}

fn table(rows: impl IntoIterator<Item = (u32, Option<Vec<u8>>)>) -> RowTable {
    let mut table = RowTable::default();
    rows.into_iter().for_each(|(key, row)| table.put(&key.to_be_bytes(), row.as_deref()));
    table
}

fn rows_of(database: &TaskDatabase, column: Column) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rows = BTreeMap::new();
    let mut visit = |key: &[u8], row: &[u8]| rows.insert(key.to_vec(), row.to_vec()).is_none();
    database.database().snapshot().scan(column, &KeyRange::all(), Direction::Forward, &mut visit).unwrap();
    rows
}

#[test]
fn loads_that_overlap_leave_the_last_row_of_each_key_and_survive_a_restart() {
    each(|kind| {
        let database = kind.open();
        assert!(!database.has_rows([STORE, INDEX].into_iter()).unwrap());
        database.begin_restore(&progress(0)).unwrap();
        // Larger than what is written without a file of its own; then a small one, and one more.
        let row = |value: u8| Some(vec![value; 200]);
        database.load(STORE, &table((0..5_000).map(|key| (key, row(1)))).sorted(), &progress(10)).unwrap();
        database.load(STORE, &table((100..110).map(|key| (key, None))).sorted(), &progress(20)).unwrap();
        database
            .load(STORE, &table((105..4_000).map(|key| (key, if key % 2 == 0 { row(2) } else { None }))).sorted(), &progress(30))
            .unwrap();
        let expected: BTreeMap<Vec<u8>, Vec<u8>> = (0..5_000_u32)
            .filter_map(|key| match key {
                0..100 | 4_000.. => Some((key, 1)),
                _ if key % 2 == 0 && key >= 105 => Some((key, 2)),
                _ => None,
            })
            .map(|(key, value)| (key.to_be_bytes().to_vec(), vec![value; 200]))
            .collect();
        assert_eq!(rows_of(&database, STORE), expected);
        drop(database);
        let database = kind.open();
        assert_eq!(database.restore_progress().unwrap(), Some(progress(30)));
        assert_eq!((database.position(), database.has_rows([INDEX, STORE].into_iter()).unwrap()), (None, true));
        // The same once more changes nothing.
        database
            .load(STORE, &table((105..4_000).map(|key| (key, if key % 2 == 0 { row(2) } else { None }))).sorted(), &progress(30))
            .unwrap();
        assert_eq!(rows_of(&database, STORE), expected);
        database.finish_restore(commit(3)).unwrap();
        assert_eq!((database.restore_progress().unwrap(), database.position()), (None, Some(commit(3))));
        drop(database);
        let database = kind.open();
        assert_eq!((database.restore_progress().unwrap(), database.position()), (None, Some(commit(3))));
        assert_eq!(rows_of(&database, STORE), expected);
        // Commits go on from there.
        let mut batch = Batch::default();
        batch.put(STORE, &7_u32.to_be_bytes(), b"new");
        database.apply(batch, commit(4)).unwrap();
        assert_eq!(rows_of(&database, STORE)[&7_u32.to_be_bytes()[..]], b"new");
    });
}

#[test]
fn a_file_of_rows_that_a_killed_process_left_is_removed_and_the_database_unharmed() {
    let kind = Kind::rocks();
    let rows = || table((0..5_000).map(|key| (key, Some(vec![1; 200]))));
    kind.open().load(STORE, &rows().sorted(), &progress(10)).unwrap();
    let directory = kind.directory.clone().unwrap().join("task/1");
    let names = || {
        let files = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        files.filter(|name| name.ends_with(".sst")).collect::<Vec<_>>()
    };
    let [taken_in] = names().try_into().unwrap();
    // Killed between the link and the removal of the file's first name.
    std::fs::hard_link(directory.join(&taken_in), directory.join("load-1.sst")).unwrap();
    let database = kind.open();
    assert!(!names().contains(&"load-1.sst".to_string()));
    std::fs::hard_link(directory.join(&taken_in), directory.join("load-1.sst")).unwrap();
    database.load(STORE, &table((0..5_000).map(|key| (key + 5_000, Some(vec![2; 200])))).sorted(), &progress(20)).unwrap();
    assert_eq!(rows_of(&database, STORE).len(), 10_000, "no file of the database was written over");
}
