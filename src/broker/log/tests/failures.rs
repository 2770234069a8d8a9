//! The disk or the system fails: what was acknowledged stays, and nothing is acknowledged that may not.

use std::fs;
use std::sync::atomic::Ordering;

use super::{Bench, Sent, values};
use crate::broker::log::{AppendError, Fsync, Isolation, PartitionLog};

const ALL: Isolation = Isolation::ReadUncommitted;

fn append(log: &PartitionLog, count: usize) {
    for _ in 0..count {
        log.append(Sent::values(&["0123456789"]).bytes()).expect("is appended");
    }
}

#[test]
fn what_an_fsync_failed_on_is_never_said_to_be_on_disk() {
    for fsync in [Fsync::Always, Fsync::Interval] {
        let mut bench = Bench::with(|settings| settings.fsync = fsync);
        let log = bench.topic("t", &[]);
        append(&log, 1);
        log.flush(1).expect("is on disk");
        append(&log, 2);
        log.files.sync_faults.store(1, Ordering::SeqCst);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| log.flush(3).is_ok())).collect();
            threads.into_iter().map(|thread| thread.join().expect("answers")).collect()
        });
        assert_eq!(answers, [false; 4], "the disk fails once, and nobody is told that it did not");
        log.flush(1).expect("was on disk before");
        assert!(log.flush_all().is_err());
        assert!(matches!(log.append(Sent::values(&["x"]).bytes()), Err(AppendError::Storage { .. })));
        assert!(log.checkpoint_now().is_err(), "nothing vouches for what the disk may not have");
        assert_eq!(values(&log, ALL).len(), 3, "reads go on");
        bench.restart();
        let log = bench.partition("t");
        assert_eq!(log.unchecked_bytes(), log.size_bytes(), "all of it was read again");
        append(&log, 1);
        log.flush(4).expect("is on disk");
    }
}

#[test]
fn a_segment_that_cannot_be_opened_now_is_forced_to_disk_later() {
    let bench = Bench::with(|settings| settings.fsync = Fsync::Always);
    let log = bench.topic("t", &[]);
    append(&log, 1);
    log.files.open_faults.store(1, Ordering::SeqCst);
    assert!(log.acknowledge(1).is_err());
    log.acknowledge(1).expect("nothing was lost");
    append(&log, 1);
}

#[test]
fn retention_gives_space_back_though_nothing_can_be_written() {
    let mut bench = Bench::new();
    let log = bench.topic("t", &[("internal.segment.bytes", "1000"), ("retention.bytes", "2000")]);
    append(&log, 100);
    fs::create_dir(bench.place.partition("t", 0).join("checkpoint.new")).expect("is made");
    let before = bench.place.segments("t", 0).len();
    assert!(log.retain().is_err(), "a checkpoint cannot be written");
    assert!(bench.place.segments("t", 0).len() < before / 2);
    let start = log.progress().log_start;
    bench.crash();
    let log = bench.partition("t");
    assert_eq!((log.progress().log_start, log.progress().high_watermark), (start, 100));
    assert_eq!(values(&log, ALL).len() as i64, 100 - start);
}

#[test]
fn a_segment_whose_beginning_failed_does_not_move_the_end() {
    for (checkpointed, following) in [(false, 0), (false, 40), (true, 0), (true, 40)] {
        let mut bench = Bench::new();
        let log = bench.topic("t", &[("internal.segment.bytes", "1000")]);
        append(&log, 3);
        if checkpointed {
            log.checkpoint_now().expect("is written");
        }
        fs::write(bench.place.partition("t", 0).join(format!("{:020}.log", 2)), []).expect("is made");
        append(&log, following);
        bench.crash();
        let log = bench.partition("t");
        assert_eq!(values(&log, ALL).len(), 3 + following, "checkpointed: {checkpointed}");
        assert_eq!(log.append(Sent::values(&["next"]).bytes()).expect("follows").base_offset, 3 + following as i64);
        bench.crash();
        assert_eq!(values(&bench.partition("t"), ALL).len(), 4 + following);
    }
}

#[test]
fn an_empty_segment_is_not_closed() {
    let mut bench = Bench::new();
    let log = bench.topic("t", &[]);
    append(&log, 1);
    for _ in 0..2 {
        log.roll_now().expect("a segment begins");
    }
    assert_eq!(bench.place.segments("t", 0).len(), 2);
    log.delete_records(1).expect("are deleted");
    log.retain().expect("they go");
    append(&log, 1);
    bench.crash();
    assert_eq!(values(&bench.partition("t"), ALL).len(), 1);
}

#[test]
fn of_two_topics_of_one_name_the_one_with_records_is_it() {
    for records in [0, 1] {
        let (mut bench, remnant) = (Bench::new(), Bench::new());
        append(&bench.topic("t", &[]), records);
        remnant.topic("t", &[]);
        if records == 0 {
            bench.logs().alter_configs("t", |_| Ok(super::configs_of(&[])), false).expect("is written later");
        }
        let id = bench.logs().topic("t").map(|topic| topic.id);
        bench.crash_and(|place| {
            let partition = remnant.place.partition("t", 0);
            let dir = partition.parent().expect("is in a topic");
            let topics = place.path().join("topics");
            fs::rename(dir, topics.join(dir.file_name().expect("has a name"))).expect("is moved");
        });
        assert_eq!(bench.logs().topic("t").map(|topic| topic.id), id);
        assert_eq!(values(&bench.partition("t"), ALL).len(), records);
        assert_eq!(fs::read_dir(bench.place.path().join("topics")).expect("is there").count(), 1);
    }
}

#[test]
fn without_fsync_a_checkpoint_counts_only_until_the_machine_stops() {
    let mut bench = Bench::with(|settings| settings.fsync = Fsync::Never);
    let log = bench.topic("t", &[]);
    append(&log, 10);
    log.checkpoint_now().expect("is written");
    bench.crash();
    assert_eq!(bench.partition("t").unchecked_bytes(), 0, "only the process stopped");
    bench.settings.boot_id = "another".to_owned();
    bench.crash_and(|place| {
        let segment = &place.segments("t", 0)[0];
        let mut bytes = fs::read(segment).expect("is read");
        let written = bytes.len() - bytes.len() / 4;
        bytes[written..].fill(0);
        fs::write(segment, bytes).expect("is written");
    });
    let log = bench.partition("t");
    assert_eq!(values(&log, ALL).len(), 7, "what was not written is cut off");
    assert_eq!(log.append(Sent::values(&["next"]).bytes()).expect("follows").base_offset, 7);
}

#[test]
fn what_was_written_without_fsync_is_forced_to_disk_once_it_is_wanted() {
    let mut bench = Bench::with(|settings| settings.fsync = Fsync::Never);
    append(&bench.topic("t", &[]), 3);
    bench.settings.fsync = Fsync::Always;
    bench.restart();
    let log = bench.partition("t");
    assert_eq!((log.unchecked_bytes(), log.flushed_to()), (0, 0), "it is whole, but not on disk");
    log.flush_all().expect("is flushed");
    assert_eq!(log.flushed_to(), 3);
}

#[test]
fn a_client_does_not_say_that_the_broker_gave_the_time() {
    let bench = Bench::new();
    let mut sent = Sent::values(&["a"]);
    sent.header.attributes |= 1 << 3;
    let refused = bench.topic("t", &[]).append(sent.bytes());
    assert!(matches!(refused, Err(AppendError::InvalidTimestamp(_))), "{refused:?}");
    bench.topic("u", &[("message.timestamp.type", "LogAppendTime")]).append(sent.bytes()).expect("the broker gives it anyway");
}
