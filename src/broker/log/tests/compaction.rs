use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;

use super::{Bench, Place, Sent, batches, consume};
use crate::broker::log::{AppendError, Fsync, Isolation, Marker, PartitionLog, ReadError};

const ALL: Isolation = Isolation::ReadUncommitted;
const COMMITTED: Isolation = Isolation::ReadCommitted;
const SMALL: &[(&str, &str)] = &[("cleanup.policy", "compact"), ("internal.segment.bytes", "400"), ("min.cleanable.dirty.ratio", "0")];

fn put(log: &PartitionLog, key: &str, value: Option<&str>) {
    log.append(Sent::keyed(key, value).bytes()).expect("is appended");
}

fn keys(log: &PartitionLog) -> Vec<(i64, String, Option<String>)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("is text");
    consume(log, COMMITTED).into_iter().map(|(offset, key, value)| (offset, text(key.expect("has a key")), value.map(text))).collect()
}

/// Closes the segments so far: the active one is never compacted.
fn roll(log: &PartitionLog) {
    for _ in 0..4 {
        put(log, "filler", Some(&"x".repeat(100)));
    }
}

#[test]
fn a_compaction_that_is_stopped_leaves_no_files() {
    let bench = Bench::new();
    let log = bench.topic("t", SMALL);
    for value in ["1", "2", "3"] {
        put(&log, "k", Some(value));
    }
    roll(&log);
    for steps in 0..100 {
        let left = std::cell::Cell::new(steps);
        let stopped = || left.replace(left.get() - 1) <= 0;
        let done = log.compact(&stopped).expect("goes or stops");
        let entries = fs::read_dir(bench.place.partition("t", 0)).expect("can be listed");
        let names: Vec<_> = entries.map(|entry| entry.expect("is there").file_name().into_string().expect("is text")).collect();
        assert!(!names.iter().any(|name| name.ends_with("cleaned") || name.ends_with("swap")), "{names:?}");
        if done {
            assert!(steps > 3, "it was stopped in both passes");
            return;
        }
    }
    panic!("it never comes to its end");
}

#[test]
fn the_last_value_of_each_key_stays_at_its_offset() {
    let mut bench = Bench::new();
    let log = bench.topic("t", SMALL);
    for round in 0..20 {
        for key in ["a", "b", "c"] {
            put(&log, key, Some(&format!("{key}{round}")));
        }
    }
    roll(&log);
    let before = log.size_bytes();
    bench.logs().clean();
    assert!(log.size_bytes() < before / 4, "{} of {before} bytes are left", log.size_bytes());
    let check = |log: &PartitionLog| {
        let left: Vec<_> = keys(log).into_iter().filter(|(_, key, _)| key != "filler").collect();
        let expected = |offset, key: &str| (offset, key.to_owned(), Some(format!("{key}19")));
        assert_eq!(left, [expected(57, "a"), expected(58, "b"), expected(59, "c")]);
        assert_eq!((log.progress().log_start, log.progress().high_watermark), (0, 64));
    };
    check(&log);
    assert_eq!(batches(&log.read(0, 10_000, ALL).expect("old offsets are no error").records)[0].0.base_offset, 57);
    bench.crash();
    check(&bench.partition("t"));
    bench.restart();
    check(&bench.partition("t"));
    assert!(!bench.partition("t").compact(&|| false).expect("nothing is dirty"));
}

#[test]
fn tombstones_stay_for_their_time_and_go_then() {
    let bench = Bench::new();
    let log = bench.topic("t", &[SMALL, &[("delete.retention.ms", "1000")]].concat());
    put(&log, "a", Some("1"));
    put(&log, "a", None);
    put(&log, "b", Some("1"));
    roll(&log);
    bench.logs().clean();
    let of_a = || keys(&log).into_iter().filter(|(_, key, _)| key == "a").collect::<Vec<_>>();
    assert_eq!(of_a(), [(1, "a".to_owned(), None)]);
    bench.advance(900);
    roll(&log);
    bench.logs().clean();
    assert_eq!(of_a().len(), 1, "its time has not passed");
    let horizons: Vec<_> =
        batches(&log.read(0, 10_000, ALL).expect("is readable").records).iter().filter_map(|(h, _)| h.delete_horizon()).collect();
    assert_eq!(horizons, [super::NOW + 1000], "the horizon is set once");
    bench.advance(101);
    roll(&log);
    bench.logs().clean();
    assert_eq!(of_a(), []);
}

