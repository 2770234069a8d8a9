//! Two processes without transactions, with their disks and what happens to them.

use std::cell::Cell;
use std::time::Duration;

use super::process::{Program, Running, Stepped};
use super::rules;
use crate::clock::{Clock, ManualClock};
use crate::faults::{Sabotage, Sabotaged};
use crate::record::{Record, Timestamp};
use crate::runtime::step::{Guarantee, StepSettings, ThreadError};
use crate::state::MemoryDisk;
use crate::testkit::cluster::{FakeCluster, Faults, Tombstones};
use crate::topology::{Names, Topology, TopologyBuilder};
use crate::{Json, Text};

pub(super) const PARTITIONS: i32 = 2;
pub(super) const GROUP: &str = "alo";
const KEYS: usize = 8;
const PROCESSES: usize = 2;
const RECORDS: usize = 200;
const STEPS: usize = 900;
/// A call after which a process may end: a step makes about so many.
const CALLS: u64 = 20;

/// The rules are checked after so many steps.
const CHECK_EACH: usize = 5;

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    /// Processes end anywhere and members are evicted, but disks are kept and nobody is stopped.
    KeptDisks,
    /// Disks are lost too, and processes stopped beyond their session.
    LostDisks,
    /// As the first; every 150 steps all processes stop and go on under the other guarantee.
    Switched,
}

/// What a run went through.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub(super) commits: u64,
    pub(super) failed_commits: u64,
    pub(super) transactions: u64,
    pub(super) crashes: u64,
    pub(super) restores: u64,
    pub(super) pauses: u64,
    pub(super) exits: u64,
    /// Steps after which some state had counted a record more than once.
    pub(super) counted_twice: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.commits += other.commits;
        self.failed_commits += other.failed_commits;
        self.transactions += other.transactions;
        self.crashes += other.crashes;
        self.restores += other.restores;
        self.pauses += other.pauses;
        self.exits += other.exits;
        self.counted_twice += other.counted_twice;
    }
}

struct Process {
    name: String,
    fixed: bool,
    threads: usize,
    disk: MemoryDisk,
    running: Option<Running>,
    /// Steps until it is started again, or resumed.
    away: usize,
    paused: bool,
}

pub(super) struct World {
    pub(super) cluster: FakeCluster,
    pub(super) names: Names,
    pub(super) counted_twice: Cell<u64>,
    weather: Weather,
    clock: ManualClock,
    rng: fastrand::Rng,
    processes: Vec<Process>,
    program: Program,
    appended: i64,
    tally: Tally,
}

/// Counts per key, and the last number of each; every number goes on, twice: at once, and held until the commit.
fn counting() -> Topology {
    let mut b = TopologyBuilder::new();
    let numbers = b.source::<String, i64>("numbers", &["numbers"], Text, Json);
    let counts = b.store::<String, u64>("counts", numbers);
    let last = b.store::<String, i64>("last", numbers);
    let seen = b.stream::<String, i64>("seen");
    b.each("count", numbers, move |w| {
        let (counts, last, seen) = (w.store(counts), w.store(last), w.output(seen));
        move |context, number: Record<String, i64>| {
            context.store(counts).change(&number.key, |count| *count = Some(count.unwrap_or(0) + 1))?;
            let kept = (!rules::deletes(number.value)).then_some(number.value);
            context.store(last).change(&number.key, |last| *last = kept)?;
            context.forward(seen, number)
        }
    });
    b.sink("seen", seen, "seen", Text, Json);
    b.positioned_sink("told", seen, "told", Text, Json);
    b.build().expect("the topology is whole")
}

