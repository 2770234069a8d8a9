//! `kill -9` of the broker at random moments under transactional load: what was acknowledged is there, what was aborted is never seen, and
//! no offset goes back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;
use rdkafka::{Message, Offset};

use crate::kit::{Kit, TestProducer, at, eventually, eventually_within, send};
use crate::target::Target;

const WRITERS: usize = 3;
const WAIT: Duration = Duration::from_secs(60);

/// How often to kill: `VIEWMILL_TEST_KILLS`, or fifty times.
pub fn kills_wanted() -> usize {
    std::env::var("VIEWMILL_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

/// What a writer knows of its own transactions, each of which wrote its number to both partitions and committed it as an offset.
#[derive(Default)]
struct Written {
    committed: Vec<u64>,
    aborted: Vec<u64>,
    unknown: Vec<u64>,
}

/// Three writers, a plain producer and a reader that follows, while the broker is killed and started again.
pub fn kills(mut target: Target, kills: usize) {
    let seed: u64 = std::env::var("VIEWMILL_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("VIEWMILL_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let kit = Arc::new(Kit::new(target.address(), "crash"));
    let topic = kit.topic(2, &[]);
    let stop = Arc::new(AtomicBool::new(false));
    let commits = Arc::new(AtomicUsize::new(0));
    let follower = follow(Arc::clone(&kit), topic.clone(), Arc::clone(&stop));
    let writers: Vec<_> = (0..WRITERS)
        .map(|index| {
            let (kit, topic, stop, commits, seed) =
                (Arc::clone(&kit), topic.clone(), Arc::clone(&stop), Arc::clone(&commits), random.u64(..));
            thread::spawn(move || write(&kit, &topic, index, &stop, &commits, seed))
        })
        .collect();
    let plain = write_plain(Arc::clone(&kit), topic.clone(), Arc::clone(&stop));
    for _ in 0..kills {
        // Mostly under load, now and then while it recovers.
        if random.u8(0..5) > 0 {
            wait_for_progress(&commits);
        }
        thread::sleep(Duration::from_millis(random.u64(0..400)));
        target.kill();
        target.start_again();
    }
    wait_for_progress(&commits);
    stop.store(true, Ordering::SeqCst);
    let written: Vec<Written> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
    let acknowledged = plain.join().unwrap();
    let followed = follower.join().unwrap();
    for (partition, followed) in followed.iter().enumerate() {
        compare(&kit, &topic, partition, &written, followed);
    }
    for (index, mine) in written.iter().enumerate() {
        let (count, last) = (mine.committed.len(), mine.committed.last().copied().unwrap_or_default());
        assert!(count > kills / 2, "writer {index} committed {count} transactions only");
        let Offset::Offset(found) = kit.committed(&group(index, &topic), &topic) else { panic!("no committed offset of writer {index}") };
        assert!(
            mine.unknown.contains(&found.unsigned_abs()) || found.unsigned_abs() >= last,
            "the offset of writer {index} went back: {found}, not {last}"
        );
        assert!(!mine.aborted.contains(&found.unsigned_abs()), "an aborted offset of writer {index} is committed: {found}");
    }
    let all: Vec<String> = (0..2).flat_map(|partition| crate::kit::texts(&kit.read_now(&topic, partition, "read_committed"))).collect();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for value in all.iter().filter(|value| value.starts_with("plain")) {
        *times.entry(value).or_default() += 1;
    }
    assert!(acknowledged.iter().all(|value| times.get(value.as_str()) == Some(&1)), "acknowledged plain records are lost or doubled");
    let committed: usize = written.iter().map(|mine| mine.committed.len()).sum();
    let aborted: usize = written.iter().map(|mine| mine.aborted.len()).sum();
    let unknown: usize = written.iter().map(|mine| mine.unknown.len()).sum();
    println!(
        "{kills} kills, {committed} transactions committed, {aborted} aborted, {unknown} of unknown end, {} plain records acknowledged",
        acknowledged.len()
    );
}

/// Until one more than all writers together, so that each of them is likely to have gone on.
fn wait_for_progress(commits: &AtomicUsize) {
    let before = commits.load(Ordering::SeqCst);
    // A writer may wait for a record, for the end of its transaction, and for its next producer.
    eventually_within(WAIT * 3, "transactions are committed again", || commits.load(Ordering::SeqCst) > before + WRITERS);
}

fn group(index: usize, topic: &str) -> String {
    format!("{topic}-g{index}")
}

/// One transaction after another; after an error that a new producer resolves, a new producer of the same id.
fn write(kit: &Kit, topic: &str, index: usize, stop: &AtomicBool, commits: &AtomicUsize, seed: u64) -> Written {
    let (id, mut random) = (format!("{topic}-tx{index}"), fastrand::Rng::with_seed(seed));
    let consumer = kit.consumer(&[("group.id", &group(index, topic))]);
    let (mut written, mut number) = (Written::default(), 0);
    while !stop.load(Ordering::SeqCst) {
        let producer = kit.producer(&[
            ("transactional.id", &id),
            ("linger.ms", "0"),
            ("message.timeout.ms", "50000"),
            ("transaction.timeout.ms", "60000"),
        ]);
        if producer.init_transactions(WAIT).is_err() {
            continue;
        }
        while !stop.load(Ordering::SeqCst) {
            number += 1;
            let abort = random.u8(0..4) == 0;
            match transaction(&producer, &consumer, topic, index, number, abort) {
                Ok(()) if abort => written.aborted.push(number),
                Ok(()) => {
                    written.committed.push(number);
                    commits.fetch_add(1, Ordering::SeqCst);
                }
                Err(Undone::NotCommitted) => {
                    written.aborted.push(number);
                    break;
                }
                Err(Undone::Unknown) => {
                    written.unknown.push(number);
                    break;
                }
            }
        }
    }
    // What the last one left open.
    let last = kit.producer(&[("transactional.id", &id)]);
    eventually("the last producer is initialized", || last.init_transactions(WAIT).is_ok());
    written
}

enum Undone {
    /// The commit was not asked for.
    NotCommitted,
    /// It was, and nothing clear was said.
    Unknown,
}

fn transaction(
    producer: &TestProducer,
    consumer: &BaseConsumer,
    topic: &str,
    index: usize,
    number: u64,
    abort: bool,
) -> Result<(), Undone> {
    let value = format!("{index}:{number}");
    let begun = (|| {
        producer.begin_transaction()?;
        send(producer, topic, 0, &[&value])?;
        send(producer, topic, 1, &[&value])?;
        let offset = Offset::Offset(i64::try_from(number).expect("a small number"));
        producer.send_offsets_to_transaction(&at(topic, 0, offset), &consumer.group_metadata().expect("a group"), WAIT)
    })();
    if begun.is_err() || abort {
        return producer.abort_transaction(WAIT).and(begun).map_err(|_| Undone::NotCommitted);
    }
    loop {
        match producer.commit_transaction(WAIT) {
            Ok(()) => return Ok(()),
            Err(rdkafka::error::KafkaError::Transaction(error)) if error.is_retriable() => {}
            Err(_) => return Err(Undone::Unknown),
        }
    }
}

/// Idempotent records beside the transactions; gives those that were acknowledged.
fn write_plain(kit: Arc<Kit>, topic: String, stop: Arc<AtomicBool>) -> thread::JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let producer = kit.producer(&[("enable.idempotence", "true"), ("linger.ms", "0"), ("message.timeout.ms", "60000")]);
        let mut acknowledged = Vec::new();
        for number in 0.. {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let value = format!("plain{number}");
            if send(&producer, &topic, number % 2, &[&value]).is_ok() {
                acknowledged.push(value);
            }
            thread::sleep(Duration::from_millis(5));
        }
        acknowledged
    })
}

