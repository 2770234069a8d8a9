//! The changelog reader.

use std::time::{Duration, Instant};

use viewmill::kafka::{KafkaChangelogReader, KafkaProducer, KafkaSettings};
use viewmill::ports::{ChangelogReader, Chunk, Located, LogBounds, PortError, PortErrorClass, TransactionalProducer};
use viewmill::record::{Offset, TopicPartition};

use super::{CALL, Member, application, commit, deliver, done, partition, producer, record, settle, topic, until};

/// Reads until the end of the stable log.
fn read_to_end(reader: &mut KafkaChangelogReader, place: &TopicPartition) -> Chunk {
    let mut all = Chunk::default();
    until(|| {
        let chunk = reader.read(place, Duration::from_millis(500)).unwrap();
        all.records.extend(chunk.records);
        all.position = chunk.position;
        all.at_end = chunk.at_end;
        chunk.at_end.then_some(())
    });
    all
}

/// A changelog partition with three committed records at 0 to 2, and three of a transaction that is still open at 4 to 6.
fn half_committed() -> (KafkaSettings, TopicPartition, KafkaProducer) {
    let app = application();
    let topic = topic(&app, "changelog", 1);
    let mut producer = producer(&app);
    commit(&mut producer, &topic, 0, 0, 3);
    deliver(&mut producer, &topic, 0, 3, 3);
    (app, partition(&topic, 0), producer)
}

#[test]
fn the_position_passes_what_leaves_no_record() {
    let (app, place, mut producer) = half_committed();
    let topic = place.topic.to_string();
    producer.abort(CALL).unwrap();
    producer.begin().unwrap();
    let mut tombstone = record(&topic, 0, "key", "");
    tombstone.value = None;
    producer.send(&tombstone).unwrap();
    producer.flush(CALL).unwrap();
    until(|| done(producer.commit(CALL)));

    let mut reader = KafkaChangelogReader::new(&app).unwrap();
    reader.open(&place, Offset(1)).unwrap();
    let all = read_to_end(&mut reader, &place);
    // 0 1 2 commit | 4 5 6 abort | 8 commit
    assert_eq!(all.records.iter().map(|record| record.offset.0).collect::<Vec<_>>(), [1, 2, 8]);
    assert_eq!((all.position, all.at_end), (Offset(10), true));
    assert_eq!(all.records[2].value, None);
    assert_eq!(all.records[0].key.as_deref(), Some(&b"key"[..]));

    // At the end it stays at the end, without data; new data is found by the next read.
    let again = reader.read(&place, Duration::from_millis(100)).unwrap();
    assert_eq!((again.records.len(), again.position, again.at_end), (0, Offset(10), true));
    commit(&mut producer, &topic, 0, 9, 1);
    let all = until(|| {
        let chunk = reader.read(&place, CALL).unwrap();
        (!chunk.records.is_empty()).then_some(chunk)
    });
    assert_eq!(all.records[0].offset, Offset(10));
    assert_eq!(read_to_end(&mut reader, &place).position, Offset(12));
    reader.close(&place);
    assert!(reader.read(&place, Duration::ZERO).is_err());
}

#[test]
fn an_open_transaction_holds_the_stable_end_but_not_the_end() {
    let (app, place, mut producer) = half_committed();
    let topic = place.topic.to_string();
    let mut reader = KafkaChangelogReader::new(&app).unwrap();
    let bounds = reader.bounds(&place).unwrap();
    assert_eq!((bounds.start, bounds.stable_end, bounds.end), (Offset(0), Offset(4), Offset(7)));
    reader.open(&place, Offset(0)).unwrap();
    assert_eq!(read_to_end(&mut reader, &place).position, Offset(4));
    until(|| done(producer.commit(CALL)));
    let bounds = until(|| reader.bounds(&place).ok().filter(|bounds| bounds.stable_end == bounds.end));
    assert_eq!(bounds.end, Offset(8));
    // Above the stable end nothing is said about the end: it waits.
    deliver(&mut producer, &topic, 0, 6, 3);
    reader.close(&place);
    reader.open(&place, Offset(10)).unwrap();
    let chunk = reader.read(&place, Duration::from_millis(700)).unwrap();
    assert_eq!((chunk.records.len(), chunk.position, chunk.at_end), (0, Offset(10), false));
    until(|| done(producer.commit(CALL)));
    assert_eq!(read_to_end(&mut reader, &place).records.iter().map(|record| record.offset.0).collect::<Vec<_>>(), [10]);
}

