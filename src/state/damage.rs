//! Which failures of RocksDB mean that a database on disk is not what was written. Only those lead to a rebuild: a disk that is full,
//! read-only or fails says nothing about what is on it.

use std::fs;
use std::path::Path;

use rocksdb::ErrorKind;

/// What RocksDB appends when a file was written by a later version of itself: that is no damage.
const NEWER: &str = "newer version of RocksDB";

/// What the operating system says of a file that is gone.
const GONE: &str = "No such file or directory";

/// What is damaged, in RocksDB's words; `None` when the failure says nothing of damage.
pub(super) fn damage_of(error: &rocksdb::Error) -> Option<String> {
    is_damage(error.kind(), error.as_ref()).then(|| error.to_string())
}

fn is_damage(kind: ErrorKind, text: &str) -> bool {
    match kind {
        ErrorKind::Corruption => !text.contains(NEWER),
        ErrorKind::IOError => text.contains(GONE),
        _ => false,
    }
}

/// Rows without CURRENT, the file that RocksDB writes before the first row: it was there and is gone. RocksDB would begin anew.
pub(super) fn is_orphaned(directory: &Path) -> bool {
    let has_rows = |name: &str| name.ends_with(".sst") || name.strip_suffix(".log").is_some_and(|number| number.parse::<u64>().is_ok());
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_str().is_some_and(has_rows))
}

/// The record format of MANIFEST: blocks of this size, in which a record is a checksum (4 bytes), a length (2), a kind (1) and its bytes.
const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;

/// What is wrong with the end of MANIFEST, the list of files that make up the database. RocksDB takes an end within a record for a write that
/// a crash cut off and opens what the list says before it: an older state, of which logs may be gone that were in files since. A killed
/// process leaves no such end, because each record is handed over whole.
pub(super) fn torn_manifest(directory: &Path) -> Option<String> {
    let current = fs::read_to_string(directory.join("CURRENT")).ok()?;
    let name = current.trim_end();
    let is_name = name.strip_prefix("MANIFEST-").is_some_and(|number| number.parse::<u64>().is_ok());
    let bytes = fs::read(directory.join(name)).ok().filter(|_| is_name)?;
    ends_within_a_record(&bytes).then(|| format!("{name} ends within a record"))
}

fn ends_within_a_record(bytes: &[u8]) -> bool {
    let (mut at, mut is_whole) = (0, true);
    while at < bytes.len() {
        let left_in_block = BLOCK - at % BLOCK;
        if left_in_block < HEADER {
            at += left_in_block;
            continue;
        }
        let Some([_, _, _, _, low, high, kind]) = bytes[at..].first_chunk::<HEADER>() else { return true };
        match kind {
            // Whole, and the last part of one.
            1 | 4 => is_whole = true,
            2 | 3 => is_whole = false,
            // Of a kind that this does not know: RocksDB judges.
            _ => return false,
        }
        at += HEADER + usize::from(u16::from_le_bytes([*low, *high]));
        if at > bytes.len() {
            return true;
        }
    }
    !is_whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_records_is_torn_wherever_one_is_cut() {
        let record = |kind: u8, length: u16| {
            let [low, high] = length.to_le_bytes();
            [&[9, 9, 9, 9, low, high, kind][..], &vec![7; usize::from(length)]].concat()
        };
        let whole = [record(1, 10), record(2, 5), record(4, 3)].concat();
        let ends = [0, 17, whole.len()];
        for end in 0..=whole.len() {
            assert_eq!(ends_within_a_record(&whole[..end]), !ends.contains(&end), "cut at {end}");
        }
        // A rest of a block that is too small for a header is left empty.
        let block = [record(1, (BLOCK - HEADER - 5) as u16), vec![0; 5], record(1, 4)].concat();
        assert!(!ends_within_a_record(&block) && ends_within_a_record(&block[..block.len() - 1]));
    }

    #[test]
    fn only_what_is_not_what_was_written_is_damage() {
        for (kind, text, damage) in [
            (ErrorKind::Corruption, "Corruption: block checksum mismatch in /s/t/1/000012.sst", true),
            (
                ErrorKind::Corruption,
                "Corruption: Unknown Footer version. Maybe this file was created with newer version of RocksDB?",
                false,
            ),
            (ErrorKind::IOError, "IO error: No such file or directory: While open a file: /s/t/1/000012.sst", true),
            (ErrorKind::IOError, "IO error: No space left on device: While appending to file: /s/t/1/000012.log", false),
            (ErrorKind::IOError, "IO error: Permission denied: While open a file for appending: /s/t/1/LOG", false),
            (ErrorKind::IOError, "IO error: Input/output error: While pread offset 0 len 4096: /s/t/1/000012.sst", false),
            (ErrorKind::IOError, "IO error: Too many open files: While open a file: /s/t/1/000012.sst", false),
            (ErrorKind::NotSupported, "Not implemented: unknown table format", false),
        ] {
            assert_eq!(is_damage(kind, text), damage, "{text}");
        }
    }
}
