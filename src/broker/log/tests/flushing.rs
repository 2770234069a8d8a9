// Waits for threads in the background, which no clock of a test drives.
#![allow(clippy::disallowed_methods)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Bench, Sent, values};
use crate::broker::log::{Fsync, Isolation, LogSettings, Logs};
use crate::clock::SystemClock;

#[test]
fn many_wait_for_one_fsync_and_all_are_answered() {
    let bench = Bench::with(|settings| settings.fsync = Fsync::Always);
    let log = bench.topic("t", &[("internal.segment.bytes", "1000")]);
    std::thread::scope(|scope| {
        for producer in 0..8 {
            let log = Arc::clone(&log);
            scope.spawn(move || {
                for sequence in 0..20 {
                    let appended = log.append(Sent::values(&["0123456789"]).from(producer, 0, sequence).bytes()).expect("is appended");
                    log.acknowledge(appended.last_offset + 1).expect("is on disk");
                    assert!(log.flushed_to() > appended.last_offset);
                }
            });
        }
    });
    assert_eq!(log.progress().high_watermark, 160);
}

#[test]
fn only_always_waits_before_an_answer() {
    for (fsync, waits) in [(Fsync::Always, true), (Fsync::Interval, false), (Fsync::Never, false)] {
        let bench = Bench::with(|settings| settings.fsync = fsync);
        let log = bench.topic("t", &[]);
        log.append(Sent::values(&["a"]).bytes()).expect("is appended");
        log.acknowledge(1).expect("is answered");
        assert_eq!(log.flushed_to() == 1, waits, "{fsync:?}");
        log.flush(1).expect("the end of a transaction");
        assert_eq!(log.flushed_to() == 1, fsync != Fsync::Never, "{fsync:?}");
    }
}

/// The threads in the background do by themselves what the other tests call.
#[test]
fn records_reach_the_disk_and_old_ones_go_without_being_asked() {
    let bench = Bench::new();
    let place = super::Place::new();
    let settings = LogSettings {
        background: true,
        clock: Arc::new(SystemClock::default()),
        fsync_interval: Duration::from_millis(5),
        cleaner_backoff: Duration::from_millis(5),
        checkpoint_interval: Duration::ZERO,
        ..bench.settings.clone()
    };
    let logs = Logs::open(place.path(), settings).expect("opens");
    let configs = super::configs_of(&[("retention.ms", "1"), ("message.timestamp.type", "LogAppendTime")]);
    let log = logs.create_topic("t", 1, configs).expect("is made").partitions[0].clone();
    log.append(Sent::values(&["a"]).bytes()).expect("is appended");
    let until = Instant::now() + Duration::from_secs(20);
    while log.flushed_to() < 1 || log.unchecked_bytes() > 0 || log.progress().log_start < 1 {
        assert!(Instant::now() < until, "{:?}", log.progress());
        std::thread::yield_now();
    }
    assert!(values(&log, Isolation::ReadUncommitted).is_empty());
}
