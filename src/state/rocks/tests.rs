//! What RocksDB makes of our settings.

use super::*;

#[test]
fn the_version_that_is_told_is_the_one_that_is_linked_and_figures_are_read() {
    let directory = std::env::temp_dir().join(format!("viewmill-rocks-{}", uuid::Uuid::new_v4()));
    let database = RocksDisk::new(&directory, MemoryBudget::new(16)).unwrap().open("t_0", &["rows@1".to_string()]).unwrap();
    let mut batch = Batch::default();
    (0..100_u8).for_each(|key| batch.put(Column(1), &[key], b"row"));
    database.write(&batch).unwrap();
    let figures = database.figures();
    assert_eq!(figures.columns.iter().map(|column| column.keys).collect::<Vec<_>>(), [100]);
    assert_eq!((figures.stalled, figures.background_errors), Default::default());
    let files = fs::read_dir(directory.join("t_0/1")).unwrap().map(|file| file.unwrap().path());
    let options = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("OPTIONS-")).max().unwrap();
    let options = fs::read_to_string(options).unwrap();
    assert!(options.contains(&format!("rocksdb_version={ROCKSDB_VERSION}\n")), "{}", &options[..400]);
    drop(database);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn memtables_that_hold_next_to_nothing_leave_the_budget_to_others() {
    let directory = std::env::temp_dir().join(format!("viewmill-rocks-{}", uuid::Uuid::new_v4()));
    let budget = MemoryBudget::new(256);
    let disk = RocksDisk::new(&directory, budget.clone()).unwrap();
    // As many stores and indexes as the order system has, in its default of four partitions, and some.
    let columns: Vec<String> = (1..16).map(|column| format!("rows@{column}")).collect();
    let databases: Vec<_> = (0..8).map(|task| disk.open(&format!("t_{task}"), &columns).unwrap()).collect();
    let mut batch = Batch::default();
    (0..16).for_each(|column| batch.put(Column(column), b"key", b"row"));
    databases.iter().for_each(|database| database.write(&batch).unwrap());
    let (used, all) = (budget.memtable_usage_bytes(), (256 << 20) / 3);
    assert!(used > 0 && used < all / 4, "{used} of {all} bytes");
    drop(databases);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_was_flushed_is_in_files_and_no_log_is_left_to_replay() {
    let directory = std::env::temp_dir().join(format!("viewmill-rocks-{}", uuid::Uuid::new_v4()));
    let disk = RocksDisk::new(&directory, MemoryBudget::new(16)).unwrap();
    let columns = ["rows@1".to_string(), "others@1".to_string()];
    let database = disk.open("t_0", &columns).unwrap();
    let mut batch = Batch::default();
    (0..100_u8).for_each(|key| batch.put(Column(1), &[key], b"row"));
    batch.put(Column::META, b"position", b"7");
    database.write(&batch).unwrap();
    let log_bytes = || -> u64 {
        let files = fs::read_dir(directory.join("t_0/1")).unwrap().map(|file| file.unwrap());
        files.filter(|file| file.path().extension().is_some_and(|name| name == "log")).map(|file| file.metadata().unwrap().len()).sum()
    };
    assert!(log_bytes() > 0);
    database.flush().unwrap();
    drop(database);
    assert_eq!(log_bytes(), 0);
    let database = disk.open("t_0", &columns).unwrap();
    let mut rows = 0;
    (0..100_u8).for_each(|key| rows += usize::from(database.get(Column(1), &[key], &mut |row| assert_eq!(row, b"row")).unwrap()));
    assert_eq!(rows, 100);
    assert!(database.get(Column::META, b"position", &mut |row| assert_eq!(row, b"7")).unwrap());
    drop(database);
    fs::remove_dir_all(directory).unwrap();
}
