//! The data consumer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use viewmill::kafka::KafkaDataConsumer;
use viewmill::ports::{DataConsumer, Fetched, InputMessage, PortErrorClass, TransactionalProducer};
use viewmill::record::Offset;

use super::{CALL, application, commit, consumer, deliver, done, partition, producer, read_to, record, topic, until, values};

#[test]
fn the_end_carries_its_offset_behind_the_marker_of_the_transaction() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let place = partition(&topic, 0);
    let mut consumer = consumer(&app, &place, 0);
    assert_eq!(read_to(&mut consumer, &place, 0).1, Offset(0));
    assert_eq!(consumer.cached_end(&place), Some(Offset(0)));
    let mut producer = producer(&app);
    commit(&mut producer, &topic, 0, 0, 4);
    assert_eq!(read_to(&mut consumer, &place, 1).1, Offset(5));
    // An aborted transaction moves the end without a record.
    deliver(&mut producer, &topic, 0, 4, 4);
    producer.abort(CALL).unwrap();
    let (records, end) = read_to(&mut consumer, &place, 6);
    assert_eq!((records.len(), end), (0, Offset(10)));
    assert_eq!(consumer.cached_end(&place), Some(Offset(10)));
}

#[test]
fn a_partition_assigned_anew_never_yields_what_was_fetched_before() {
    let app = application();
    let topic = topic(&app, "t", 2);
    let mut producer = producer(&app);
    let places = [partition(&topic, 0), partition(&topic, 1)];
    commit(&mut producer, &topic, 0, 0, 20_000);
    commit(&mut producer, &topic, 1, 0, 20_000);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut consumer = KafkaDataConsumer::new(&app).unwrap();
    for round in 0..150 {
        let starts = [random.i64(0..20_000), random.i64(0..20_000)];
        consumer.assign(&[(places[0].clone(), Offset(starts[0])), (places[1].clone(), Offset(starts[1]))]).unwrap();
        let mut next = starts;
        let mut taken = VecDeque::new();
        // Leave at any moment: at once, in the middle of a fetch, at the end.
        for _ in 0..random.usize(0..8) {
            consumer.wait(Duration::from_millis(random.u64(0..4))).unwrap();
            for (at, place) in places.iter().enumerate() {
                consumer.fetch(place, random.usize(1..500), &mut taken).unwrap();
                for fetched in taken.drain(..) {
                    match fetched {
                        Fetched::Message(message) => {
                            assert_eq!(message.offset().0, next[at], "round {round}, partition {at} from {starts:?}");
                            assert_eq!(message.value().unwrap(), next[at].to_string().as_bytes());
                            next[at] += 1;
                        }
                        Fetched::End(end) => assert_eq!(end, Offset(20_001)),
                    }
                }
            }
        }
        consumer.unassign(&places).unwrap();
    }
    // What was left behind is all still there.
    consumer.assign(&[(places[0].clone(), Offset(0))]).unwrap();
    assert_eq!(read_to(&mut consumer, &places[0], 20_001).0.len(), 20_000);
}

#[test]
fn a_partition_that_is_left_alone_loses_nothing() {
    let app = application();
    let topic = topic(&app, "t", 2);
    let (left, read) = (partition(&topic, 0), partition(&topic, 1));
    let mut producer = producer(&app);
    let mut consumer = KafkaDataConsumer::new(&app).unwrap();
    consumer.assign(&[(left.clone(), Offset(0)), (read.clone(), Offset(0))]).unwrap();
    for round in 0..20 {
        commit(&mut producer, &topic, 0, round * 1000, 1000);
        commit(&mut producer, &topic, 1, round * 1000, 1000);
        let end = (round as i64 + 1) * 1001;
        assert_eq!(read_to(&mut consumer, &read, end).0.len(), 1000);
    }
    let (records, _) = read_to(&mut consumer, &left, 20 * 1001);
    assert_eq!(values(&records), (0..20_000).collect::<Vec<_>>());
}

#[test]
fn a_partition_that_is_left_alone_takes_a_bounded_amount_of_memory() {
    let app = application();
    let topic = topic(&app, "t", 2);
    let (left, read) = (partition(&topic, 0), partition(&topic, 1));
    let mut producer = producer(&app);
    // 20 MB that no compression makes small.
    let mut random = fastrand::Rng::with_seed(1);
    for place in [&left, &read] {
        producer.begin().unwrap();
        for _ in 0..20_000 {
            let value: String = (0..1_000).map(|_| random.alphanumeric()).collect();
            producer.send(&record(&topic, place.partition, "key", &value)).unwrap();
        }
        until(|| done(producer.flush(CALL)));
        until(|| done(producer.commit(CALL)));
    }
    let mut consumer = KafkaDataConsumer::new(&app).unwrap();
    consumer.assign(&[(left.clone(), Offset(0)), (read.clone(), Offset(0))]).unwrap();
    assert_eq!(read_to(&mut consumer, &read, 20_001).0.len(), 20_000, "the other one is not held up");
    // One call takes what waits in the queue: 512 KiB, and the fetches that were under way when it became full.
    let mut waiting = VecDeque::new();
    let count = consumer.fetch(&left, 100_000, &mut waiting).unwrap();
    assert!((1..=1_500).contains(&count), "{count} records of 1 kB wait");
    drop(waiting);
    assert_eq!(read_to(&mut consumer, &left, 20_001).0.len(), 20_000 - count);
}

