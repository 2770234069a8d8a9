//! Offsets that are foreseen, with strangers who write into the same partitions, and disks that are lost: what held records tell is true all the
//! same, markers name what a restore needs, and what is told at once of a commit stands in the log.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::process::{Program, Running, no_metrics};
use crate::clock::{Clock as _, ManualClock};
use crate::codec;
use crate::faults::{Sabotage, Sabotaged};
use crate::query::TaskView;
use crate::record::{Headers, Offset, Position, Record, Timestamp};
use crate::runtime::step::{CommitListener, StepSettings, ThreadError};
use crate::state::{Column, MemoryDisk};
use crate::task::POSITION_HEADER;
use crate::testkit::cluster::{FakeCluster, Faults, Isolation, StoredRecord};
use crate::topology::{Names, Topology, TopologyBuilder};
use crate::{Json, Text};

const PARTITIONS: i32 = 2;
const KEYS: usize = 5;
const SEEDS: Range<u64> = 0..200;

/// Each order leads to a fact, which is read back, and to an outcome that tells where the fact lies; facts of strangers are counted, too.
fn topology() -> Topology {
    let mut b = TopologyBuilder::new();
    let all = b.source::<String, u64>("all", &["orders", "facts"], Text, Json);
    let seen = b.store::<String, u64>("seen", all);
    let (facts, outcomes) = (b.stream::<String, u64>("new-facts"), b.stream::<String, u64>("new-outcomes"));
    b.each("decide", all, move |w| {
        let (seen, facts, outcomes) = (w.store(seen), w.output(facts), w.output(outcomes));
        move |context, order: Record<String, u64>| {
            context.store(seen).change(&order.key, |seen| *seen = Some(seen.unwrap_or(0) + 1))?;
            if context.record().is_some_and(|record| &*record.topic == "facts") {
                return Ok(());
            }
            context.forward(facts, order.clone())?;
            context.forward(outcomes, order)
        }
    });
    b.sink("facts", facts, "facts", Text, Json);
    b.positioned_sink("outcomes", outcomes, "outcomes", Text, Json);
    b.build().expect("the topology is whole")
}

/// An outcome, and where it says that its fact lies.
type Told = (Vec<u8>, Vec<u8>, Vec<u8>);

fn told(key: Option<&[u8]>, value: Option<&[u8]>, headers: &Headers) -> Told {
    let position = headers.last(POSITION_HEADER).expect("it tells");
    (key.expect("a key").to_vec(), value.expect("a value").to_vec(), position.to_vec())
}

/// What came out wrong.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wrong {
    /// Outcomes whose positions do not reach behind their facts.
    told_too_little: usize,
    /// Keys whose counts are not right.
    counts: usize,
    /// Outcomes that were told at once, and are not in the log in the same words.
    told_untrue: usize,
}

struct Town {
    /// What was told at once.
    told: Arc<Mutex<Vec<Told>>>,
    program: Program,
    rng: fastrand::Rng,
    disk: MemoryDisk,
    running: Option<Running>,
    orders: u64,
    strangers: u64,
}