/// Offset and value of what a read_committed reader saw of each partition while the broker was killed, in the order in which it came.
type Followed = [Vec<(i64, String)>; 2];

fn follow(kit: Arc<Kit>, topic: String, stop: Arc<AtomicBool>) -> thread::JoinHandle<Followed> {
    thread::spawn(move || {
        // Whoever is sent back to the beginning would see offsets go back.
        let consumer = kit.consumer(&[("isolation.level", "read_committed"), ("auto.offset.reset", "error")]);
        let mut parts = at(&topic, 0, Offset::Offset(0));
        parts.add_partition_offset(&topic, 1, Offset::Offset(0)).unwrap();
        consumer.assign(&parts).unwrap();
        let seen: Mutex<Followed> = Mutex::default();
        let mut idle_since = Instant::now();
        while !stop.load(Ordering::SeqCst) || idle_since.elapsed() < Duration::from_secs(3) {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(record)) => {
                    let value = String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned();
                    let partition = usize::try_from(record.partition()).unwrap();
                    seen.lock().unwrap()[partition].push((record.offset(), value));
                    idle_since = Instant::now();
                }
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    panic!("an offset went back: {error}")
                }
                _ => {}
            }
        }
        seen.into_inner().unwrap()
    })
}

/// The partition at the end against what the writers know and what was read meanwhile.
fn compare(kit: &Kit, topic: &str, partition: usize, written: &[Written], followed: &[(i64, String)]) {
    let end = kit.read_now(topic, i32::try_from(partition).unwrap(), "read_committed");
    let found: Vec<(i64, String)> = end.iter().map(Message::offset).zip(crate::kit::texts(&end)).collect();
    assert_eq!(faults(&found, written, followed), Vec::<String>::new(), "in partition {partition}");
}

