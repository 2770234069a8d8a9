//! Tasks that move between the threads of one process and between processes, when all goes well: in bounded time, with everything
//! committed, and each record once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::process::{Program, Running, no_metrics};
use super::running_sums::running_sums;
use crate::clock::{Clock as _, ManualClock};
use crate::query::TaskView;
use crate::record::Timestamp;
use crate::runtime::step::{StepSettings, ThreadError};
use crate::state::MemoryDisk;
use crate::testkit::cluster::{FakeCluster, Isolation};
use crate::topology::{Names, TopologyBuilder};

const PARTITIONS: i32 = 5;
const KEYS: usize = 40;

/// So many steps of 20 ms a change of tasks may take: well below the session time-out of 10 s.
const SOON: usize = 200;

pub(super) struct Shop {
    pub(super) program: Program,
    rng: fastrand::Rng,
    pub(super) sums: BTreeMap<String, i64>,
    pub(super) running: Vec<Running>,
    /// No more records come.
    pub(super) quiet: bool,
}

impl Shop {
    pub(super) fn new(seed: u64) -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(seed, clock.clone());
        let mut builder = TopologyBuilder::new();
        running_sums(&mut builder);
        let names = Names::new("move", "");
        cluster.create_topic("numbers", PARTITIONS, &[]);
        cluster.create_topic("running", PARTITIONS, &[]);
        cluster.create_compacted_topic(&names.task_log(), PARTITIONS);
        ["sums", "counts"].iter().for_each(|store| cluster.create_compacted_topic(&names.changelog(store), PARTITIONS));
        let program = Program {
            metrics: no_metrics(&clock),
            topology: builder.build().expect("the topology is whole"),
            settings: StepSettings::default(),
            partitions: PARTITIONS,
            cluster,
            clock,
            names,
        };
        Shop { program, rng: fastrand::Rng::with_seed(seed), sums: BTreeMap::new(), running: Vec::new(), quiet: false }
    }

    pub(super) fn start(&mut self, name: &str, threads: usize, fixed: bool) {
        self.running.push(self.program.start(name, &MemoryDisk::default(), threads, fixed));
    }

    /// A step of everybody, with records coming in.
    pub(super) fn step(&mut self) {
        self.try_step().expect("nothing fails");
    }

    pub(super) fn try_step(&mut self) -> Result<(), ThreadError> {
        for _ in 0..if self.quiet { 0 } else { self.rng.usize(0..4) } {
            let (key, value) = (format!("key-{}", self.rng.usize(0..KEYS)), self.rng.i64(-100..100));
            let bytes = value.to_string();
            let now = self.program.clock.now();
            self.program.cluster.append("numbers", None, Some(key.as_bytes()), Some(bytes.as_bytes()), now).expect("input is not refused");
            *self.sums.entry(key).or_default() += value;
        }
        self.program.clock.advance(Duration::from_millis(20));
        self.program.cluster.tick();
        let mut failed = None;
        self.running.retain_mut(|running| running.step().unwrap_or_else(|error| failed.replace(error).is_some()));
        failed.map_or(Ok(()), Err)
    }

    pub(super) fn until(&mut self, what: &str, done: impl Fn(&Shop) -> bool) {
        for _ in 0..SOON {
            if done(self) {
                return;
            }
            self.step();
        }
        panic!("{what}: not after {SOON} steps; {:?}", self.program.cluster.trace());
    }

    /// How many tasks each process has active, if all of them are active somewhere.
    pub(super) fn shares(&self) -> Option<Vec<usize>> {
        let active =
            |running: &Running| self.program.tasks().filter(|task| matches!(running.views.get(task), Some(TaskView::Active(_)))).count();
        let shares: Vec<usize> = self.running.iter().map(active).collect();
        (shares.iter().sum::<usize>() == PARTITIONS as usize).then_some(shares)
    }

    fn threads_at_work(&self, process: usize) -> usize {
        let threads = self.running[process].status.tasks().into_iter().filter(|row| row.state == "active").map(|row| row.thread);
        threads.collect::<std::collections::BTreeSet<_>>().len()
    }

    /// What the output says: the last running sum of each key, which is right only if each record counted once.
    pub(super) fn last_sums(&self) -> BTreeMap<String, i64> {
        let mut sums = BTreeMap::new();
        for partition in 0..PARTITIONS {
            for record in self.program.cluster.read_all("running", partition, Isolation::ReadCommitted) {
                let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.expect("not null")).expect("text");
                sums.insert(text(record.key), text(record.value).parse().expect("a number"));
            }
        }
        sums
    }
}