impl Town {
    fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(seed, clock.clone());
        let names = Names::new("town", "");
        ["orders", "facts", "outcomes"].iter().for_each(|topic| cluster.create_topic(topic, PARTITIONS, &[]));
        [names.task_log(), names.changelog("seen")].iter().for_each(|topic| cluster.create_compacted_topic(topic, PARTITIONS));
        cluster.set_faults(if seed.is_multiple_of(2) { Faults::chaos() } else { Faults::none() });
        let told_at_once = Arc::<Mutex<Vec<Told>>>::default();
        let hears = told_at_once.clone();
        let listener = CommitListener::new("outcomes", move |record| {
            hears.lock().expect("no panic").push(told(record.key, record.value, record.headers));
        });
        let sabotaged = sabotage.map(Sabotaged::by).unwrap_or_default();
        let program = Program {
            metrics: no_metrics(&clock),
            topology: topology(),
            settings: StepSettings { sabotaged, listener: Some(listener), ..StepSettings::default() },
            partitions: PARTITIONS,
            cluster,
            clock,
            names,
        };
        let rng = fastrand::Rng::with_seed(seed);
        Town { told: told_at_once, program, rng, disk: MemoryDisk::default(), running: None, orders: 0, strangers: 0 }
    }

    fn append(&self, topic: &str, partition: Option<i32>, key: &str, number: u64) {
        let (cluster, now) = (&self.program.cluster, self.program.clock.now());
        cluster.append(topic, partition, Some(key.as_bytes()), Some(number.to_string().as_bytes()), now).expect("input is not refused");
    }

    fn order(&mut self) {
        self.orders += 1;
        let key = format!("key-{}", self.rng.usize(0..KEYS));
        self.append("orders", None, &key, self.orders);
    }

    /// Somebody who has no business there, but may: a fact, or a row of a changelog that nobody asked for.
    fn strange(&mut self) {
        self.strangers += 1;
        if self.rng.bool() {
            let key = format!("key-{}", self.rng.usize(0..KEYS));
            self.append("facts", None, &key, 1_000_000 + self.strangers);
        } else {
            let changelog = self.program.names.changelog("seen");
            let key = codec::encode_whole_key(&"stranger".to_string());
            let partition = self.rng.i32(0..PARTITIONS);
            let (cluster, now) = (&self.program.cluster, self.program.clock.now());
            cluster.append(&changelog, partition, Some(&key), None, now).expect("input is not refused");
        }
    }

    fn step(&mut self) {
        self.program.clock.advance(Duration::from_millis(self.rng.u64(5..60)));
        self.program.cluster.tick();
        let running = self.running.get_or_insert_with(|| self.program.start("p", &self.disk, 1, false));
        match running.step() {
            Ok(_) => {}
            // Of failures that are too many in five minutes a thread ends; another process is started.
            Err(ThreadError::ProducerFails { .. }) => self.running = None,
            Err(error) => panic!("{error}\n{}", self.program.cluster.trace().join("\n")),
        }
    }

    /// Steps until all was read.
    fn settle(&mut self) {
        self.program.cluster.set_faults(Faults::none());
        for _ in 0..3_000 {
            self.program.cluster.deliver_late();
            self.step();
            if self.is_done() {
                return;
            }
        }
        panic!("not everything was read\n{}", self.program.cluster.trace().join("\n"));
    }

    fn is_done(&self) -> bool {
        let Some(running) = &self.running else { return false };
        self.program.tasks().all(|task| {
            let Some(TaskView::Active(database)) = running.views.get(&task) else { return false };
            database.position().is_some_and(|position| {
                let ends =
                    ["orders", "facts"].map(|topic| self.read(topic, task.partition).last().map_or(Offset(0), |last| last.offset.next()));
                position.marker.sources.iter().all(|(source, next)| *next >= ends[usize::from(&*source.topic == "facts")])
            })
        })
    }

    fn read(&self, topic: &str, partition: i32) -> Vec<StoredRecord> {
        self.program.cluster.read_all(topic, partition, Isolation::ReadCommitted)
    }

    fn told_too_little(&self) -> usize {
        let number = |record: &StoredRecord| String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
        let all = |topic: &str| {
            (0..PARTITIONS).flat_map(|at| self.read(topic, at).into_iter().map(move |record| (at, record))).collect::<Vec<_>>()
        };
        let facts: BTreeMap<String, (i32, Offset)> = all("facts").iter().map(|(at, fact)| (number(fact), (*at, fact.offset))).collect();
        let outcomes = all("outcomes");
        assert_eq!(outcomes.len() as u64, self.orders, "each order has one outcome");
        let tells_too_little = |(_, outcome): &&(i32, StoredRecord)| {
            let position = String::from_utf8_lossy(outcome.headers.last(POSITION_HEADER).expect("it tells")).into_owned();
            let position = Position::parse(&position).expect("a position");
            let (partition, offset) = facts[&number(outcome)];
            !position.0.iter().any(|(told, next)| told.partition == partition && *next > offset)
        };
        outcomes.iter().filter(tells_too_little).count()
    }

    fn told_untrue(&self) -> usize {
        let results = (0..PARTITIONS).flat_map(|at| self.read("outcomes", at));
        let in_log: BTreeSet<Told> = results.map(|record| told(record.key.as_deref(), record.value.as_deref(), &record.headers)).collect();
        self.told.lock().expect("no panic").iter().filter(|told| !in_log.contains(told)).count()
    }

    fn lose_disk(&mut self) {
        (self.running, self.disk) = (None, MemoryDisk::default());
    }

    fn wrong_counts(&self) -> usize {
        let mut counts = BTreeMap::<Vec<u8>, u64>::new();
        for topic in ["orders", "facts"] {
            for record in (0..PARTITIONS).flat_map(|at| self.read(topic, at)) {
                *counts.entry(record.key.expect("a key")).or_default() += 1;
            }
        }
        let mut restored = BTreeMap::<Vec<u8>, u64>::new();
        for task in self.program.tasks() {
            let Some(TaskView::Active(database)) = self.running.as_ref().and_then(|running| running.views.get(&task)) else {
                panic!("{task} is served")
            };
            for key in (0..KEYS).map(|key| format!("key-{key}")) {
                let bytes = codec::encode_whole_key(&key);
                let mut count = None;
                database
                    .database()
                    .get(Column(1), &bytes, &mut |row| count = codec::decode_row::<u64>(row).ok())
                    .expect("memory does not fail");
                restored.extend(count.map(|count| (key.into_bytes(), count)));
            }
        }
        counts.iter().filter(|(key, count)| restored.get(*key) != Some(*count)).count()
    }

    fn foreseen(&self, result: &str) -> u64 {
        self.program.metrics.processing.foreseen.with_label_values(&[result]).get()
    }
}