#[test]
fn waiting_ends_when_data_comes() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let place = partition(&topic, 0);
    let mut producer = producer(&app);
    let mut consumer = consumer(&app, &place, 0);
    read_to(&mut consumer, &place, 0);
    for round in 0..20_usize {
        let sender = thread::scope(|scope| {
            let producer = &mut producer;
            let topic = &topic;
            let sent = scope.spawn(move || {
                thread::sleep(Duration::from_millis(30));
                commit(producer, topic, 0, round, 1);
                Instant::now()
            });
            let (records, _) = read_to(&mut consumer, &place, (round as i64 + 1) * 2);
            let received = Instant::now();
            assert_eq!(values(&records), vec![round]);
            received.saturating_duration_since(sent.join().unwrap())
        });
        // A wait that was not woken would have lasted 500 ms.
        assert!(sender < Duration::from_millis(400), "round {round}: {sender:?} after the commit");
    }
}

#[test]
fn waiting_ends_when_somebody_wakes() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let place = partition(&topic, 0);
    let mut consumer = consumer(&app, &place, 0);
    read_to(&mut consumer, &place, 0);
    let wake = consumer.wake();
    // Before the wait: it is not lost.
    wake();
    let started = Instant::now();
    consumer.wait(PATIENT_WAIT).unwrap();
    assert!(started.elapsed() < PATIENT_WAIT / 2);
    // During the wait. Another event of the client may end a wait early, so wait until the waker ran.
    let ran = Arc::new(AtomicBool::new(false));
    let sleeper = thread::spawn({
        let ran = ran.clone();
        move || {
            thread::sleep(Duration::from_millis(100));
            ran.store(true, Ordering::SeqCst);
            wake();
        }
    });
    let started = Instant::now();
    while !ran.load(Ordering::SeqCst) {
        consumer.wait(PATIENT_WAIT).unwrap();
    }
    assert!(started.elapsed() < PATIENT_WAIT / 2);
    sleeper.join().unwrap();
}

const PATIENT_WAIT: Duration = Duration::from_secs(10);

#[test]
fn waiting_sleeps_while_there_is_nothing() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let place = partition(&topic, 0);
    let mut consumer = consumer(&app, &place, 0);
    read_to(&mut consumer, &place, 0);
    let started = Instant::now();
    let mut waits = 0;
    while started.elapsed() < Duration::from_secs(2) {
        consumer.wait(Duration::from_millis(500)).unwrap();
        waits += 1;
    }
    assert!(waits < 20, "{waits} waits of 500 ms in 2 s");
}

#[test]
fn an_offset_outside_of_the_log_is_an_error() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let place = partition(&topic, 0);
    commit(&mut producer(&app), &topic, 0, 0, 1);
    let mut consumer = consumer(&app, &place, 1_000);
    let refused = until(|| {
        consumer.wait(Duration::from_millis(100)).unwrap();
        consumer.fetch(&place, 10, &mut VecDeque::new()).err()
    });
    assert_eq!(refused.class, PortErrorClass::OffsetOutOfRange, "{refused}");
    assert!(refused.detail.contains(&place.to_string()), "{refused}");
    // It stays an error until the partition is assigned anew.
    assert!(consumer.fetch(&place, 10, &mut VecDeque::new()).is_err());
    consumer.unassign(std::slice::from_ref(&place)).unwrap();
    consumer.assign(&[(place.clone(), Offset(0))]).unwrap();
    assert_eq!(read_to(&mut consumer, &place, 2).0.len(), 1);
}

#[test]
fn a_topic_that_does_not_exist_is_an_error() {
    let app = application();
    let place = partition(&format!("{}.missing", app.application_id), 0);
    let mut consumer = consumer(&app, &place, 0);
    let refused = until(|| {
        consumer.wait(Duration::from_millis(100)).unwrap();
        consumer.fetch(&place, 10, &mut VecDeque::new()).err()
    });
    assert_eq!(refused.class, PortErrorClass::UnknownTopic, "{refused}");
}

#[test]
fn a_partition_cannot_be_assigned_twice_and_fetching_needs_it() {
    let app = application();
    let topic = topic(&app, "t", 2);
    let place = partition(&topic, 0);
    let mut consumer = consumer(&app, &place, 0);
    assert!(consumer.assign(&[(place.clone(), Offset(0))]).is_err());
    let other = partition(&topic, 1);
    assert!(consumer.fetch(&other, 1, &mut VecDeque::new()).is_err());
    // Giving up what is not held is nothing.
    consumer.unassign(&[other, place]).unwrap();
}

#[test]
fn records_outlive_their_consumer() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let place = partition(&topic, 0);
    commit(&mut producer(&app), &topic, 0, 0, 1000);
    let mut consumer = consumer(&app, &place, 0);
    let (records, _) = read_to(&mut consumer, &place, 1001);
    consumer.unassign(std::slice::from_ref(&place)).unwrap();
    drop(consumer);
    // On another thread, where the last one ends the client.
    let read = thread::spawn(move || values(&records)).join().unwrap();
    assert_eq!(read, (0..1000).collect::<Vec<_>>());
}

#[test]
fn the_cached_end_runs_ahead_of_what_was_taken() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let place = partition(&topic, 0);
    let mut consumer = consumer(&app, &place, 0);
    assert_eq!(consumer.cached_end(&partition(&topic, 7)), None);
    commit(&mut producer(&app), &topic, 0, 0, 10);
    until(|| {
        consumer.wait(Duration::from_millis(50)).unwrap();
        (consumer.cached_end(&place) == Some(Offset(11))).then_some(())
    });
}
