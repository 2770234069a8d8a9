//! The order of a task's records over real fetches: partitions that come at different speeds, and logs that end with markers.

use std::time::{Duration, Instant};

use viewmill::kafka::{KafkaDataConsumer, KafkaMessage, KafkaProducer};
use viewmill::ports::{DataConsumer, InputMessage, TransactionalProducer};
use viewmill::record::{Offset, Timestamp, TopicPartition};
use viewmill::task::{PartitionGroup, Readiness};

use super::{CALL, application, done, partition, producer, record, topic, until};

const RECORDS: i64 = 6_000;

/// Time, source and offset: the order of these is the order of processing.
type Place = (i64, usize, i64);

/// Takes records as a stream thread does, until there are so many.
fn take(group: &mut PartitionGroup<KafkaMessage>, consumer: &mut KafkaDataConsumer, count: usize) -> Vec<Place> {
    let (started, mut taken) = (Instant::now(), Vec::new());
    until(|| {
        group.fill(consumer).unwrap();
        group.settle(consumer, started.elapsed(), Duration::ZERO);
        while let Some((source, message)) = group.pop() {
            taken.push((message.timestamp().0, source, message.offset().0));
        }
        if group.readiness() != Readiness::Ready {
            consumer.wait(Duration::from_millis(100)).unwrap();
        }
        (taken.len() >= count).then_some(())
    });
    taken
}

fn write(producer: &mut KafkaProducer, place: &TopicPartition, times: &[i64], value: &str, commits: bool) {
    producer.begin().unwrap();
    for time in times {
        let record = record(&place.topic, place.partition, "key", value);
        producer.send(&viewmill::record::OutputRecord { timestamp: Some(Timestamp(*time)), ..record }).unwrap();
    }
    producer.flush(CALL).unwrap();
    match commits {
        true => until(|| done(producer.commit(CALL))),
        false => until(|| done(producer.abort(CALL))),
    }
}

#[test]
fn a_backlog_comes_in_the_order_of_times_and_ends_hold_up_nobody() {
    let mut app = application();
    // A fetch brings some dozen records, of the topic with long ones three.
    for (name, value) in [("fetch.message.max.bytes", "3000"), ("queued.min.messages", "10"), ("batch.num.messages", "3")] {
        app.properties.insert(name.into(), value.into());
    }
    let places: Vec<_> = ["a", "b", "c"].iter().map(|name| partition(&topic(&app, name, 1), 0)).collect();
    let values = ["short".to_string(), "longer".repeat(20), "very long".repeat(100)];
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut times: [Vec<i64>; 3] = Default::default();
    (0..RECORDS).for_each(|n| times[random.usize(0..3)].push(1_000_000 + n / 3));
    let mut producer = producer(&app);
    for (at, place) in places.iter().enumerate() {
        times[at].chunks(500).for_each(|chunk| write(&mut producer, place, chunk, &values[at], true));
    }
    // The first log ends with aborted records and a marker.
    write(&mut producer, &places[0], &[1, 2, 3], "aborted", false);

    let mut consumer = KafkaDataConsumer::new(&app).unwrap();
    consumer.assign(&places.iter().map(|place| (place.clone(), Offset(0))).collect::<Vec<_>>()).unwrap();
    let mut group = PartitionGroup::new(places.iter());
    let taken = take(&mut group, &mut consumer, RECORDS as usize);
    let mut in_order = taken.clone();
    in_order.sort_unstable();
    assert!(taken == in_order, "seed {seed}: first out of order: {:?}", taken.iter().zip(&in_order).find(|(a, b)| a != b));
    assert_eq!(taken.len(), RECORDS as usize);

    // Live: a record of one topic, though the others have none.
    for (n, at) in [0, 2, 1, 1].into_iter().enumerate() {
        write(&mut producer, &places[at], &[2_000_000 + n as i64], "live", true);
        let written = Instant::now();
        assert_eq!(take(&mut group, &mut consumer, 1)[0].1, at);
        assert!(written.elapsed() < Duration::from_secs(2), "record {n} took {:?}", written.elapsed());
    }
}