fn run(seed: u64, sabotage: Option<Sabotage>) -> (Town, Wrong) {
    let mut town = Town::new(seed, sabotage);
    for _ in 0..town.rng.usize(200..500) {
        if town.rng.usize(0..3) == 0 {
            town.order();
        }
        if town.rng.usize(0..40) == 0 {
            town.strange();
        }
        if town.rng.usize(0..150) == 0 {
            town.lose_disk();
        }
        town.step();
    }
    town.settle();
    town.lose_disk();
    town.settle();
    let wrong = Wrong { told_too_little: town.told_too_little(), counts: town.wrong_counts(), told_untrue: town.told_untrue() };
    (town, wrong)
}

#[test]
fn strangers_make_nothing_untrue() {
    let (mut right, mut wrong, mut told, mut orders) = (0, 0, 0, 0);
    for seed in SEEDS {
        let (town, found) = run(seed, None);
        assert_eq!(found, Wrong::default(), "seed {seed}");
        (right, wrong) = (right + town.foreseen("right"), wrong + town.foreseen("wrong"));
        (told, orders) = (told + town.told.lock().expect("no panic").len(), orders + town.orders as usize);
    }
    println!("foreseen: {right} right, {wrong} wrong; of {orders} outcomes {told} were told at once");
    assert!(right > 500 && wrong > 20, "{right} {wrong}");
    assert!(told * 10 > orders * 9, "{told} of {orders}");
}

fn is_found(sabotage: Sabotage, in_what: &[fn(&Wrong) -> usize]) {
    let found: Vec<Wrong> = SEEDS.map(|seed| run(seed, Some(sabotage)).1).collect();
    let sums: Vec<usize> = in_what.iter().map(|of| found.iter().map(of).sum()).collect();
    println!("{sabotage:?}: {sums:?}");
    assert!(sums.iter().all(|sum| *sum > 0), "{sabotage:?}: {sums:?}");
}

#[test]
fn offsets_that_were_foreseen_and_not_compared_are_found() {
    is_found(Sabotage::TrustForesight, &[|wrong| wrong.told_too_little, |wrong| wrong.counts]);
}

#[test]
fn outcomes_told_before_they_are_committed_are_found() {
    is_found(Sabotage::TellBeforeCommit, &[|wrong| wrong.told_untrue]);
}
