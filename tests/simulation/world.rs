//! Two processes of one application on a fake cluster, with their disks, their crashes and their clock.

use std::time::Duration;

use super::process::{Program, Running, no_metrics};
use super::rules;
use crate::clock::{Clock, ManualClock};
use crate::faults::{Sabotage, Sabotaged};
use crate::record::{Record, Timestamp};
use crate::runtime::step::{StepSettings, ThreadError};
use crate::state::MemoryDisk;
use crate::testkit::cluster::{FakeCluster, Faults, Tombstones};
use crate::topology::{Names, TopologyBuilder};
use crate::{Json, Stream, Text};

pub(super) const PARTITIONS: i32 = 3;
pub(super) const GROUP: &str = "sim";
const KEYS: usize = 12;
const PROCESSES: usize = 2;
const RECORDS: usize = 250;
const STEPS: usize = 900;

/// What a run went through.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub steps: u64,
    pub commits_seen: u64,
    pub crashes: u64,
    pub restores: u64,
    pub pauses: u64,
    pub exits: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.steps += other.steps;
        self.commits_seen += other.commits_seen;
        self.crashes += other.crashes;
        self.restores += other.restores;
        self.pauses += other.pauses;
        self.exits += other.exits;
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
    clock: ManualClock,
    rng: fastrand::Rng,
    processes: Vec<Process>,
    program: Program,
    appended: usize,
    pub(super) tally: Tally,
}

/// Sums per key; the running sums go to a topic.
pub(super) fn running_sums(b: &mut TopologyBuilder) -> Stream<String, i64> {
    running_sums_of(b, &["numbers"])
}

/// The same over several topics.
pub(super) fn running_sums_of(b: &mut TopologyBuilder, topics: &[&str]) -> Stream<String, i64> {
    let numbers = b.source::<String, i64>("numbers", topics, Text, Json);
    let sums = b.store::<String, i64>("sums", numbers);
    let counts = b.store::<String, u64>("counts", numbers);
    let changes = b.stream::<String, i64>("changes");
    b.each("sum", numbers, move |w| {
        let (sums, counts, changes) = (w.store(sums), w.store(counts), w.output(changes));
        move |context, number: Record<String, i64>| {
            let change = context.store(sums).change(&number.key, |sum| *sum = Some(sum.unwrap_or(0) + number.value))?;
            context.store(counts).change(&number.key, |count| *count = Some(count.unwrap_or(0) + 1))?;
            let sum = change.new.as_deref().copied().unwrap_or(0);
            context.forward(changes, number.with_value(sum))
        }
    });
    b.sink("running", changes, "running", Text, Json);
    changes
}

