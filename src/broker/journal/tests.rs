//! What was appended is there again, whatever happens to the file's end; and it stays bounded.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::{Append, Journal, JournalError, MAGIC, MAX_RECORD, frame};

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("viewmill-journal-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a directory for the test");
        Scratch(path)
    }

    fn open(&self) -> (Journal, Vec<Vec<u8>>) {
        self.try_open().expect("the journal opens")
    }

    fn try_open(&self) -> Result<(Journal, Vec<Vec<u8>>), JournalError> {
        let mut replayed = Vec::new();
        let journal = Journal::open(&self.0, true, |record| {
            replayed.push(record.to_vec());
            Ok(())
        })?;
        Ok((journal, replayed))
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.0)
            .expect("listing")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn only_file(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        self.0.join(&files[0])
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(number: u8) -> Vec<u8> {
    vec![number; usize::from(number) % 7 + 1]
}

#[test]
fn what_was_appended_is_replayed_in_order() {
    let scratch = Scratch::new();
    let (mut journal, replayed) = scratch.open();
    assert!(replayed.is_empty());
    for number in 0..10 {
        journal.append(&record(number)).expect("appended");
    }
    drop(journal);

    let (mut journal, replayed) = scratch.open();
    assert_eq!(replayed, (0..10).map(record).collect::<Vec<_>>());
    journal.append(&record(10)).expect("appended");
    drop(journal);
    assert_eq!(scratch.open().1.len(), 11);
}

#[test]
fn an_empty_or_headless_file_is_a_new_journal() {
    for beginning in 0..MAGIC.len() {
        let scratch = Scratch::new();
        fs::write(scratch.0.join("coordinators-00000000.journal"), &MAGIC[..beginning]).expect("written");
        let (mut journal, replayed) = scratch.open();
        assert!(replayed.is_empty());
        journal.append(&record(1)).expect("appended");
        drop(journal);
        assert_eq!(scratch.open().1, [record(1)]);
    }
}

#[test]
fn a_foreign_file_is_refused_rather_than_cut() {
    let scratch = Scratch::new();
    fs::write(scratch.0.join("coordinators-00000003.journal"), b"something else entirely").expect("written");
    assert!(matches!(scratch.try_open(), Err(JournalError::Foreign { .. })));
}

#[test]
fn a_later_version_is_refused_rather_than_cut() {
    let scratch = Scratch::new();
    let mut later = frame(b"from the future");
    later[8] = 9;
    let checksum = crc32c::crc32c(&later[8..]);
    later[4..8].copy_from_slice(&checksum.to_le_bytes());
    fs::write(scratch.0.join("coordinators-00000000.journal"), [MAGIC.as_slice(), &later].concat()).expect("written");
    assert!(matches!(scratch.try_open(), Err(JournalError::Foreign { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cut_at_any_byte_the_whole_records_before_it_are_there(
        count in 1u8..20,
        at in 0.0f64..1.0,
        garbage in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let scratch = Scratch::new();
        let (mut journal, _) = scratch.open();
        let mut ends = vec![MAGIC.len()];
        for number in 0..count {
            journal.append(&record(number)).expect("appended");
            ends.push(journal.length as usize);
        }
        drop(journal);
        let file = scratch.only_file();
        let mut content = fs::read(&file).expect("read");
        let cut = (content.len() as f64 * at) as usize;
        content.truncate(cut);
        let whole = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
        // What a power cut leaves behind the end need not be nothing; it may hardly begin like the record that was there, though.
        content.extend(garbage.iter().map(|byte| byte | 0x80));
        prop_assume!(cut >= MAGIC.len());
        fs::write(&file, &content).expect("written");

        let (mut journal, replayed) = scratch.open();
        prop_assert_eq!(&replayed, &(0..whole as u8).map(record).collect::<Vec<_>>());
        journal.append(&record(99)).expect("appended");
        drop(journal);
        let again = scratch.open().1;
        prop_assert_eq!(again.len(), whole + 1);
        prop_assert_eq!(&again[whole], &record(99));
    }
}

#[test]
fn the_next_file_holds_what_is_known_and_what_came_meanwhile() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    for number in 0..100 {
        journal.append(&record(number)).expect("appended");
    }
    let mut rewrite = journal.begin_rewrite();
    journal.append(&record(101)).expect("appended");
    rewrite.write([record(100)]).expect("written");
    journal.append(&record(102)).expect("appended");
    journal.finish_rewrite(rewrite).expect("switched");
    journal.append(&record(103)).expect("appended");
    assert_eq!(scratch.files().len(), 1);
    drop(journal);
    assert_eq!(scratch.open().1, [record(100), record(101), record(102), record(103)]);
}

#[test]
fn a_record_that_is_too_long_is_refused_and_never_taken_for_a_torn_one() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    let long = vec![7; MAX_RECORD + 1];
    assert!(matches!(journal.append(&long), Err(JournalError::Write(_))));
    let mut rewrite = journal.begin_rewrite();
    assert!(matches!(rewrite.write([record(1), long.clone(), record(2)]), Err(JournalError::Write(_))));
    journal.give_up_rewrite(rewrite);
    journal.append(&record(3)).expect("the old file stays in use");
    drop(journal);
    assert_eq!(scratch.open().1, [record(3)]);

    fs::write(scratch.only_file(), [MAGIC.as_slice(), &frame(&long), &frame(&record(4))].concat()).expect("written");
    assert!(scratch.open().1 == [long, record(4)], "both are whole");
}

#[test]
fn what_is_cut_off_is_kept() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    journal.append(&record(1)).expect("appended");
    drop(journal);
    let file = scratch.only_file();
    let mut damaged = frame(&record(2));
    damaged[4] ^= 1;
    let tail = [damaged, frame(&record(3))].concat();
    fs::write(&file, [fs::read(&file).expect("read"), tail.clone()].concat()).expect("written");
    assert_eq!(scratch.open().1, [record(1)]);
    assert_eq!(scratch.open().1, [record(1)]);
    assert_eq!(fs::read(file.with_extension("torn")).expect("read"), tail);
}

#[test]
fn what_came_meanwhile_is_written_in_parts_and_in_order() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    let mut rewrite = journal.begin_rewrite();
    rewrite.write([record(1)]).expect("written");
    assert!(journal.take_since(0).is_none(), "nothing came");
    for number in [2, 3] {
        journal.append(&record(number)).expect("appended");
        let since = journal.take_since(0).expect("something came");
        rewrite.go_on(&since).expect("written");
    }
    journal.append(&record(4)).expect("appended");
    assert!(journal.take_since(1000).is_none(), "it is little");
    journal.finish_rewrite(rewrite).expect("switched");
    assert_eq!(journal.length, fs::metadata(scratch.only_file()).expect("there").len());
    journal.append(&record(5)).expect("appended");
    drop(journal);
    assert_eq!(scratch.open().1, [1, 2, 3, 4, 5].map(record));
}

#[test]
fn killed_before_the_next_file_is_complete_the_old_one_counts() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    journal.append(&record(1)).expect("appended");
    let mut rewrite = journal.begin_rewrite();
    rewrite.write([record(9)]).expect("written");
    journal.append(&record(2)).expect("appended");
    drop(journal);
    assert_eq!(scratch.files().len(), 2);
    assert_eq!(scratch.open().1, [record(1), record(2)]);
    assert_eq!(scratch.files().len(), 1);
}

