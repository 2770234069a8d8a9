//! The transactional producer.

use std::time::{Duration, Instant};

use viewmill::kafka::KafkaProducer;
use viewmill::ports::{InputMessage, PortErrorClass, TransactionalProducer};
use viewmill::record::{Header, Headers, Offset, OutputRecord, Timestamp, partition_for};

use super::{CALL, application, commit, consumer, deliver, done, partition, producer, read_to, record, topic, until, values};

#[test]
fn a_committed_transaction_is_visible_and_an_aborted_one_is_not() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    commit(&mut producer, &topic, 0, 0, 10);
    deliver(&mut producer, &topic, 0, 10, 10);
    producer.abort(CALL).unwrap();
    commit(&mut producer, &topic, 0, 20, 10);
    // Three transactions of ten records and a marker each.
    let place = partition(&topic, 0);
    let (records, end) = read_to(&mut consumer(&app, &place, 0), &place, 33);
    assert_eq!(values(&records), (0..10).chain(20..30).collect::<Vec<_>>());
    assert_eq!(end, Offset(33));
}

#[test]
fn an_open_transaction_is_not_visible() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    commit(&mut producer, &topic, 0, 0, 3);
    deliver(&mut producer, &topic, 0, 3, 3);
    let place = partition(&topic, 0);
    let mut consumer = consumer(&app, &place, 0);
    let (records, end) = read_to(&mut consumer, &place, 4);
    assert_eq!((values(&records), end), (vec![0, 1, 2], Offset(4)));
    until(|| done(producer.commit(CALL)));
    let (records, end) = read_to(&mut consumer, &place, 8);
    assert_eq!((values(&records), end), (vec![3, 4, 5], Offset(8)));
}

#[test]
fn flush_answers_the_last_offset_of_each_partition() {
    let app = application();
    let topic = topic(&app, "t", 3);
    let mut producer = producer(&app);
    commit(&mut producer, &topic, 1, 0, 5);
    producer.begin().unwrap();
    for round in 0..1000 {
        for at in 0..3 {
            producer.send(&record(&topic, at, "key", &round.to_string())).unwrap();
        }
    }
    let first = producer.flush(CALL).unwrap();
    producer.send(&record(&topic, 2, "key", "1000")).unwrap();
    let second = producer.flush(CALL).unwrap();
    until(|| done(producer.commit(CALL)));
    // Partition 1 holds five records and a marker from before.
    let expected = [999, 1005, 999];
    for at in 0..3 {
        let place = partition(&topic, at);
        assert_eq!(first[&place], Offset(expected[at as usize]));
        let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, first[&place].0 + 2);
        assert_eq!(records.last().unwrap().offset(), second[&place]);
    }
    assert_eq!(second[&partition(&topic, 2)], Offset(1000));
    // A new transaction forgets.
    producer.begin().unwrap();
    assert!(producer.flush(CALL).unwrap().is_empty());
    producer.abort(CALL).unwrap();
}

#[test]
fn records_come_out_as_they_went_in() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    let header = |name: &str, value: Option<&[u8]>| Header { name: name.into(), value: value.map(<[u8]>::to_vec) };
    let headers = Headers::new(vec![header("a", Some(b"1")), header("a", None), header("b", Some(b"")), header("c", Some(&[0, 255]))]);
    type Bytes = Option<&'static [u8]>;
    let shapes: [(Bytes, Bytes); 4] = [(None, None), (Some(b""), Some(b"")), (Some(b"k"), None), (None, Some(&[0, 159, 146, 150]))];
    producer.begin().unwrap();
    for (at, (key, value)) in shapes.into_iter().enumerate() {
        let headers = if at == 0 { Headers::default() } else { headers.clone() };
        let timestamp = Some(Timestamp(1_000 + at as i64));
        producer.send(&OutputRecord { topic: &topic, partition: Some(0), key, value, timestamp, headers }).unwrap();
    }
    producer.flush(CALL).unwrap();
    until(|| done(producer.commit(CALL)));
    let place = partition(&topic, 0);
    let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, 5);
    assert_eq!(records.len(), 4);
    for (at, (record, (key, value))) in records.iter().zip(shapes).enumerate() {
        assert_eq!((record.key(), record.value()), (key, value), "{at}");
        assert_eq!(record.timestamp(), Timestamp(1_000 + at as i64));
        assert_eq!(record.headers(), if at == 0 { Headers::default() } else { headers.clone() });
    }
}

