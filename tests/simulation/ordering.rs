//! The order in which a task with several source topics processes: by record time, however unevenly its partitions are fetched.

use std::time::Duration;

use super::process::{Program, Running, no_metrics};
use crate::clock::ManualClock;
use crate::ports::TransactionalProducer as _;
use crate::record::{Headers, OutputRecord, Timestamp};
use crate::runtime::step::{Step, StepSettings};
use crate::state::MemoryDisk;
use crate::testkit::cluster::{FakeCluster, FaultKind, Faults, Isolation};
use crate::topology::{Names, TopologyBuilder};
use crate::{Json, Text};

const TOPICS: [&str; 3] = ["a", "b", "c"];
const NOW: Duration = Duration::ZERO;

/// Time, topic, and which of the topic's records: the order of these is the order of processing.
type Place = (i64, usize, usize);

struct Shop {
    cluster: FakeCluster,
    clock: ManualClock,
    running: Running,
    counts: [usize; 3],
}

impl Shop {
    /// All records of three topics go to one output topic as they are processed.
    fn new(seed: u64, max_task_idle: Duration) -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(seed, clock.clone());
        let mut builder = TopologyBuilder::new();
        let records = builder.source::<String, Place>("records", &TOPICS, Text, Json);
        builder.sink("processed", records, "processed", Text, Json);
        let names = Names::new("order", "");
        TOPICS.iter().for_each(|topic| cluster.create_topic(topic, 1, &[]));
        cluster.create_topic("processed", 1, &[]);
        cluster.create_compacted_topic(&names.task_log(), 1);
        let program = Program {
            cluster: cluster.clone(),
            clock: clock.clone(),
            topology: builder.build().expect("the topology is whole"),
            names,
            partitions: 1,
            settings: StepSettings { max_task_idle, records_per_step: 50, ..StepSettings::default() },
            metrics: no_metrics(&clock),
        };
        let running = program.start("p", &MemoryDisk::default(), 1, false);
        Shop { cluster, clock, running, counts: [0; 3] }
    }

    /// Appends a record; what is appended must not be older than the topic's last.
    fn append(&mut self, topic: usize, time: i64) {
        let value = self.next_value(topic, time);
        self.cluster.append(TOPICS[topic], 0, Some(b"k"), Some(value.as_bytes()), Timestamp(time)).expect("input is not refused");
    }

    /// Appends some in a transaction, whose end leaves a marker in the log.
    fn append_transaction(&mut self, topic: usize, times: &[i64], commits: bool) {
        let mut producer = self.cluster.producer("input");
        producer.replace(NOW).expect("ready");
        producer.begin().expect("begins");
        for time in times {
            let value = if commits { self.next_value(topic, *time) } else { "aborted".to_string() };
            let record = OutputRecord {
                topic: TOPICS[topic],
                partition: Some(0),
                key: Some(b"k"),
                value: Some(value.as_bytes()),
                timestamp: Some(Timestamp(*time)),
                headers: Headers::default(),
            };
            producer.send(&record).expect("sent");
        }
        producer.flush(NOW).expect("delivered");
        if commits { producer.commit(NOW) } else { producer.abort(NOW) }.expect("ends");
    }

    fn next_value(&mut self, topic: usize, time: i64) -> String {
        let value: Place = (time, topic, self.counts[topic]);
        self.counts[topic] += 1;
        serde_json::to_string(&value).expect("plain numbers")
    }

    fn processed(&self) -> Vec<Place> {
        let records = self.cluster.read_all("processed", 0, Isolation::ReadCommitted);
        records.iter().map(|record| serde_json::from_slice(record.value.as_deref().expect("no tombstones")).expect("as written")).collect()
    }

    /// Steps, 10 ms apart, until so many records are processed; answers the milliseconds.
    fn run_until(&mut self, processed: usize) -> u64 {
        for step in 0..2_000 {
            if self.processed().len() >= processed {
                return step * 10;
            }
            self.clock.advance(Duration::from_millis(10));
            self.cluster.tick();
            self.running.step().expect("nothing fails");
        }
        panic!("{} of {processed} records were processed in 20 s: {:?}", self.processed().len(), self.running.status.state());
    }
}

#[test]
fn a_backlog_is_processed_in_the_order_of_times_however_unevenly_it_is_fetched() {
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut shop = Shop::new(seed, Duration::ZERO);
        let mut times = [100; 3];
        for _ in 0..300 {
            let topic = rng.usize(0..3);
            let mut next = |rng: &mut fastrand::Rng| {
                times[topic] += rng.i64(0..4);
                times[topic]
            };
            match rng.usize(0..10) {
                0 => {
                    let some = [next(&mut rng), next(&mut rng), next(&mut rng)];
                    shop.append_transaction(topic, &some, rng.usize(0..3) > 0);
                }
                _ => shop.append(topic, next(&mut rng)),
            }
        }
        // A fetch brings 1 to 64 records, or nothing.
        shop.cluster.set_faults(Faults::none().with(FaultKind::EmptyRead, 0.6));
        let all = shop.counts.iter().sum();
        shop.run_until(all);
        let processed = shop.processed();
        let mut in_order = processed.clone();
        in_order.sort_unstable();
        assert_eq!(processed, in_order, "seed {seed}");
        assert_eq!(processed.len(), all, "seed {seed}");
    }
}

#[test]
fn partitions_at_their_end_hold_up_nobody() {
    let mut shop = Shop::new(1, Duration::ZERO);
    shop.append(0, 5);
    shop.append_transaction(1, &[6], false);
    shop.run_until(1);
    for (n, topic) in [(2, 0), (3, 1), (4, 2), (5, 1)] {
        shop.append(topic, n * 10);
        let took = shop.run_until(n as usize);
        assert!(took <= 60, "record {n} took {took} ms");
    }
}

#[test]
fn a_task_idles_for_records_that_are_yet_to_be_written() {
    let mut shop = Shop::new(1, Duration::from_millis(300));
    shop.append(0, 5);
    let took = shop.run_until(1);
    assert!(took >= 300, "it took {took} ms");
    // The later record is there first; the earlier one comes within the time.
    shop.append(2, 20);
    let mut asked = Vec::new();
    for _ in 0..25 {
        shop.clock.advance(Duration::from_millis(10));
        shop.running.step().expect("nothing fails");
        asked.push(shop.running.asked);
    }
    let waits = |step: &&Step| matches!(step, Step::Wait(wait) if !wait.is_zero());
    assert!(asked.iter().filter(waits).count() >= 24, "a thread that idles does not spin: {asked:?}");
    let Some(Step::Wait(last)) = asked.last() else { panic!("{asked:?}") };
    assert!(*last <= Duration::from_millis(70), "it steps again when the time is over: {last:?}");
    assert_eq!(shop.processed().len(), 1);
    shop.append(1, 10);
    shop.run_until(3);
    assert_eq!(shop.processed(), [(5, 0, 0), (10, 1, 0), (20, 2, 0)]);
}