#[test]
fn a_pending_offset_is_not_yet_and_never_none() {
    let app = application();
    let log = topic(&app, "tasks", 2);
    let (token, other) = (partition(&log, 0), partition(&log, 1));
    let mut reader = KafkaChangelogReader::new(&app).unwrap();
    assert_eq!(until(|| done(reader.committed(&token))), None);

    let mut member = Member::join(&app, &log);
    settle(&mut [&mut member], |all| all[0].tokens == [0, 1]);
    let generation = member.generation.clone().unwrap();
    let mut producer = producer(&app);
    deliver(&mut producer, &log, 0, 0, 1);
    producer.send_offsets(&[(token.clone(), Offset(1))], &generation, CALL).unwrap();
    let started = Instant::now();
    let pending = reader.committed(&token).unwrap_err();
    assert!(pending.is_retriable(), "{:?}: {pending}", pending.class);
    println!("a pending offset was answered after {:?}: {pending}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(8));
    // Only the token with an offset in the transaction is pending.
    assert_eq!(until(|| done(reader.committed(&other))), None);
    producer.abort(CALL).unwrap();

    // Also where both are asked for together.
    deliver(&mut producer, &log, 0, 1, 1);
    producer.send_offsets(&[(token.clone(), Offset(3))], &generation, CALL).unwrap();
    let located = reader.locate(&[other.clone(), token.clone()]);
    assert!(located[1].as_ref().is_err_and(PortError::is_retriable), "{located:?}");
    let at = |offset| Offset(offset);
    let nothing = Located { committed: None, bounds: LogBounds { start: at(0), stable_end: at(0), end: at(0) } };
    assert_eq!(located[0].as_ref().ok(), Some(&nothing), "{located:?}");

    until(|| done(producer.commit(CALL)));
    // The marker of the commit lies behind the record.
    let bounds = LogBounds { start: at(0), stable_end: at(4), end: at(4) };
    let both = [nothing, Located { committed: Some(at(3)), bounds }];
    until(|| {
        let located = reader.locate(&[other.clone(), token.clone()]);
        located.iter().zip(&both).all(|(located, expected)| located.as_ref().ok() == Some(expected)).then_some(())
    });

    deliver(&mut producer, &log, 0, 2, 1);
    producer.send_offsets(&[(token.clone(), Offset(5))], &generation, CALL).unwrap();
    producer.abort(CALL).unwrap();
    assert_eq!(until(|| done(reader.committed(&token))), Some(Offset(3)));
}

#[test]
fn a_log_that_is_not_there_is_told_and_others_beside_it_are_located() {
    let app = application();
    let there = partition(&topic(&app, "tasks", 1), 0);
    let mut reader = KafkaChangelogReader::new(&app).unwrap();
    for missing in [partition(&there.topic, 1), partition("no-such-topic", 0), partition("no\0topic", 0)] {
        let error = reader.bounds(&missing).unwrap_err();
        assert_eq!(error.class, PortErrorClass::UnknownTopic, "{error}");
        // A new client may not have found the group's coordinator in time.
        let located = until(|| {
            let located = reader.locate(&[there.clone(), missing.clone()]);
            (!located.iter().filter_map(|one| one.as_ref().err()).any(PortError::is_retriable)).then_some(located)
        });
        assert!(located[0].is_ok(), "{missing:?}: {located:?}");
        assert!(located[1].as_ref().is_err_and(|error| error.class == PortErrorClass::UnknownTopic), "{missing:?}: {located:?}");
    }
}

#[test]
fn several_logs_are_read_beside_each_other() {
    let app = application();
    let topic = topic(&app, "changelog", 3);
    let mut producer = producer(&app);
    let places: Vec<_> = (0..3).map(|at| partition(&topic, at)).collect();
    for at in 0..3 {
        commit(&mut producer, &topic, at, 0, 10_000);
    }
    let mut reader = KafkaChangelogReader::new(&app).unwrap();
    for place in &places {
        reader.open(place, Offset(0)).unwrap();
    }
    let mut counts = [0; 3];
    for (at, place) in places.iter().enumerate().cycle().take(3000) {
        counts[at] += reader.read(place, Duration::from_millis(20)).unwrap().records.len();
        if counts == [10_000; 3] {
            break;
        }
    }
    assert_eq!(counts, [10_000; 3]);
}

#[test]
fn questions_without_kafka_end_in_time_and_say_why() {
    let mut app = application();
    app.bootstrap_servers = "127.0.0.1:1".into();
    let mut reader = KafkaChangelogReader::new(&app).unwrap();
    let place = partition("t", 0);
    let started = Instant::now();
    for error in [reader.committed(&place).unwrap_err(), reader.bounds(&place).unwrap_err()] {
        assert!(error.is_retriable(), "{:?}: {error}", error.class);
        assert!(error.detail.contains("127.0.0.1"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}
