use bytes::Bytes;

use super::{Bench, NOW, Sent, batches, consume, consume_with, values};
use crate::broker::log::{AppendError, Isolation, ReadError, TimedOffset};

const ALL: Isolation = Isolation::ReadUncommitted;

#[test]
fn records_are_given_offsets_in_order_and_served_as_they_came() {
    let bench = Bench::new();
    let log = bench.topic("t", &[]);
    let sent = Sent::values(&["a", "b", "c"]).bytes();
    let first = log.append(sent.clone()).expect("is appended");
    let second = log.append(Sent::values(&["d"]).bytes()).expect("is appended");
    assert_eq!((first.base_offset, first.last_offset, second.base_offset), (0, 2, 3));
    assert_eq!(values(&log, ALL), ["a", "b", "c", "d"]);
    let served = log.read(0, 1, ALL).expect("is readable").records;
    assert_eq!(served.len(), sent.len(), "one batch, although one byte was asked for");
    assert_eq!(served[16..], sent[16..], "behind the leader epoch nothing is touched");
    assert_eq!(batches(&log.read(1, 1 << 20, ALL).expect("is readable").records).len(), 2);
}

#[test]
fn a_read_begins_with_the_batch_that_has_the_offset() {
    let bench = Bench::new();
    let log = bench.topic("t", &[("internal.segment.bytes", "30000")]);
    let value = "x".repeat(700);
    for _ in 0..200 {
        log.append(Sent::values(&[&value, &value]).bytes()).expect("is appended");
    }
    assert!(bench.place.segments("t", 0).len() > 5, "there are several segments");
    for offset in 0..400 {
        let read = log.read(offset, 5000, ALL).expect("is readable").records;
        let found = batches(&read);
        assert_eq!(found[0].0.base_offset, offset / 2 * 2, "for offset {offset}");
        assert!(read.len() <= 5000);
    }
    assert_eq!(consume_with(&log, ALL, 10).len(), 400);
    assert!(log.read(400, 10, ALL).expect("the end is not out of range").records.is_empty());
    assert!(matches!(log.read(401, 10, ALL), Err(ReadError::OffsetOutOfRange { offset: 401, start: 0, end: 400 })));
}

#[test]
fn all_codecs_are_read() {
    let bench = Bench::new();
    let log = bench.topic("t", &[]);
    for kind in 0..=4 {
        let text = format!("{kind} {}", "many ".repeat(20_000));
        log.append(Sent::values(&[&text, "short"]).compressed(kind).bytes()).expect("is appended");
        assert_eq!(values(&log, ALL)[usize::try_from(kind).expect("fits") * 2], text);
    }
}

#[test]
fn what_is_no_sound_batch_is_refused_and_changes_nothing() {
    let bench = Bench::new();
    let log = bench.topic("t", &[("max.message.bytes", "1000")]);
    let good = Sent::values(&["a", "b"]);
    let mut flipped = good.bytes().to_vec();
    *flipped.last_mut().expect("is not empty") ^= 1;
    let mut old = good.bytes().to_vec();
    old[16] = 1;
    let twice = [good.bytes(), good.bytes()].concat();
    let mut miscounted = good.clone();
    miscounted.header.last_offset_delta = 5;
    let mut control = good.clone();
    control.header.attributes |= 1 << 5;
    let refused = |bytes: Vec<u8>| log.append(Bytes::from(bytes)).expect_err("is refused");
    assert!(matches!(refused(flipped), AppendError::CorruptMessage(_)));
    assert!(matches!(refused(old), AppendError::UnsupportedFormat(1)));
    assert!(matches!(refused(twice), AppendError::InvalidRecord(_)));
    assert!(matches!(refused(miscounted.bytes().to_vec()), AppendError::InvalidRecord(_)));
    assert!(matches!(refused(control.bytes().to_vec()), AppendError::InvalidRecord(_)));
    assert!(matches!(refused(good.bytes()[..30].to_vec()), AppendError::CorruptMessage(_)));
    assert!(matches!(refused(Vec::new()), AppendError::CorruptMessage(_)));
    assert!(matches!(refused(good.clone().at(NOW + 7_200_000).bytes().to_vec()), AppendError::InvalidTimestamp(_)));
    let long = "x".repeat(1000);
    assert!(matches!(refused(Sent::values(&[&long]).bytes().to_vec()), AppendError::MessageTooLarge { max: 1000, .. }));
    assert_eq!(log.progress().high_watermark, 0);
}

#[test]
fn compacted_topics_take_no_records_without_a_key() {
    let bench = Bench::new();
    let log = bench.topic("t", &[("cleanup.policy", "compact")]);
    assert!(matches!(log.append(Sent::values(&["a"]).bytes()), Err(AppendError::InvalidRecord(_))));
    log.append(Sent::keyed("k", Some("v")).bytes()).expect("is appended");
}