#[test]
fn aborted_records_go_and_do_not_hide_older_values() {
    let mut bench = Bench::new();
    let log = bench.topic("t", &[SMALL, &[("delete.retention.ms", "1000")]].concat());
    put(&log, "k", Some("committed"));
    log.begin_transaction(1, 0);
    log.append(Sent::keyed("k", Some("aborted")).from(1, 0, 0).transactional().bytes()).expect("is appended");
    log.append_marker(1, 0, Marker::Abort, 0).expect("is written");
    log.begin_transaction(1, 0);
    log.append(Sent::keyed("l", Some("committed")).from(1, 0, 1).transactional().bytes()).expect("is appended");
    log.append_marker(1, 0, Marker::Commit, 0).expect("is written");
    roll(&log);
    let check = |log: &PartitionLog| {
        let left: Vec<_> = keys(log).into_iter().filter(|(_, key, _)| key != "filler").collect();
        let expected = |offset, key: &str| (offset, key.to_owned(), Some("committed".to_owned()));
        assert_eq!(left, [expected(0, "k"), expected(3, "l")]);
    };
    check(&log);
    for _ in 0..4 {
        bench.logs().clean();
        check(&log);
        assert!(consume(&log, ALL).iter().all(|(_, _, value)| value.as_deref() != Some(b"aborted")), "what was aborted is gone at once");
        bench.advance(1500);
        roll(&log);
    }
    let of = |log: &PartitionLog| {
        let read = log.read(0, 100_000, ALL).expect("is readable").records;
        batches(&read).iter().filter(|(header, _)| header.is_control()).map(|(header, _)| header.base_offset).collect::<Vec<_>>()
    };
    assert_eq!(of(&log), [4], "the marker of the aborted transaction is gone, that of the one with records is there");
    bench.crash();
    check(&bench.partition("t"));
}

#[test]
fn nothing_is_compacted_behind_an_open_transaction_or_too_soon() {
    let bench = Bench::new();
    let log = bench.topic("t", SMALL);
    let lagging = bench.topic("lag", &[SMALL, &[("min.compaction.lag.ms", "10000")]].concat());
    log.begin_transaction(1, 0);
    log.append(Sent::keyed("open", Some("1")).from(1, 0, 0).transactional().bytes()).expect("is appended");
    for log in [&log, &lagging] {
        (0..20).for_each(|_| put(log, "a", Some("0123456789")));
        roll(log);
    }
    bench.logs().clean();
    assert_eq!(keys(&lagging).len(), 24);
    assert_eq!(consume(&log, ALL).len(), 25);
    log.append_marker(1, 0, Marker::Commit, 0).expect("is written");
    bench.advance(10_001);
    bench.logs().clean();
    assert!(keys(&log).len() < 10);
    assert!(keys(&lagging).len() < 10);
}

#[test]
fn sequences_survive_compaction_even_without_a_checkpoint() {
    let mut bench = Bench::new();
    let log = bench.topic("t", SMALL);
    for sequence in 0..10 {
        log.append(Sent::keyed("k", Some("from the producer")).from(8, 2, sequence).bytes()).expect("is appended");
    }
    put(&log, "k", Some("from another"));
    roll(&log);
    bench.logs().clean();
    assert!(keys(&log).iter().all(|(_, _, value)| value.as_deref() != Some("from the producer")));
    bench.crash_and(|place| fs::remove_file(place.partition("t", 0).join("checkpoint")).expect("is removed"));
    let log = bench.partition("t");
    let again = |sequence| log.append(Sent::keyed("k", Some("x")).from(8, 2, sequence).bytes());
    assert!(matches!(again(11), Err(AppendError::OutOfOrderSequence { last: 9, .. })));
    assert_eq!(again(9).expect("is known").base_offset, 9);
    again(10).expect("goes on");
}

#[test]
fn what_does_not_fit_into_memory_waits_for_the_next_run() {
    let bench = Bench::with(|settings| settings.cleaner_memory_bytes = 1000);
    let log = bench.topic("t", SMALL);
    for round in 0..4 {
        for key in 0..30 {
            put(&log, &format!("key{key}"), Some(&format!("{round}")));
        }
    }
    roll(&log);
    let mut runs = 0;
    while log.compact(&|| false).expect("runs") {
        runs += 1;
        assert!(runs < 100);
    }
    assert!(runs > 3);
    let left: BTreeMap<_, _> = keys(&log).into_iter().map(|(_, key, value)| (key, value)).collect();
    assert_eq!(left.len(), 31);
    assert!(left.iter().all(|(key, value)| key == "filler" || value.as_deref() == Some("3")));
}