impl World {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(seed, clock.clone());
        let mut builder = TopologyBuilder::new();
        running_sums(&mut builder);
        let names = Names::new(GROUP, "");
        cluster.create_topic("numbers", PARTITIONS, &[]);
        cluster.create_topic("running", PARTITIONS, &[]);
        cluster.create_compacted_topic(&names.task_log(), PARTITIONS);
        for store in ["sums", "counts"] {
            cluster.create_compacted_topic(&names.changelog(store), PARTITIONS);
        }
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let process = |n: usize, fixed: bool, threads: usize| Process {
            name: format!("p{n}"),
            fixed,
            threads,
            disk: MemoryDisk::default(),
            running: None,
            away: 0,
            paused: false,
        };
        let processes = (0..PROCESSES)
            .map(|n| {
                let fixed = rng.bool();
                // A rule that is broken on purpose is one of a single thread.
                process(n, fixed, if sabotage.is_none() && rng.usize(0..3) == 0 { 2 } else { 1 })
            })
            .collect();
        let program = Program {
            cluster: cluster.clone(),
            clock: clock.clone(),
            topology: builder.build().expect("the topology is whole"),
            names: names.clone(),
            partitions: PARTITIONS,
            settings: StepSettings {
                sabotaged: sabotage.map(Sabotaged::by).unwrap_or_default(),
                records_per_step: 7,
                ..StepSettings::default()
            },
            metrics: no_metrics(&clock),
        };
        World { tally: Tally::default(), appended: 0, processes, program, cluster, names, clock, rng }
    }

    pub(super) fn trace(&self) -> Vec<String> {
        let trace = self.cluster.trace();
        trace[trace.len().saturating_sub(60)..].to_vec()
    }

    /// Chaos for a while, then calm until everything is processed; the rules are checked all along.
    pub(super) fn run(&mut self) -> Result<Tally, String> {
        self.cluster.set_faults(Faults::chaos());
        for step in 0..STEPS {
            self.chaos();
            self.advance()?;
            if step % 20 == 0 {
                rules::check_log(self)?;
                self.check_databases()?;
            }
        }
        self.cluster.set_faults(Faults::none());
        self.calm()?;
        rules::check_log(self)?;
        self.check_databases()?;
        rules::check_end(self, self.appended)?;
        Ok(self.tally.clone())
    }

    /// Something happens, or nothing.
    fn chaos(&mut self) {
        let room = RECORDS - self.appended.min(RECORDS);
        for _ in 0..self.rng.usize(0..=2).min(room) {
            let key = format!("key-{}", self.rng.usize(0..KEYS));
            let value = self.rng.i64(-100..100).to_string();
            let now = self.clock.now();
            self.cluster.append("numbers", None, Some(key.as_bytes()), Some(value.as_bytes()), now).expect("input is not refused");
            self.appended += 1;
        }
        let at = self.rng.usize(0..PROCESSES);
        match self.rng.usize(0..1_000) {
            0..12 => self.crash(at, false),
            12..16 => self.crash(at, true),
            16..24 => self.pause(at),
            24..28 => self.processes[at].stop(),
            28..34 => {
                for topic in [self.names.task_log(), self.names.changelog("sums"), self.names.changelog("counts")] {
                    self.cluster.compact(&topic, Tombstones::Keep);
                }
            }
            _ => {}
        }
    }

    fn crash(&mut self, at: usize, lose_disk: bool) {
        let process = &mut self.processes[at];
        if process.running.take().is_some() {
            self.cluster.note(&format!("{} crashes{}", process.name, if lose_disk { " and loses its disk" } else { "" }));
            self.tally.crashes += 1;
            process.away = self.rng.usize(1..40);
        }
        if process.paused {
            self.cluster.resume(&process.name);
            process.paused = false;
        }
        if lose_disk {
            process.disk = MemoryDisk::default();
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
        self.tally.steps += 1;
        for at in 0..PROCESSES {
            if self.processes[at].away > 0 {
                self.processes[at].away -= 1;
                continue;
            }
            if self.processes[at].paused {
                self.processes[at].paused = false;
                self.cluster.resume(&self.processes[at].name.clone());
            }
            if self.processes[at].running.is_none() {
                let process = &mut self.processes[at];
                process.running = Some(self.program.start(&process.name, &process.disk, process.threads, process.fixed));
            }
            let turns = self.rng.usize(1..4);
            for _ in 0..turns {
                let Some(running) = &mut self.processes[at].running else { break };
                match running.step() {
                    Ok(true) => {}
                    Ok(false) => {
                        self.processes[at].running = None;
                        self.processes[at].away = 10;
                    }
                    Err(error) => self.exit(at, error)?,
                }
            }
        }
        Ok(())
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

    fn check_databases(&mut self) -> Result<(), String> {
        self.tally.restores = self.program.metrics.processing.task_starts.with_label_values(&["restore"]).get();
        self.tally.commits_seen = self.program.metrics.processing.transactions.with_label_values(&["committed"]).get();
        for process in self.processes.iter().filter(|process| !process.paused) {
            let Some(running) = &process.running else { continue };
            rules::check_views(self, &process.name, &running.views)?;
        }
        Ok(())
    }
}

impl Process {
    fn stop(&mut self) {
        if let Some(running) = &self.running {
            running.stop();
        }
    }
}
