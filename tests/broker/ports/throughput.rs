//! How fast the ports are: printed, never judged.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use viewmill::kafka::{KafkaChangelogReader, KafkaDataConsumer};
use viewmill::ports::{ChangelogReader, DataConsumer, Fetched, InputMessage, TransactionalProducer};
use viewmill::record::Offset;

use super::{PATIENCE, application, done, partition, producer, record, topic, until};

const RECORDS: usize = 200_000;

#[test]
fn two_hundred_thousand_records_go_in_and_out() {
    let app = application();
    let topic = topic(&app, "t", 4);
    let mut producer = producer(&app);
    let value = "v".repeat(300);

    let started = Instant::now();
    let mut sending = Duration::ZERO;
    for chunk in 0..10 {
        producer.begin().unwrap();
        let began = Instant::now();
        for at in 0..RECORDS / 10 {
            let key = (chunk * RECORDS / 10 + at).to_string();
            producer.send(&record(&topic, (at % 4) as i32, &key, &value)).unwrap();
        }
        sending += began.elapsed();
        producer.flush(PATIENCE).unwrap();
        until(|| done(producer.commit(PATIENCE)));
    }
    let took = started.elapsed();
    println!(
        "in: {RECORDS} records of 300 B in 10 transactions, {:.0}/s; {:.0} ns a send",
        RECORDS as f64 / took.as_secs_f64(),
        sending.as_nanos() as f64 / RECORDS as f64
    );

    let places: Vec<_> = (0..4).map(|at| partition(&topic, at)).collect();
    let mut consumer = KafkaDataConsumer::new(&app).unwrap();
    consumer.assign(&places.iter().map(|place| (place.clone(), Offset(0))).collect::<Vec<_>>()).unwrap();
    let started = Instant::now();
    let (mut count, mut bytes, mut calls, mut fetching) = (0, 0, 0, Duration::ZERO);
    let mut taken = VecDeque::new();
    until(|| {
        let mut any = false;
        for place in &places {
            let began = Instant::now();
            any |= consumer.fetch(place, 1000, &mut taken).unwrap() > 0;
            calls += 1;
            for fetched in taken.drain(..) {
                if let Fetched::Message(message) = fetched {
                    count += 1;
                    bytes += message.key().map_or(0, <[u8]>::len) + message.value().map_or(0, <[u8]>::len);
                }
            }
            fetching += began.elapsed();
        }
        if !any {
            consumer.wait(Duration::from_millis(100)).unwrap();
        }
        (count == RECORDS).then_some(())
    });
    let took = started.elapsed();
    println!(
        "out: {count} records, {bytes} bytes, {:.0}/s; {:.0} ns a record in {calls} fetches",
        count as f64 / took.as_secs_f64(),
        fetching.as_nanos() as f64 / count as f64
    );

    let mut reader = KafkaChangelogReader::new(&app).unwrap();
    let started = Instant::now();
    let mut count = 0;
    for place in &places {
        reader.open(place, Offset(0)).unwrap();
        until(|| {
            let chunk = reader.read(place, Duration::from_millis(500)).unwrap();
            count += chunk.records.len();
            chunk.at_end.then_some(())
        });
        reader.close(place);
    }
    assert_eq!(count, RECORDS);
    println!("restored: {count} records, {:.0}/s", count as f64 / started.elapsed().as_secs_f64());
}

#[test]
fn a_transaction_of_one_record_is_soon_over() {
    let app = application();
    let topic = topic(&app, "t", 1);
    let mut producer = producer(&app);
    let mut times: Vec<[Duration; 2]> = (0..200)
        .map(|_| {
            let started = Instant::now();
            producer.begin().unwrap();
            producer.send(&record(&topic, 0, "key", "value")).unwrap();
            producer.flush(PATIENCE).unwrap();
            let flushed = started.elapsed();
            until(|| done(producer.commit(PATIENCE)));
            [started.elapsed(), flushed]
        })
        .collect();
    times.sort_unstable();
    let [p50, p99] = [times[100], times[198]];
    println!("a transaction of one record: p50 {:?} (flushed after {:?}), p99 {:?}", p50[0], p50[1], p99[0]);
}