#[test]
fn a_crash_at_any_point_of_a_swap_leaves_the_old_or_the_new() {
    let mut bench = Bench::new();
    let log = bench.topic("t", SMALL);
    for round in 0..40 {
        put(&log, "a", Some(&format!("{round}")));
    }
    (0..9).for_each(|_| roll(&log));
    let copy = |place: &Place| -> Vec<_> {
        let entries = fs::read_dir(place.partition("t", 0)).expect("can be listed").map(|entry| entry.expect("can be read").path());
        entries.map(|path| (path.clone(), fs::read(path).expect("is read"))).collect()
    };
    log.checkpoint_now().expect("is written");
    let one_group = [SMALL, &[("internal.segment.bytes", "1000000")]].concat();
    bench.logs().alter_configs("t", |_| Ok(super::configs_of(&one_group)), false).expect("is altered");
    let old = copy(&bench.place);
    bench.logs().clean();
    let new = copy(&bench.place);
    let wanted = keys(&log);
    let cleaned = bench.place.segments("t", 0)[0].clone();
    let closed: Vec<_> = old.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "index")).collect();
    let last = closed.iter().map(|(path, _)| path.file_stem().expect("has one").to_owned()).max().expect("there is one");
    let last = last.into_string().expect("is text");
    let content = |path: &std::path::Path| &new.iter().find(|(at, _)| at == path).expect("is there").1;
    let first = cleaned.file_stem().expect("has one").to_string_lossy().into_owned();
    for step in 0..=4 {
        bench.crash_and(|place| {
            let dir = place.partition("t", 0);
            for entry in fs::read_dir(&dir).expect("can be listed") {
                fs::remove_file(entry.expect("can be read").path()).expect("is removed");
            }
            for (path, bytes) in &old {
                fs::write(path, bytes).expect("is written");
            }
            let index_cleaned = dir.join(format!("{first}.index-cleaned"));
            fs::write(&index_cleaned, content(&cleaned.with_extension("index"))).expect("is written");
            if step == 0 {
                fs::write(dir.join(format!("{first}.cleaned")), &content(&cleaned)[..10]).expect("is written");
                return;
            }
            fs::write(dir.join(format!("{first}-{last}.swap")), content(&cleaned)).expect("is written");
            for (path, _) in closed.iter().skip(1).take(if step >= 2 { usize::from(step == 2).max((step - 2) * 100) } else { 0 }) {
                if path.file_stem() != cleaned.file_stem() {
                    fs::remove_file(path).expect("is removed");
                    fs::remove_file(path.with_extension("log")).expect("is removed");
                }
            }
            if step == 4 {
                fs::rename(index_cleaned, cleaned.with_extension("index")).expect("is renamed");
            }
        });
        let log = bench.partition("t");
        let found = keys(&log);
        if step == 0 {
            assert!(found.len() > wanted.len(), "not decided: as before");
        } else {
            assert_eq!(found, wanted, "decided: at step {step}");
        }
        let names =
            fs::read_dir(bench.place.partition("t", 0)).expect("can be listed").map(|entry| entry.expect("can be read").file_name());
        assert!(names.map(|name| name.to_string_lossy().into_owned()).all(|name| !name.contains("cleaned") && !name.contains("swap")));
    }
}

