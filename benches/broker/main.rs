//! What the embedded broker does: records in and out by one client, transactions of one record, and what it takes when idle.
//!
//! ```text
//! cargo bench --bench broker                                      the embedded broker
//! scripts/kafka run -- cargo bench --bench broker -- --kafka      the same against a real Apache Kafka
//! ```
//!
//! Client and broker share the machine. Prints a table and never fails on a time: machines differ, so compare figures of one run.

// Times here are the real machine's.
#![allow(clippy::disallowed_methods)]

mod embedded;
#[path = "../../tests/conformance/listening.rs"]
mod listening;
#[path = "../process/proc.rs"]
mod proc;
mod topics;

use std::time::{Duration, Instant};

use embedded::Embedded;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use topics::{client, create};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

const RECORDS: usize = 3_000_000;
const RECORD_BYTES: usize = 300;
const PARTITIONS: i32 = 4;
const TRANSACTIONS: usize = 500;

/// Partitions of the broker that has nothing to do.
const IDLE_PARTITIONS: i32 = 200;
const IDLE_FOR: Duration = Duration::from_secs(20);

/// How long anything may take.
const GIVE_UP: Duration = Duration::from_secs(120);

fn main() -> Fallible<()> {
    if std::env::args().any(|argument| argument == "--kafka") {
        let address = std::env::var("VIEWMILL_TEST_KAFKA")
            .map_err(|_| "no Kafka: run it as scripts/kafka run -- cargo bench --bench broker -- --kafka")?;
        return measure(&address);
    }
    let broker = Embedded::start()?;
    let before = broker.cpu_seconds()?;
    measure(&broker.address)?;
    println!("| CPU of the broker for all this | {:.2} s |", broker.cpu_seconds()? - before);
    println!("| memory, resident at the peak | {} MiB |", broker.status_kib("VmHWM")? / 1024);
    let idle = Embedded::start()?;
    create(&idle.address, "idle", IDLE_PARTITIONS)?;
    let before = idle.cpu_seconds()?;
    std::thread::sleep(IDLE_FOR);
    let share = (idle.cpu_seconds()? - before) / IDLE_FOR.as_secs_f64();
    println!("| idle with {IDLE_PARTITIONS} partitions | {:.2} % of a core, {} MiB |", share * 100.0, idle.status_kib("VmRSS")? / 1024);
    Ok(())
}

fn measure(address: &str) -> Fallible<()> {
    println!("| what | figure |\n|---|---|");
    create(address, "transactions", 1)?;
    transactions_row(address, "a transaction of one record")?;
    create(address, "records", PARTITIONS)?;
    let took = produce(address)?;
    println!("| produced, {RECORD_BYTES} B each, acks=all | {:.0} records/s |", RECORDS as f64 / took.as_secs_f64());
    let took = consume(address)?;
    println!("| consumed | {:.0} records/s |", RECORDS as f64 / took.as_secs_f64());
    transactions_row(address, "the same while the system still writes those records to the disk")
}

fn transactions_row(address: &str, what: &str) -> Fallible<()> {
    let mut times = transactions(address)?;
    times.sort_unstable();
    let ms = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    println!("| {what}: p50, p99 | {:.2} ms, {:.2} ms |", ms(0.5), ms(0.99));
    Ok(())
}

fn produce(address: &str) -> Fallible<Duration> {
    let settings = [("acks", "all"), ("linger.ms", "5"), ("batch.size", "262144"), ("queue.buffering.max.messages", "500000")];
    let producer: BaseProducer = client(address, &settings).create()?;
    let value = vec![b'x'; RECORD_BYTES];
    let began = Instant::now();
    for number in 0..RECORDS {
        let mut record = BaseRecord::<(), [u8]>::to("records").payload(&value[..]).partition((number % PARTITIONS as usize) as i32);
        while let Err((error, refused)) = producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(error.into());
            }
            producer.poll(Duration::from_millis(1));
            record = refused;
        }
        if number % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(GIVE_UP)?;
    Ok(began.elapsed())
}

fn consume(address: &str) -> Fallible<Duration> {
    let settings =
        [("group.id", "bench"), ("enable.auto.commit", "false"), ("fetch.message.max.bytes", "4194304"), ("check.crcs", "false")];
    let consumer: BaseConsumer = client(address, &settings).create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset("records", partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (began, mut bytes, mut seen) = (Instant::now(), 0, 0);
    while seen < RECORDS {
        let record = consumer.poll(GIVE_UP).ok_or("no record came")??;
        bytes += record.payload_len();
        seen += 1;
    }
    if bytes != RECORDS * RECORD_BYTES {
        return Err(format!("{bytes} bytes came back of {}", RECORDS * RECORD_BYTES).into());
    }
    Ok(began.elapsed())
}

fn transactions(address: &str) -> Fallible<Vec<Duration>> {
    let producer: BaseProducer = client(address, &[("transactional.id", "bench"), ("linger.ms", "0")]).create()?;
    producer.init_transactions(GIVE_UP)?;
    let mut times = Vec::with_capacity(TRANSACTIONS);
    for _ in 0..TRANSACTIONS {
        let began = Instant::now();
        producer.begin_transaction()?;
        producer.send(BaseRecord::<(), [u8]>::to("transactions").payload(b"one")).map_err(|(error, _)| error)?;
        // Reports are read here: the commit would look for them every 100 ms only. A poll that may wait lasts its whole time, whatever comes.
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::ZERO);
            std::thread::sleep(Duration::from_micros(20));
        }
        producer.commit_transaction(GIVE_UP)?;
        times.push(began.elapsed());
    }
    Ok(times)
}
