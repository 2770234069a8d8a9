use std::sync::atomic::Ordering;

use super::{Bench, Sent, values};
use crate::broker::log::{AppendError, Isolation, Marker};

const ALL: Isolation = Isolation::ReadUncommitted;

#[test]
fn a_full_disk_refuses_appends_and_harms_nothing() {
    let mut bench = Bench::new();
    let log = bench.topic("t", &[]);
    let batch = |sequence| Sent::values(&["0123456789"]).from(1, 0, sequence).bytes();
    log.append(batch(0)).expect("is appended");
    for room in [0, 1, 60, 61, 70] {
        log.files.room.store(room, Ordering::SeqCst);
        assert!(matches!(log.append(batch(1)), Err(AppendError::Storage { .. })), "with room for {room} bytes");
        assert!(matches!(log.append_marker(1, 0, Marker::Commit, 0), Err(AppendError::Storage { .. })));
        assert_eq!((values(&log, ALL).len(), log.progress().high_watermark), (1, 1), "reads go on");
        let on_disk = bench.place.segments("t", 0)[0].metadata().expect("is there").len();
        assert_eq!(on_disk, log.size_bytes(), "nothing half written is left");
    }
    log.files.room.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(log.append(batch(1)).expect("there is room again").base_offset, 1);
    bench.crash();
    assert_eq!(values(&bench.partition("t"), ALL).len(), 2);
}

#[test]
fn compaction_does_not_begin_on_a_disk_that_has_no_room_for_it() {
    let bench = Bench::new();
    let small = [("cleanup.policy", "compact"), ("internal.segment.bytes", "400"), ("min.cleanable.dirty.ratio", "0")];
    let log = bench.topic("t", &small);
    for value in 0..40 {
        log.append(Sent::keyed("k", Some(&format!("{value:10}"))).bytes()).expect("is appended");
    }
    let files = || std::fs::read_dir(bench.place.partition("t", 0)).expect("can be listed").count();
    let before = (log.size_bytes(), files());
    log.files.room.store(200, Ordering::SeqCst);
    for _ in 0..2 {
        assert!(!log.compact(&|| false).expect("waits"));
        assert_eq!((log.size_bytes(), files()), before);
    }
    log.files.room.store(u64::MAX, Ordering::SeqCst);
    assert!(log.compact(&|| false).expect("there is room again"));
    assert!(log.size_bytes() < before.0 / 2);
    assert_eq!(values(&log, ALL).last().expect("is there").trim(), "39");
}