#[test]
fn tasks_move_between_threads_and_processes_while_records_come() {
    for seed in 0..20 {
        let fixed = seed % 2 == 0;
        let mut shop = Shop::new(seed);
        shop.start("a", 2, fixed);
        shop.until("one process takes all tasks", |shop| shop.shares() == Some(vec![5]));
        assert_eq!(shop.threads_at_work(0), 2, "seed {seed}: both threads have some");
        shop.start("b", 1, fixed);
        shop.until("the second gets its share", |shop| shop.shares().is_some_and(|shares| shares.len() == 2 && shares[1] > 0));
        (0..20).for_each(|_| shop.step());
        shop.running[1].stop();
        shop.until("the second leaves", |shop| shop.running.len() == 1);
        shop.until("the first has all again", |shop| shop.shares() == Some(vec![5]));
        assert_eq!(shop.threads_at_work(0), 2, "seed {seed}: both threads have some");
        // The last one commits everything and leaves.
        shop.running[0].stop();
        shop.until("the first leaves", |shop| shop.running.is_empty());
        assert!(shop.program.cluster.open_transactions().is_empty(), "seed {seed}");
        assert!(shop.program.cluster.members("move").is_empty(), "seed {seed}: both have left the group");
        // One that starts without state takes all over and works on.
        shop.start("c", 2, fixed);
        shop.until("a new one takes all tasks", |shop| shop.shares() == Some(vec![5]));
        shop.quiet = true;
        shop.until("everything is processed", |shop| shop.last_sums() == shop.sums);
    }
}

#[test]
fn a_long_transaction_is_given_up_when_the_group_went_on() {
    let mut shop = Shop::new(5);
    let long = Duration::from_secs(3_600);
    (shop.program.settings.commit_interval, shop.program.settings.commit_min_interval) = (long, long);
    shop.start("a", 2, false);
    shop.until("one process takes all tasks", |shop| shop.shares() == Some(vec![5]));
    // Records come: both threads are in transactions.
    (0..50).for_each(|_| shop.step());
    shop.start("b", 1, false);
    shop.until("the second gets its share", |shop| shop.shares().is_some_and(|shares| shares.len() == 2 && shares[1] > 0));
    shop.quiet = true;
    shop.running.iter().for_each(Running::stop);
    shop.until("both leave", |shop| shop.running.is_empty());
    let usual = StepSettings::default();
    (shop.program.settings.commit_interval, shop.program.settings.commit_min_interval) = (usual.commit_interval, usual.commit_min_interval);
    shop.start("c", 2, false);
    shop.until("everything is processed", |shop| shop.last_sums() == shop.sums);
}

#[test]
fn a_backlog_in_one_partition_starves_no_other_task_of_the_thread() {
    let mut shop = Shop::new(3);
    shop.program.settings.records_per_step = 20;
    let append = |shop: &Shop, key: &str| {
        let now = shop.program.clock.now();
        shop.program.cluster.append("numbers", None, Some(key.as_bytes()), Some(b"1"), now).expect("input is not refused").0
    };
    let busy = append(&shop, "busy");
    (0..4_000).for_each(|_| _ = append(&shop, "busy"));
    let others: Vec<String> = (0..KEYS).map(|n| format!("key-{n}")).filter(|key| append(&shop, key) != busy).collect();
    shop.quiet = true;
    shop.start("a", 1, false);
    shop.until("all tasks run", |shop| shop.shares() == Some(vec![5]));
    for _ in 0..20 {
        shop.step();
    }
    let sums = shop.last_sums();
    assert!(others.iter().all(|key| sums.contains_key(key)), "all others are done: {sums:?}");
    assert!(sums["busy"] < 1_000, "the busy one is not: {}", sums["busy"]);
}
