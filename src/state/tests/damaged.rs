//! Databases that are not what was written: told as damage, never as an empty or a smaller database, and what is no damage is not.

use std::fs;
use std::path::PathBuf;

use super::*;

const ROWS: u64 = 5_000;

/// A RocksDB with rows in files and a position, closed.
struct Written(Kind);

impl Written {
    fn new() -> Self {
        let kind = Kind::rocks();
        let database = kind.open();
        for sequence in 1..=4 {
            let mut batch = Batch::default();
            (0..ROWS).filter(|n| n % 4 + 1 == sequence).for_each(|n| batch.put(STORE, &n.to_be_bytes(), &value(n)));
            database.apply(batch, commit(sequence)).unwrap();
        }
        drop(database);
        // Opened again, what was in the log becomes files.
        drop(kind.open());
        Written(kind)
    }

    fn directory(&self) -> PathBuf {
        self.0.directory.as_ref().unwrap().join("task/1")
    }

    /// The largest file of a kind.
    fn file(&self, fits: impl Fn(&str) -> bool) -> PathBuf {
        let files = fs::read_dir(self.directory()).unwrap().map(|file| file.unwrap().path());
        let fitting = files.filter(|path| fits(path.file_name().unwrap().to_str().unwrap()));
        fitting.max_by_key(|path| path.metadata().unwrap().len()).unwrap()
    }

    fn sst(&self) -> PathBuf {
        self.file(|name| name.ends_with(".sst"))
    }

    fn manifest(&self) -> PathBuf {
        self.file(|name| name.starts_with("MANIFEST"))
    }

    /// Opens it and reads everything; answers how many rows were right, and how it ended.
    fn read(&self) -> (u64, Option<TaskPosition>, Result<(), StoreError>) {
        let columns = ["rows@1".to_string(), "rows@1#by-value".to_string()];
        let database = match self.0.provider.open("task", &columns).and_then(TaskDatabase::new) {
            Ok(database) => database,
            Err(error) => return (0, None, Err(error)),
        };
        let mut right = 0;
        let mut visit = |key: &[u8], row: &[u8]| {
            assert_eq!(row, value(u64::from_be_bytes(key.try_into().unwrap())), "a wrong row");
            right += 1;
            true
        };
        let scanned = database.database().snapshot().scan(STORE, &KeyRange::all(), Direction::Forward, &mut visit);
        assert_eq!(scanned.is_err(), database.database().damage().is_some(), "damage is remembered");
        (right, database.position(), scanned)
    }
}

/// Bytes that compress badly, so that there are many blocks.
fn value(n: u64) -> Vec<u8> {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..100).map(|_| byte()).collect()
}

fn cut(path: &std::path::Path, share: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() * share / 100).unwrap();
}

fn flip(path: &std::path::Path, share: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() * share / 100;
    bytes[at] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

fn flip_at_the_end(path: &std::path::Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 0x40;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_whole_is_read() {
    let (right, position, read) = Written::new().read();
    assert!(read.is_ok() && right == ROWS && position.unwrap().marker.sequence == 4);
}

#[test]
fn each_damage_is_told_and_no_row_is_wrong() {
    type Harm = fn(&Written);
    let harms: [(&str, Harm); 9] = [
        ("a flipped byte among the rows", |written| flip(&written.sst(), 40)),
        ("a flipped byte at the end of a file of rows", |written| flip_at_the_end(&written.sst())),
        ("a file of rows is gone", |written| fs::remove_file(written.sst()).unwrap()),
        ("half of a file of rows is gone", |written| cut(&written.sst(), 50)),
        ("CURRENT is empty", |written| cut(&written.directory().join("CURRENT"), 0)),
        ("CURRENT is gone", |written| fs::remove_file(written.directory().join("CURRENT")).unwrap()),
        ("MANIFEST is empty", |written| cut(&written.manifest(), 0)),
        ("MANIFEST is gone", |written| fs::remove_file(written.manifest()).unwrap()),
        ("a flipped byte in MANIFEST", |written| flip(&written.manifest(), 30)),
    ];
    for (name, harm) in harms {
        let written = Written::new();
        harm(&written);
        let (right, _, read) = written.read();
        let error = read.err().unwrap_or_else(|| panic!("{name}: unnoticed, with {right} rows"));
        assert!(error.is_damage(), "{name}: {error}");
        assert!(error.to_string().contains("task/1"), "{name}: {error}");
        written.0.provider.set_aside("task", true).unwrap();
        assert_eq!(written.read().0, 0, "{name}: the next begins empty");
    }
}

/// RocksDB by itself opens most of these, with the position and without the rows.
#[test]
fn a_shorter_manifest_is_damage_or_gives_a_state_as_a_whole() {
    for share in [20, 40, 60, 80, 95, 99] {
        let written = Written::new();
        cut(&written.manifest(), share);
        let (right, position, read) = written.read();
        match read {
            Err(error) => assert!(error.is_damage(), "{share} %: {error}"),
            Ok(()) => {
                let sequence = position.map_or(0, |position| position.marker.sequence);
                assert_eq!(right, ROWS / 4 * sequence, "{share} %: rows of another moment than the position");
            }
        }
    }
}

#[test]
fn what_is_not_damage_is_not_taken_for_it() {
    let written = Written::new();
    // A disk that cannot be read as it should: something else lies where the directory was.
    fs::rename(written.directory(), written.directory().with_extension("away")).unwrap();
    fs::write(written.directory(), "no directory").unwrap();
    let error = written.read().2.unwrap_err();
    assert!(!error.is_damage(), "{error}");
}

#[test]
fn a_database_of_a_newer_format_is_refused_and_left_as_it_is() {
    each(|kind| {
        let database = kind.open();
        database.apply(Batch::default(), commit(1)).unwrap();
        let mut batch = Batch::default();
        batch.put(Column::META, b"format", &2u32.to_be_bytes());
        database.database().write(&batch).unwrap();
        drop(database);
        let columns = ["rows@1".to_string(), "rows@1#by-value".to_string()];
        let open = || TaskDatabase::new(kind.provider.open("task", &columns).unwrap());
        let told = open().err().unwrap().to_string();
        assert!(told.contains("has format 2, this version knows formats up to 1"), "{told}");
        assert!(told.contains("run the version that wrote it") && told.contains("viewmill reset --local"), "{told}");
        assert!(open().is_err_and(|error| !error.is_damage()));
    });
}

#[test]
fn a_database_without_a_format_is_the_first_and_gets_it() {
    each(|kind| {
        drop(kind.open());
        let database = kind.open();
        let mut format = Vec::new();
        assert!(database.database().get(Column::META, b"format", &mut |bytes| format = bytes.to_vec()).unwrap());
        assert_eq!(format, 1u32.to_be_bytes());
    });
}
