use std::fs::{self, OpenOptions};

use proptest::prelude::*;

use super::{Bench, Sent, consume, values};
use crate::broker::log::{Fsync, Isolation, Marker};

const ALL: Isolation = Isolation::ReadUncommitted;
const COMMITTED: Isolation = Isolation::ReadCommitted;

#[test]
fn a_torn_tail_is_cut_and_the_rest_stays() {
    let mut bench = Bench::new();
    let log = bench.topic("t", &[]);
    for value in ["a", "b", "c"] {
        log.append(Sent::values(&[value]).bytes()).expect("is appended");
    }
    bench.crash_and(|place| {
        let segment = OpenOptions::new().write(true).open(&place.segments("t", 0)[0]).expect("opens");
        segment.set_len(segment.metadata().expect("is there").len() - 1).expect("is cut");
    });
    let log = bench.partition("t");
    assert_eq!(values(&log, ALL), ["a", "b"]);
    assert_eq!(log.append(Sent::values(&["d"]).bytes()).expect("is appended").base_offset, 2);
    assert_eq!(values(&log, ALL), ["a", "b", "d"]);
}

#[test]
fn a_start_reads_only_what_is_behind_the_checkpoint() {
    let mut bench = Bench::new();
    let log = bench.topic("t", &[("internal.segment.bytes", "1000")]);
    let append = |count| {
        for _ in 0..count {
            log.append(Sent::values(&["0123456789"]).bytes()).expect("is appended");
        }
    };
    append(100);
    log.checkpoint_now().expect("is written");
    append(10);
    let behind = log.unchecked_bytes();
    assert!(behind < log.size_bytes() / 5);
    bench.crash();
    assert_eq!(bench.partition("t").unchecked_bytes(), behind);
    bench.restart();
    assert_eq!(bench.partition("t").unchecked_bytes(), 0, "a clean end leaves nothing to check");
    assert_eq!(consume(&bench.partition("t"), ALL).len(), 110);
}

#[test]
fn indexes_and_checkpoints_that_are_gone_or_wrong_are_made_anew() {
    for damage in ["gone", "flipped", "short"] {
        for victim in ["index", "checkpoint"] {
            let mut bench = Bench::new();
            let log = bench.topic("t", &[("internal.segment.bytes", "1000")]);
            log.begin_transaction(1, 0);
            log.append(Sent::values(&["aborted"]).from(1, 0, 0).transactional().bytes()).expect("is appended");
            log.append_marker(1, 0, Marker::Abort, 0).expect("is written");
            for sequence in 0..50 {
                log.append(Sent::values(&["0123456789"]).from(2, 0, sequence).bytes()).expect("is appended");
            }
            bench.restart();
            bench.crash_and(|place| {
                for entry in fs::read_dir(place.partition("t", 0)).expect("can be listed") {
                    let path = entry.expect("can be read").path();
                    if !path.to_string_lossy().ends_with(victim) {
                        continue;
                    }
                    let mut bytes = fs::read(&path).expect("is read");
                    match damage {
                        "gone" => fs::remove_file(&path).expect("is removed"),
                        "flipped" => {
                            let middle = bytes.len() / 2;
                            bytes[middle] ^= 1;
                            fs::write(&path, bytes).expect("is written");
                        }
                        _ => fs::write(&path, &bytes[..bytes.len() / 2]).expect("is written"),
                    }
                }
            });
            let log = bench.partition("t");
            assert_eq!(consume(&log, COMMITTED).len(), 50, "{victim} {damage}");
            let again = log.append(Sent::values(&["0123456789"]).from(2, 0, 49).bytes()).expect("is known");
            assert_eq!(again.base_offset, 51, "{victim} {damage}: the last batch is known to be here");
            assert_eq!(log.append(Sent::values(&["x"]).from(2, 0, 50).bytes()).expect("follows").base_offset, 52);
        }
    }
}

#[test]
fn open_transactions_survive_a_restart() {
    for checkpointed in [false, true] {
        let mut bench = Bench::new();
        let log = bench.topic("t", &[]);
        log.begin_transaction(7, 3);
        log.append(Sent::values(&["a"]).from(7, 3, 0).transactional().bytes()).expect("is appended");
        if checkpointed {
            log.checkpoint_now().expect("is written");
        }
        log.append(Sent::values(&["b"]).bytes()).expect("is appended");
        bench.crash();
        let log = bench.partition("t");
        assert_eq!(log.progress().last_stable, 0);
        log.append(Sent::values(&["c"]).from(7, 3, 1).transactional().bytes()).expect("the transaction goes on");
        log.append_marker(7, 3, Marker::Abort, 0).expect("is written");
        assert_eq!(log.progress().last_stable, 4);
        bench.crash();
        assert_eq!(values(&bench.partition("t"), COMMITTED), ["b"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Cut anywhere behind what was flushed: all that was flushed is there, in order, and what is written next follows it.
    #[test]
    fn what_was_flushed_survives_a_cut_anywhere_behind_it(
        before in 0_usize..30, after in 1_usize..30, checkpoints in any::<u8>(), cut in 0.0..1.0_f64, segment in 300_u32..2000,
    ) {
        let mut bench = Bench::with(|settings| settings.fsync = Fsync::Never);
        let log = bench.topic("t", &[("internal.segment.bytes", &segment.to_string())]);
        let mut written = Vec::new();
        let append = |index: usize, written: &mut Vec<String>| {
            let value = format!("{index}:{}", "x".repeat(index * 7 % 90));
            log.append(Sent::values(&[&value, "y"]).from(5, 0, index as i32 * 2).bytes()).expect("is appended");
            written.extend([value, "y".to_owned()]);
        };
        for index in 0..before {
            append(index, &mut written);
            if index < 8 && checkpoints & (1 << index) != 0 {
                log.checkpoint_now().expect("is written");
            }
        }
        log.flush(log.progress().high_watermark).expect("is flushed");
        let flushed = log.size_bytes();
        for index in before..before + after {
            append(index, &mut written);
        }
        let total = log.size_bytes();
        let keep = flushed + ((total - flushed) as f64 * cut) as u64;
        bench.crash_and(|place| {
            let mut left = keep;
            for path in place.segments("t", 0) {
                let file = OpenOptions::new().write(true).open(&path).expect("opens");
                let size = file.metadata().expect("is there").len();
                file.set_len(size.min(left)).expect("is cut");
                left -= size.min(left);
            }
        });
        let log = bench.partition("t");
        let found = values(&log, ALL);
        prop_assert!(found.len() >= before * 2, "{} of {} flushed records are there", found.len(), before * 2);
        prop_assert_eq!(&found[..], &written[..found.len()]);
        prop_assert_eq!(log.progress().high_watermark, found.len() as i64);
        let next = log.append(Sent::values(&["next"]).from(5, 0, found.len() as i32).bytes());
        prop_assert_eq!(next.expect("sequences go on").base_offset, found.len() as i64);
    }
}