/// What must not be. The follower may have stopped earlier, and saw the same up to there.
fn faults(found: &[(i64, String)], written: &[Written], followed: &[(i64, String)]) -> Vec<String> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, value) in found {
        *times.entry(value.as_str()).or_default() += 1;
    }
    let mut faults = Vec::new();
    for (index, mine) in written.iter().enumerate() {
        let times = |number: &u64| times.get(format!("{index}:{number}").as_str()).copied().unwrap_or_default();
        let wrong = |numbers: &[u64], right: fn(usize) -> bool| -> Vec<u64> {
            numbers.iter().copied().filter(|number| !right(times(number))).collect()
        };
        for (what, numbers) in [
            ("committed and not there once", wrong(&mine.committed, |times| times == 1)),
            ("aborted and seen", wrong(&mine.aborted, |times| times == 0)),
            ("there twice", wrong(&mine.unknown, |times| times <= 1)),
        ] {
            if !numbers.is_empty() {
                faults.push(format!("writer {index}: {what}: {numbers:?}"));
            }
        }
    }
    if let Some(place) = followed.iter().zip(found).position(|(one, other)| one != other) {
        faults.push(format!("read as {:?} while it was killed, and as {:?} at the end", followed[place], found[place]));
    }
    if followed.len() > found.len() {
        faults.push(format!("{} records that were read are gone", followed.len() - found.len()));
    }
    faults
}

#[test]
fn each_fault_is_found() {
    let records = |values: &[&str]| -> Vec<(i64, String)> { (0..).zip(values.iter().map(|value| (*value).to_owned())).collect() };
    let written = || vec![Written { committed: vec![1, 2], aborted: vec![3], unknown: vec![4] }];
    let good = records(&["0:1", "0:4", "0:2"]);
    assert_eq!(faults(&good, &written(), &good[..2]), Vec::<String>::new());
    for (found, followed, expected) in [
        (records(&["0:1"]), vec![], "writer 0: committed and not there once: [2]"),
        (records(&["0:1", "0:2", "0:2"]), vec![], "writer 0: committed and not there once: [2]"),
        (records(&["0:1", "0:2", "0:3"]), vec![], "writer 0: aborted and seen: [3]"),
        (records(&["0:1", "0:2", "0:4", "0:4"]), vec![], "writer 0: there twice: [4]"),
        (records(&["0:2", "0:1"]), records(&["0:1", "0:2"]), "read as (0, \"0:1\") while it was killed, and as (0, \"0:2\") at the end"),
        (records(&["0:1", "0:2"]), records(&["0:1", "0:2", "0:4"]), "1 records that were read are gone"),
    ] {
        assert_eq!(faults(&found, &written(), &followed), [expected]);
    }
}