#[test]
fn readers_go_on_while_segments_are_replaced() {
    let bench = Bench::with(|settings| settings.max_open_segments = 2);
    let log = bench.topic("t", SMALL);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    let (mut offset, end) = (0, log.progress().high_watermark);
                    while offset < end {
                        match log.read(offset, 500, ALL) {
                            Ok(read) => {
                                for (header, _) in batches(&read.records) {
                                    assert!(header.last_offset() >= offset, "offsets go on");
                                    offset = header.next_offset();
                                }
                            }
                            Err(ReadError::Storage { source, .. }) => panic!("a read failed at {offset}: {source}"),
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
        for round in 0..60 {
            for key in 0..10 {
                put(&log, &format!("{key}"), Some(&format!("{round}")));
            }
            bench.logs().clean();
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    assert_eq!(keys(&log).into_iter().map(|(_, key, value)| (key, value)).collect::<BTreeMap<_, _>>().len(), 10);
}

#[derive(Debug, Clone)]
enum Step {
    Plain { key: u8, value: Option<u8>, compression: i16 },
    Transactional { producer: u8, keys: Vec<(u8, Option<u8>)>, compression: i16 },
    End { producer: u8, commits: bool },
    Clean,
    Advance(u16),
    Checkpoint,
    Crash,
    LoseCheckpoint,
}

fn step() -> impl Strategy<Value = Step> {
    let value = || prop::option::weighted(0.8, any::<u8>());
    prop_oneof![
        10 => (0..12_u8, value(), 0..=4_i16).prop_map(|(key, value, compression)| Step::Plain { key, value, compression }),
        10 => (0..3_u8, prop::collection::vec((0..12_u8, value()), 1..5), 0..=4_i16)
            .prop_map(|(producer, keys, compression)| Step::Transactional { producer, keys, compression }),
        6 => (0..3_u8, any::<bool>()).prop_map(|(producer, commits)| Step::End { producer, commits }),
        3 => Just(Step::Clean),
        2 => (0..800_u16).prop_map(Step::Advance),
        1 => Just(Step::Checkpoint),
        2 => Just(Step::Crash),
        1 => Just(Step::LoseCheckpoint),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Whatever is written, aborted, compacted and restarted: who reads what is committed finds the last value of each key where it was
    /// written, and nothing that was not written there.
    #[test]
    fn compaction_keeps_what_a_committed_reader_sees(steps in prop::collection::vec(step(), 1..120), segment in 400_u32..1500, memory in 300_usize..5000) {
        let mut bench = Bench::with(|settings| (settings.cleaner_memory_bytes, settings.fsync) = (memory, Fsync::Never));
        let segment = segment.to_string();
        bench.topic("t", &[("cleanup.policy", "compact"), ("internal.segment.bytes", &segment), ("min.cleanable.dirty.ratio", "0"), ("delete.retention.ms", "1000")]);
        let mut log = bench.partition("t");
        let mut written: BTreeMap<i64, (u8, Option<u8>)> = BTreeMap::new();
        let mut open: BTreeMap<u8, Vec<i64>> = BTreeMap::new();
        let mut committed: Vec<i64> = Vec::new();
        let mut sequences = [0_i32; 3];
        let mut end = 0;
        for step in steps {
            let record = |key: u8, value: Option<u8>| (Some(vec![key]), value.map(|value| vec![value; 40]), super::NOW);
            match step {
                Step::Plain { key, value, compression } => {
                    let offset = log.append(Sent::records(vec![record(key, value)]).compressed(compression).bytes()).expect("is appended").base_offset;
                    written.insert(offset, (key, value));
                    committed.push(offset);
                }
                Step::Transactional { producer, keys, compression } => {
                    let sequence = &mut sequences[usize::from(producer)];
                    log.begin_transaction(i64::from(producer), 0);
                    let records = keys.iter().map(|(key, value)| record(*key, *value)).collect();
                    let sent = Sent::records(records).from(i64::from(producer), 0, *sequence).transactional().compressed(compression);
                    let base = log.append(sent.bytes()).expect("is appended").base_offset;
                    *sequence += keys.len() as i32;
                    for (offset, (key, value)) in (base..).zip(keys) {
                        written.insert(offset, (key, value));
                        open.entry(producer).or_default().push(offset);
                    }
                }
                Step::End { producer, commits } => {
                    log.append_marker(i64::from(producer), 0, if commits { Marker::Commit } else { Marker::Abort }, 0).expect("is written");
                    let offsets = open.remove(&producer).unwrap_or_default();
                    committed.extend(offsets.into_iter().filter(|_| commits));
                }
                Step::Clean => bench.logs().clean(),
                Step::Advance(ms) => bench.advance(u64::from(ms)),
                Step::Checkpoint => log.checkpoint_now().expect("is written"),
                Step::Crash => bench.crash(),
                Step::LoseCheckpoint => bench.crash_and(|place| drop(fs::remove_file(place.partition("t", 0).join("checkpoint")))),
            }
            log = bench.partition("t");
            let progress = log.progress();
            prop_assert!(progress.high_watermark >= end, "offsets never go back");
            end = progress.high_watermark;
            let first_open = open.values().flatten().min().copied().unwrap_or(end);
            prop_assert_eq!(progress.last_stable, first_open);
            let mut last: BTreeMap<u8, i64> = BTreeMap::new();
            for offset in committed.iter().filter(|offset| **offset < first_open) {
                let known = last.entry(written[offset].0).or_insert(*offset);
                *known = (*known).max(*offset);
            }
            let mut seen: BTreeMap<u8, i64> = BTreeMap::new();
            for (offset, key, value) in consume(&log, COMMITTED) {
                let (key, value) = (key.expect("has a key")[0], value.map(|value| value[0]));
                prop_assert_eq!(written.get(&offset), Some(&(key, value)), "at offset {}", offset);
                prop_assert!(committed.contains(&offset), "offset {} was committed", offset);
                seen.insert(key, offset);
            }
            for (key, offset) in last {
                match seen.get(&key) {
                    Some(found) => prop_assert_eq!(*found, offset, "of key {}", key),
                    None => prop_assert_eq!(written[&offset].1, None, "only a tombstone may be gone, of key {}", key),
                }
            }
        }
    }
}