#[test]
fn a_record_without_a_time_that_kafka_takes_gets_the_producers() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    producer.begin().unwrap();
    for timestamp in [None, Some(Timestamp(-1)), Some(Timestamp::MIN), Some(Timestamp(0))] {
        producer.send(&OutputRecord { timestamp, ..record(&topic, 0, "k", "v") }).unwrap();
    }
    producer.flush(CALL).unwrap();
    until(|| done(producer.commit(CALL)));
    let place = partition(&topic, 0);
    let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, 5);
    let times: Vec<_> = records.iter().map(|record| record.timestamp().0).collect();
    assert!(times[..3].iter().all(|time| *time > 1_600_000_000_000) && times[3] == 1, "{times:?}");
}

#[test]
fn keys_are_placed_like_kafkas_own_producer_places_them() {
    let app = application();
    let topic = topic(&app, "t", 5);
    let mut producer = producer(&app);
    producer.begin().unwrap();
    let mut expected = [0_i64; 5];
    for key in (0..200).map(|key| format!("order-{key}")) {
        expected[partition_for(key.as_bytes(), 5) as usize] += 1;
        producer.send(&OutputRecord { partition: None, ..record(&topic, 0, &key, "v") }).unwrap();
    }
    let delivered = producer.flush(CALL).unwrap();
    producer.abort(CALL).unwrap();
    for at in 0..5 {
        assert_eq!(delivered[&partition(&topic, at)], Offset(expected[at as usize] - 1));
    }
}

#[test]
fn a_record_too_large_is_refused_and_the_transaction_goes_on() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    producer.begin().unwrap();
    let large = "x".repeat(2_000_000);
    let refused = producer.send(&record(&topic, 0, "k", &large)).unwrap_err();
    assert_eq!(refused.class, PortErrorClass::RecordTooLarge, "{refused}");
    producer.send(&record(&topic, 0, "k", "1")).unwrap();
    assert_eq!(producer.flush(CALL).unwrap()[&partition(&topic, 0)], Offset(0));
    until(|| done(producer.commit(CALL)));
}

#[test]
fn a_record_that_only_the_broker_finds_too_large_is_named() {
    let mut app = application();
    let topic = topic(&app, "t", 1);
    app.properties.insert("message.max.bytes".into(), "4000000".into());
    app.properties.insert("compression.type".into(), "none".into());
    let mut producer = producer(&app);
    producer.begin().unwrap();
    producer.send(&record(&topic, 0, "k", &"x".repeat(2_000_000))).unwrap();
    let refused = producer.flush(CALL).unwrap_err();
    assert_eq!(refused.class, PortErrorClass::RecordTooLarge, "{refused}");
    assert!(refused.detail.contains(&topic), "{refused}");
    producer.abort(CALL).unwrap();
    commit(&mut producer, &topic, 0, 0, 1);
}

#[test]
fn a_missing_topic_is_named_and_never_made() {
    let mut app = application();
    app.transaction_timeout_ms = 3_000;
    let mut producer = producer(&app);
    let missing = format!("{}.missing", app.application_id);
    producer.begin().unwrap();
    producer.send(&record(&missing, 0, "k", "v")).unwrap();
    let refused = until(|| match producer.flush(Duration::from_secs(1)) {
        Err(error) if error.is_retriable() => None,
        other => Some(other.unwrap_err()),
    });
    assert!(matches!(refused.class, PortErrorClass::UnknownTopic | PortErrorClass::RequiresAbort), "{refused}");
    assert!(refused.detail.contains(&missing), "{refused}");
    let mut admin = viewmill::kafka::KafkaAdmin::new(&app).unwrap();
    assert_eq!(viewmill::ports::Admin::topics(&mut admin, &[&missing]).unwrap(), vec![None]);
}