#[test]
fn the_broker_gives_the_time_if_the_topic_says_so() {
    let bench = Bench::new();
    let log = bench.topic("t", &[("message.timestamp.type", "LogAppendTime")]);
    let appended = log.append(Sent::values(&["a", "b"]).at(5).bytes()).expect("is appended");
    assert_eq!(appended.log_append_time, NOW);
    let read = log.read(0, 1000, ALL).expect("is readable").records;
    assert_eq!((batches(&read)[0].0.max_timestamp, batches(&read)[0].0.is_log_append_time()), (NOW, true));
    assert_eq!(log.offset_for_time(6, ALL).expect("is found"), Some(TimedOffset { offset: 0, timestamp: NOW }));
}

#[test]
fn times_are_found_by_record() {
    let bench = Bench::new();
    let log = bench.topic("t", &[("internal.segment.bytes", "20000")]);
    for batch in 0..300_i64 {
        let record = |at: i64| (None, Some(vec![0; 200]), NOW - 1_000_000 + at);
        let base = batch * 30;
        log.append(
            Sent::records(vec![record(base), record(base + 20), record(base + 10)]).compressed(if batch % 2 == 0 { 0 } else { 1 }).bytes(),
        )
        .expect("is appended");
    }
    let find = |at: i64| log.offset_for_time(NOW - 1_000_000 + at, ALL).expect("is looked up").map(|found| found.offset);
    for batch in 0..300 {
        assert_eq!(find(batch * 30), Some(batch * 3));
        assert_eq!(find(batch * 30 + 1), Some(batch * 3 + 1));
        assert_eq!(find(batch * 30 + 15), Some(batch * 3 + 1));
        assert_eq!(find(batch * 30 + 21), Some(batch * 3 + 3).filter(|offset| *offset < 900));
    }
    assert_eq!(find(-5), Some(0));
    assert_eq!(log.max_timestamp().expect("is found"), Some(TimedOffset { offset: 898, timestamp: NOW - 1_000_000 + 299 * 30 + 20 }));
    log.delete_records(4).expect("are deleted");
    assert_eq!(log.offset_for_time(0, ALL).expect("is found").map(|found| found.offset), Some(4));
}

#[test]
fn open_files_are_bounded() {
    let bench = Bench::with(|settings| settings.max_open_segments = 4);
    let log = bench.topic("t", &[("internal.segment.bytes", "300")]);
    for _ in 0..100 {
        log.append(Sent::values(&["0123456789"]).bytes()).expect("is appended");
    }
    assert!(bench.place.segments("t", 0).len() > 20);
    assert_eq!(consume(&log, ALL).len(), 100);
    assert!(log.files.count() <= 4);
}

#[test]
fn retention_goes_by_time_and_by_size_and_takes_whole_segments() {
    let bench = Bench::new();
    let by_time = bench.topic("time", &[("internal.segment.bytes", "300"), ("retention.ms", "1000")]);
    let by_size = bench.topic("size", &[("internal.segment.bytes", "300"), ("retention.bytes", "1000")]);
    let neither = bench.topic("compact", &[("internal.segment.bytes", "300"), ("cleanup.policy", "compact"), ("retention.ms", "1")]);
    for index in 0..100 {
        let record = Sent::keyed("key", Some("0123456789")).at(NOW + index * 10);
        for log in [&by_time, &by_size, &neither] {
            log.append(record.bytes()).expect("is appended");
        }
    }
    bench.advance(1500);
    bench.logs().clean();
    let start = by_time.progress().log_start;
    assert!((45..=51).contains(&start), "records older than a second are gone by segments: {start}");
    assert_eq!(consume(&by_time, ALL).first().map(|record| record.0), Some(start));
    assert!((1000..1400).contains(&by_size.size_bytes()), "{}", by_size.size_bytes());
    assert_eq!(neither.progress().log_start, 0);
    bench.advance(5000);
    bench.logs().clean();
    assert_eq!((by_time.progress().log_start, by_time.progress().high_watermark), (100, 100), "the last segment goes as well");
    assert_eq!(by_time.append(Sent::values(&["a"]).bytes()).expect("is appended").base_offset, 100);
}

#[test]
fn deleted_records_are_out_of_range_and_their_segments_go() {
    let mut bench = Bench::new();
    let log = bench.topic("t", &[("internal.segment.bytes", "300")]);
    for _ in 0..20 {
        log.append(Sent::values(&["0123456789"]).bytes()).expect("is appended");
    }
    let before = bench.place.segments("t", 0).len();
    assert_eq!(log.delete_records(15).expect("are deleted"), 15);
    assert!(matches!(log.read(14, 10, ALL), Err(ReadError::OffsetOutOfRange { .. })));
    assert!(matches!(log.delete_records(21), Err(ReadError::OffsetOutOfRange { .. })));
    assert_eq!(log.delete_records(3).expect("nothing comes back"), 15);
    bench.crash();
    let log = bench.partition("t");
    assert_eq!(log.progress().log_start, 15);
    assert_eq!(consume(&log, ALL).len(), 5);
    bench.logs().clean();
    assert!(bench.place.segments("t", 0).len() <= before - 5);
    assert_eq!(log.delete_records(-1).expect("are deleted"), 20);
    let compacted = bench.topic("c", &[("cleanup.policy", "compact")]);
    assert!(matches!(compacted.delete_records(0), Err(ReadError::PolicyViolation)));
}
