//! An application whose topology changes while it lives: a store and an index are added, taken away, and added again, with crashes in
//! between. What a new version serves is what it would serve had it run from the beginning.

use std::collections::BTreeMap;
use std::time::Duration;

use super::process::{Program, Running, no_metrics};
use super::running_sums::{running_sums, running_sums_of};
use crate::clock::{Clock as _, ManualClock};
use crate::codec::{self, KeyCodec as _};
use crate::query::TaskView;
use crate::record::{Record, Timestamp};
use crate::runtime::step::StepSettings;
use crate::state::{Column, Direction, KeyRange, Marker, MemoryDisk, TaskDatabase};
use crate::testkit::cluster::{FakeCluster, Faults, Isolation, Tombstones};
use crate::topology::{Names, Topology, TopologyBuilder};

const PARTITIONS: i32 = 2;
const KEYS: usize = 10;
/// Column 0 is the position; `sums` and `counts` come before it in both versions.
pub(super) const EVEN: Column = Column(3);
const BY_SUM: Column = Column(4);

type Rows<V> = BTreeMap<String, V>;

fn version_1() -> Topology {
    let mut builder = TopologyBuilder::new();
    running_sums(&mut builder);
    builder.build().expect("the topology is whole")
}

/// Keeps the keys whose running sum is even, which come and go; and finds them by their sum.
pub(super) fn version_2() -> Topology {
    let mut builder = TopologyBuilder::new();
    let changes = running_sums(&mut builder);
    let even = builder.partial_store::<String, i64>("even");
    let _ = builder.index(even, "by-sum", |_, sum| Some(*sum));
    builder.each("keep-even", changes, move |w| {
        let even = w.store(even);
        move |context, sum: Record<String, i64>| {
            match sum.value % 2 {
                0 => context.store(even).put(&sum.key, sum.value)?,
                _ => context.store(even).delete(&sum.key)?,
            }
            Ok(())
        }
    });
    builder.build().expect("the topology is whole")
}

pub(super) struct Shop {
    pub(super) program: Program,
    rng: fastrand::Rng,
    pub(super) disk: MemoryDisk,
    pub(super) running: Option<Running>,
    version: usize,
    seed: u64,
    /// How often `even` was served.
    pub(super) checked: usize,
}

impl Shop {
    pub(super) fn new(seed: u64) -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(seed, clock.clone());
        let names = Names::new("upgrade", "");
        cluster.create_topic("numbers", PARTITIONS, &[]);
        cluster.create_topic("running", PARTITIONS, &[]);
        cluster.create_compacted_topic(&names.task_log(), PARTITIONS);
        ["sums", "counts", "even"].iter().for_each(|store| cluster.create_compacted_topic(&names.changelog(store), PARTITIONS));
        let program = Program {
            metrics: no_metrics(&clock),
            topology: version_1(),
            settings: StepSettings { records_per_step: 7, ..StepSettings::default() },
            partitions: PARTITIONS,
            cluster,
            clock,
            names,
        };
        let (rng, disk) = (fastrand::Rng::with_seed(seed), MemoryDisk::default());
        Shop { program, rng, disk, running: None, version: 1, seed, checked: 0 }
    }

    pub(super) fn start(&mut self, version: usize) {
        self.version = version;
        self.program.topology = if version == 1 { version_1() } else { version_2() };
        self.running = Some(self.program.start("p", &self.disk, 1, true));
    }

    fn append(&mut self) {
        let (key, value) = (format!("key-{}", self.rng.usize(0..KEYS)), self.rng.i64(-100..100).to_string());
        let now = self.program.clock.now();
        self.program.cluster.append("numbers", None, Some(key.as_bytes()), Some(value.as_bytes()), now).expect("input is not refused");
    }

    pub(super) fn step(&mut self) {
        self.program.clock.advance(Duration::from_millis(self.rng.u64(5..200)));
        self.program.cluster.tick();
        let Some(running) = &mut self.running else { return };
        match running.step() {
            Ok(true) => {}
            Ok(false) => self.running = None,
            Err(error) => panic!("seed {}: {error}\n{}", self.seed, self.program.cluster.trace().join("\n")),
        }
        self.check();
    }

    /// What is served is right at every moment, or not served.
    fn check(&mut self) {
        let Some(running) = self.running.as_ref().filter(|_| self.version == 2) else { return };
        for task in self.program.tasks() {
            let Some(TaskView::Active(database)) = running.views.get(&task) else { continue };
            let Some(position) = database.position().filter(|position| position.marker.changelogs.contains_key("even")) else { continue };
            let expected = self.even(task.partition, &position.marker);
            assert_eq!(rows(&database), expected, "seed {}: rows of {task} at {:?}", self.seed, position.marker);
            assert_eq!(indexed(&database), by_sum(&expected), "seed {}: index rows of {task}", self.seed);
            self.checked += 1;
        }
    }

    /// What the input up to a marker makes, computed without the engine.
    fn even(&self, partition: i32, marker: &Marker) -> Rows<i64> {
        let next = marker.sources.values().next().copied().unwrap_or_default();
        let (mut sums, mut even) = (Rows::<i64>::new(), Rows::new());
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.expect("not null")).expect("text");
        for record in self.program.cluster.read_all("numbers", partition, Isolation::ReadCommitted) {
            if record.offset < next {
                let key = text(record.key);
                let sum = sums.entry(key.clone()).or_default();
                *sum += text(record.value).parse::<i64>().expect("a number");
                match *sum % 2 {
                    0 => even.insert(key, *sum),
                    _ => even.remove(&key),
                };
            }
        }
        even
    }

    /// True when all that was appended is processed, and committed with the store of version 2.
    pub(super) fn is_done(&self) -> bool {
        let Some(running) = &self.running else { return false };
        let ends = self.program.cluster.end_offsets("numbers");
        self.program.tasks().all(|task| {
            let Some(TaskView::Active(database)) = running.views.get(&task) else { return false };
            database.position().is_none_or(|position| {
                let next = position.marker.sources.values().next().copied();
                next == Some(ends[task.partition as usize]) && position.marker.changelogs.contains_key("even")
            })
        })
    }
}