#[test]
fn killed_before_the_old_file_is_removed_the_next_one_counts() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    journal.append(&record(1)).expect("appended");
    let old = fs::read(scratch.only_file()).expect("read");
    let name = scratch.only_file();
    let mut rewrite = journal.begin_rewrite();
    rewrite.write([record(9)]).expect("written");
    journal.finish_rewrite(rewrite).expect("switched");
    drop(journal);
    fs::write(name, old).expect("written");
    assert_eq!(scratch.open().1, [record(9)]);
    assert_eq!(scratch.files().len(), 1);
}

#[test]
fn it_wants_the_next_file_when_it_has_grown_to_many_times_its_beginning() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    assert!(!journal.wants_rewrite(1000));
    while !journal.wants_rewrite(1000) {
        journal.append(&record(3)).expect("appended");
        assert!(journal.length < 1100);
    }
    let mut rewrite = journal.begin_rewrite();
    assert!(!journal.wants_rewrite(1000), "one at a time");
    rewrite.write((0..100).map(record)).expect("written");
    journal.finish_rewrite(rewrite).expect("switched");
    assert!(journal.length > 1000);
    assert!(!journal.wants_rewrite(1000), "most of it is what is known");
}

#[test]
fn a_record_that_cannot_be_written_whole_leaves_nothing_and_the_journal_goes_on() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    journal.append(&record(1)).expect("appended");
    // A file that cannot be written stands in for a full disk.
    let usable = std::mem::replace(&mut journal.file, std::sync::Arc::new(fs::File::open(scratch.only_file()).expect("opened")));
    assert!(matches!(journal.append(&record(2)), Err(JournalError::Write(_))));
    journal.file = usable;
    // It could not be cut back either, so only a new file helps.
    assert!(matches!(journal.append(&record(2)), Err(JournalError::Unavailable)));
    assert!(journal.wants_rewrite(u64::MAX));
    let mut rewrite = journal.begin_rewrite();
    rewrite.write([record(1)]).expect("written");
    journal.finish_rewrite(rewrite).expect("switched");
    journal.append(&record(3)).expect("appended");
    drop(journal);
    assert_eq!(scratch.open().1, [record(1), record(3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiters_are_served_by_few_syncs() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..200 {
        let position = journal.append(&record(number)).expect("appended");
        let durable = journal.durable();
        waiting.spawn(async move { durable.wait(position).await });
    }
    while let Some(result) = waiting.join_next().await {
        result.expect("joined").expect("on disk");
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_promised_until_there_is_a_new_file() {
    let scratch = Scratch::new();
    let (mut journal, _) = scratch.open();
    let durable = journal.durable();
    let position = journal.append(&record(1)).expect("appended");
    durable.wait(position).await.expect("on disk");
    durable.fail();
    assert!(durable.wait(super::Position(position.0 + 1)).await.is_err());
    assert!(matches!(journal.append(&record(2)), Err(JournalError::Unavailable)));
    let mut rewrite = journal.begin_rewrite();
    rewrite.write([record(1)]).expect("written");
    journal.finish_rewrite(rewrite).expect("switched");
    let position = journal.append(&record(2)).expect("appended");
    durable.wait(position).await.expect("on disk");
}