#[test]
fn an_abort_drops_what_was_not_yet_delivered() {
    let app = application();
    let topic = topic(&app, "t", 2);
    let mut producer = producer(&app);
    for round in 0..5 {
        producer.begin().unwrap();
        for value in 0..20_000 {
            producer.send(&record(&topic, value % 2, "key", &value.to_string())).unwrap();
        }
        let started = Instant::now();
        producer.abort(CALL).unwrap();
        println!("abort {round} of 20,000 records under way took {:?}", started.elapsed());
    }
    let delivered = commit(&mut producer, &topic, 0, 0, 100);
    let place = partition(&topic, 0);
    let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, delivered[&place].0 + 1);
    assert_eq!(values(&records), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_second_producer_of_the_same_id_fences_the_first() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let mut first = producer(&app);
    deliver(&mut first, &topic, 0, 0, 5);
    let mut second = producer(&app);
    let fenced = until(|| match first.commit(CALL) {
        Err(error) if error.is_retriable() => None,
        other => Some(other.unwrap_err()),
    });
    assert_eq!(fenced.class, PortErrorClass::FencedProducer, "{fenced}");
    // Whatever the first one tries, it stays out.
    assert_eq!(first.begin().unwrap_err().class, PortErrorClass::FencedProducer);
    commit(&mut second, &topic, 0, 5, 5);
    let place = partition(&topic, 0);
    let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, 12);
    assert_eq!(values(&records), (5..10).collect::<Vec<_>>());
    // Being replaced itself, the first one is whole again and fences the second.
    first.replace(CALL).unwrap();
    commit(&mut first, &topic, 0, 10, 1);
}

#[test]
fn instances_fence_each_other_for_the_meaning_of_tokens_and_for_nothing_else() {
    let app = application();
    let mut other = app.clone();
    other.instance_id = "b".into();
    let log = topic(&app, "tasks", 1);
    let (mut own, mut others) = (producer(&app), producer(&other));
    let mut first = producer(&app.for_tokens());
    commit(&mut first, &log, 0, 0, 1);
    commit(&mut producer(&other.for_tokens()), &log, 0, 1, 1);
    let fenced = first.begin().and_then(|()| {
        first.send(&record(&log, 0, "key", "2"))?;
        first.flush(CALL)?;
        first.commit(CALL)
    });
    assert_eq!(fenced.unwrap_err().class, PortErrorClass::FencedProducer);
    commit(&mut own, &log, 0, 3, 1);
    commit(&mut others, &log, 0, 4, 1);
}

#[test]
fn replacing_a_producer_ends_what_it_left_open() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    deliver(&mut producer, &topic, 0, 0, 5);
    // Not yet delivered: dropped.
    producer.send(&record(&topic, 0, "key", "5")).unwrap();
    let started = Instant::now();
    producer.replace(CALL).unwrap();
    println!("replacing took {:?}", started.elapsed());
    commit(&mut producer, &topic, 0, 100, 1);
    let place = partition(&topic, 0);
    let (records, _) = read_to(&mut consumer(&app, &place, 0), &place, 8);
    assert_eq!(values(&records), vec![100]);
}

#[test]
fn without_kafka_every_call_keeps_its_time() {
    let mut app = application();
    app.bootstrap_servers = "127.0.0.1:1".into();
    let mut producer = KafkaProducer::new(&app);
    assert_eq!(producer.begin().unwrap_err().class, PortErrorClass::Fatal);
    for _ in 0..2 {
        let started = Instant::now();
        let error = producer.replace(Duration::from_millis(700)).unwrap_err();
        assert_eq!(error.class, PortErrorClass::Retriable, "{error}");
        assert!(error.detail.contains("127.0.0.1"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(3));
    }
    let started = Instant::now();
    drop(producer);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}