fn rows(database: &TaskDatabase) -> Rows<i64> {
    let mut rows = Rows::new();
    let mut visit = |key: &[u8], row: &[u8]| {
        rows.insert(codec::decode_whole_key(key).expect("keys are text"), codec::decode_row(row).expect("rows are numbers"));
        true
    };
    database.database().snapshot().scan(EVEN, &KeyRange::all(), Direction::Forward, &mut visit).expect("memory does not fail");
    rows
}

fn indexed(database: &TaskDatabase) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut visit = |key: &[u8], _: &[u8]| {
        found.push(key.to_vec());
        true
    };
    database.database().snapshot().scan(BY_SUM, &KeyRange::all(), Direction::Forward, &mut visit).expect("memory does not fail");
    found
}

fn by_sum(rows: &Rows<i64>) -> Vec<Vec<u8>> {
    let row = |(key, sum): (&String, &i64)| {
        let mut bytes = Vec::new();
        sum.encode_key(&mut bytes);
        key.encode_key(&mut bytes);
        bytes
    };
    let mut found: Vec<Vec<u8>> = rows.iter().map(row).collect();
    found.sort();
    found
}

/// Versions take turns, ended by a crash, a lost disk or a clean stop; version 2 is the last.
fn run(seed: u64) -> usize {
    let mut shop = Shop::new(seed);
    shop.program.cluster.set_faults(if seed.is_multiple_of(3) { Faults::chaos() } else { Faults::none() });
    for _ in 0..shop.rng.usize(2..6) {
        let version = shop.rng.usize(1..=2);
        shop.start(version);
        for _ in 0..shop.rng.usize(5..120) {
            (0..shop.rng.usize(0..4)).for_each(|_| shop.append());
            shop.step();
        }
        match shop.rng.usize(0..4) {
            0 => {
                shop.running.as_ref().inspect(|running| running.stop());
                for _ in 0..400 {
                    shop.step();
                }
            }
            1 => shop.disk = MemoryDisk::default(),
            _ => {}
        }
        shop.running = None;
        if shop.rng.bool() {
            shop.program.cluster.compact(&shop.program.names.changelog("even"), Tombstones::Keep);
        }
    }
    shop.program.cluster.set_faults(Faults::none());
    shop.start(2);
    for _ in 0..3_000 {
        shop.program.cluster.deliver_late();
        shop.step();
        if shop.is_done() {
            return shop.checked;
        }
    }
    panic!("seed {seed}: version 2 has not processed everything\n{}", shop.program.cluster.trace().join("\n"));
}

#[test]
fn a_store_and_an_index_added_later_are_as_if_they_had_been_there() {
    let checked: usize = (0..200).map(run).sum();
    assert!(checked > 1_000, "the added store was served {checked} times only");
}

#[test]
fn a_topic_added_to_a_source_is_read_from_its_beginning() {
    let mut shop = Shop::new(7);
    shop.program.cluster.create_topic("more", PARTITIONS, &[]);
    shop.start(1);
    let now = shop.program.clock.now();
    let append = |shop: &Shop, topic: &str, value: &[u8]| {
        shop.program.cluster.append(topic, None, Some(b"key"), Some(value), now).expect("input is not refused")
    };
    let partition = append(&shop, "numbers", b"5").0.partition;
    append(&shop, "more", b"30");
    (0..60).for_each(|_| shop.step());
    shop.running = None;

    let mut builder = TopologyBuilder::new();
    running_sums_of(&mut builder, &["numbers", "more"]);
    shop.program.topology = builder.build().expect("the topology is whole");
    shop.running = Some(shop.program.start("p", &shop.disk, 1, true));
    append(&shop, "more", b"200");
    (0..60).for_each(|_| shop.step());
    let task = shop.program.tasks().nth(partition as usize).expect("there is one a partition");
    let views = &shop.running.as_ref().expect("nothing failed").views;
    let Some(TaskView::Active(database)) = views.get(&task) else { panic!("the task runs") };
    let mut sum = None;
    let key = codec::encode_whole_key(&"key".to_string());
    database.database().get(Column(1), &key, &mut |row| sum = codec::decode_row::<i64>(row).ok()).expect("memory does not fail");
    assert_eq!(sum, Some(235), "what was in the new topic before counts, and nothing counts twice");
}