impl World {
    pub(super) fn new(seed: u64, weather: Weather, sabotage: Option<Sabotage>) -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(seed, clock.clone());
        let names = Names::new(GROUP, "");
        cluster.create_topic("numbers", PARTITIONS, &[]);
        ["seen", "told"].iter().for_each(|topic| cluster.create_topic(topic, PARTITIONS, &[]));
        cluster.create_compacted_topic(&names.task_log(), PARTITIONS);
        ["counts", "last"].iter().for_each(|store| cluster.create_compacted_topic(&names.changelog(store), PARTITIONS));
        let mut rng = fastrand::Rng::with_seed(seed ^ 0xa10);
        let process = |n: usize| Process {
            name: format!("p{n}"),
            fixed: rng.bool(),
            threads: rng.usize(1..=2),
            disk: MemoryDisk::default(),
            running: None,
            away: 0,
            paused: false,
        };
        let processes = (0..PROCESSES).map(process).collect();
        let program = Program {
            cluster: cluster.clone(),
            clock: clock.clone(),
            topology: counting(),
            names: names.clone(),
            partitions: PARTITIONS,
            settings: StepSettings {
                guarantee: Guarantee::AtLeastOnce,
                sabotaged: sabotage.map(Sabotaged::by).unwrap_or_default(),
                records_per_step: 3,
                ..StepSettings::default()
            },
            metrics: super::super::process::no_metrics(&clock),
        };
        let (tally, counted_twice) = (Tally::default(), Cell::new(0));
        World { tally, counted_twice, weather, appended: 0, processes, program, cluster, names, clock, rng }
    }

    pub(super) fn trace(&self) -> Vec<String> {
        let trace = self.cluster.trace();
        trace[trace.len().saturating_sub(60)..].to_vec()
    }

    /// Whether nothing may count twice.
    pub(super) fn is_exact(&self) -> bool {
        self.weather != Weather::LostDisks
    }

    /// Chaos for a while, then calm until everything is processed; the rules are checked all along.
    pub(super) fn run(&mut self) -> Result<Tally, String> {
        self.cluster.set_faults(Faults::chaos());
        for step in 1..=STEPS {
            self.chaos();
            self.advance()?;
            if step % CHECK_EACH == 0 {
                self.check()?;
            }
            if self.weather == Weather::Switched && step % 150 == 0 {
                self.switch()?;
            }
        }
        self.cluster.set_faults(Faults::none());
        self.calm()?;
        self.check()?;
        let metrics = &self.program.metrics;
        self.tally.commits = metrics.consumer.commits.with_label_values(&["committed"]).get();
        self.tally.failed_commits = metrics.consumer.commits.with_label_values(&["failed"]).get();
        self.tally.transactions = metrics.processing.transactions.with_label_values(&["committed"]).get();
        self.tally.restores = metrics.processing.task_starts.with_label_values(&["restore"]).get();
        self.tally.counted_twice = self.counted_twice.get();
        Ok(self.tally.clone())
    }

    fn check(&self) -> Result<(), String> {
        rules::check_logs(self)?;
        for process in self.processes.iter().filter(|process| !process.paused) {
            let Some(running) = &process.running else { continue };
            rules::check_views(self, &process.name, &running.views)?;
        }
        match self.weather {
            Weather::KeptDisks => rules::check_offsets(self, self.processes.iter().map(|process| &process.disk)),
            Weather::LostDisks | Weather::Switched => Ok(()),
        }
    }

    /// Something happens, or nothing.
    fn chaos(&mut self) {
        if self.appended < RECORDS as i64 && self.rng.bool() {
            self.append(1);
        }
        let at = self.rng.usize(0..PROCESSES);
        let is_rough = self.weather == Weather::LostDisks;
        match self.rng.usize(0..1_000) {
            0..15 => self.crash(at),
            15..20 if is_rough => {
                self.crash(at);
                self.cluster.note(&format!("{} loses its disk", self.processes[at].name));
                self.processes[at].disk = MemoryDisk::default();
            }
            20..28 if is_rough => self.pause(at),
            28..32 => self.processes[at].stop(),
            32..40 if rules::may_compact(self) => {
                for topic in [self.names.task_log(), self.names.changelog("counts"), self.names.changelog("last")] {
                    self.cluster.compact(&topic, Tombstones::Keep);
                }
            }
            _ => {}
        }
    }

    fn crash(&mut self, at: usize) {
        let process = &mut self.processes[at];
        if process.running.take().is_some() {
            self.cluster.note(&format!("{} crashes", process.name));
            self.tally.crashes += 1;
            process.away = self.rng.usize(1..40);
        }
        if process.paused {
            self.cluster.resume(&process.name);
            process.paused = false;
        }
    }

    fn pause(&mut self, at: usize) {
        let process = &mut self.processes[at];
        if process.running.is_some() && !process.paused {
            self.cluster.pause(&process.name);
            process.paused = true;
            // A step takes 0.14 s on average: this is beyond the session time-out in about half of the cases.
            process.away = self.rng.usize(5..200);
            self.tally.pauses += 1;
        }
    }

    fn advance(&mut self) -> Result<(), String> {
        let by = if self.rng.usize(0..4) == 0 { self.rng.u64(100..900) } else { self.rng.u64(1..40) };
        self.clock.advance(Duration::from_millis(by));
        self.cluster.tick();
        for at in 0..PROCESSES {
            let process = &mut self.processes[at];
            if process.away > 0 {
                process.away -= 1;
                continue;
            }
            if process.paused {
                process.paused = false;
                self.cluster.resume(&process.name);
            }
            if process.running.is_none() {
                process.running = Some(self.program.start(&process.name, &process.disk, process.threads, process.fixed));
            }
            for _ in 0..self.rng.usize(1..4) {
                self.step(at)?;
            }
        }
        Ok(())
    }

    /// A step of a process, which may end in the middle of it.
    fn step(&mut self, at: usize) -> Result<(), String> {
        let Some(running) = &mut self.processes[at].running else { return Ok(()) };
        let ends = self.appended < RECORDS as i64 && self.rng.usize(0..100) == 0;
        self.cluster.crash_in(ends.then(|| self.rng.u64(0..CALLS)));
        let stepped = running.step();
        self.cluster.crash_in(None);
        match stepped {
            Stepped::On => Ok(()),
            Stepped::Left => {
                self.processes[at].running = None;
                self.processes[at].away = 10;
                Ok(())
            }
            Stepped::Crashed => {
                self.crash(at);
                Ok(())
            }
            Stepped::Failed(error) => self.exit(at, error),
        }
    }

    /// A thread that cannot go on ends its process; a supervisor starts it again. But it never refuses a start here.
    fn exit(&mut self, at: usize, error: ThreadError) -> Result<(), String> {
        let process = &mut self.processes[at];
        self.cluster.note(&format!("{} exits: {error}", process.name));
        if let ThreadError::Start { .. } | ThreadError::Task { .. } | ThreadError::OffsetsLost(_) = error {
            return Err(format!("{} refuses to go on: {error}", process.name));
        }
        process.running = None;
        process.away = 20;
        self.tally.exits += 1;
        Ok(())
    }

    /// All processes stop, and go on under the other guarantee.
    fn switch(&mut self) -> Result<(), String> {
        for _ in 0..2_000 {
            if self.processes.iter().all(|process| process.running.is_none()) {
                break;
            }
            self.processes.iter().for_each(|process| process.stop());
            for at in 0..PROCESSES {
                self.clock.advance(Duration::from_millis(20));
                self.cluster.tick();
                self.step(at)?;
            }
        }
        // What dead clients had sent has arrived, and open transactions have timed out, before anybody changes the configuration.
        self.cluster.deliver_late();
        self.cluster.advance(Duration::from_secs(40));
        let settings = &mut self.program.settings;
        settings.guarantee = match settings.guarantee {
            Guarantee::ExactlyOnce => Guarantee::AtLeastOnce,
            Guarantee::AtLeastOnce => Guarantee::ExactlyOnce,
        };
        self.cluster.note(&format!("now {:?}", settings.guarantee));
        Ok(())
    }

    /// Exactly once, then without transactions until a process ends after so many calls, then exactly once again, all without any other fault.
    /// False when everything was processed before.
    pub(super) fn change_and_end_after(&mut self, calls: u64) -> Result<bool, String> {
        self.program.settings.guarantee = Guarantee::ExactlyOnce;
        // From here on nothing ends by chance.
        self.appended = RECORDS as i64;
        self.append(40);
        self.calm()?;
        self.switch()?;
        self.append(40);
        // All of it comes into one attempt, since little time passes.
        let mut running = self.program.start("p0", &self.processes[0].disk, 1, false);
        let mut ended = false;
        self.cluster.crash_in(Some(calls));
        while !rules::is_done(self) {
            self.clock.advance(Duration::from_millis(1));
            self.cluster.tick();
            match running.step() {
                Stepped::Crashed => {
                    ended = true;
                    break;
                }
                Stepped::Failed(error) => return Err(error.to_string()),
                Stepped::On | Stepped::Left => {}
            }
        }
        self.cluster.crash_in(None);
        drop(running);
        self.switch()?;
        // Each step comes into an attempt of its own.
        for _ in 0..40 {
            self.clock.advance(Duration::from_millis(150));
            self.advance()?;
            self.check()?;
        }
        self.calm()?;
        self.check()?;
        Ok(ended)
    }

    fn append(&mut self, count: i64) {
        for _ in 0..count {
            self.appended += 1;
            let (key, number, now) = (format!("key-{}", self.rng.usize(0..KEYS)), self.appended.to_string(), self.clock.now());
            self.cluster.append("numbers", None, Some(key.as_bytes()), Some(number.as_bytes()), now).expect("input is not refused");
        }
    }

    /// Until the input is processed and no transaction is open.
    fn calm(&mut self) -> Result<(), String> {
        for _ in 0..3_000 {
            self.cluster.deliver_late();
            self.advance()?;
            if rules::is_done(self) && self.cluster.open_transactions().is_empty() {
                return Ok(());
            }
        }
        Err("no progress: with all faults over, the input was not processed".to_string())
    }
}

impl Process {
    fn stop(&self) {
        if let Some(running) = &self.running {
            running.stop();
        }
    }
}
