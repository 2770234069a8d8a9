//! Two processes of one application on a fake cluster, with their disks, their crashes and their clock.

use std::time::Duration;

use super::application::{GROUP, Handles, KEYS, PARTITIONS, STORES, application, by_group};
use super::disk::WatchedDisk;
use super::history::History;
use super::process::{Program, Running, no_metrics};
use super::reader::Reader;
use super::rules::{Broken, Judge, Kept, Rule};
use super::tally::Tally;
use crate::clock::{Clock, ManualClock};
use crate::faults::{Sabotage, Sabotaged};
use crate::query::ViewRegistry;
use crate::record::Timestamp;
use crate::runtime::step::{StepSettings, ThreadError};
use crate::testkit::cluster::{FakeCluster, FaultKind, Faults, Tombstones};
use crate::topology::{Names, TaskId};

const PROCESSES: usize = 2;
const STEPS: usize = 600;

/// When the faults are over, everything must be processed within this time: two sessions, and a transaction whose owner died.
const PROGRESS_WITHIN: Duration = Duration::from_secs(60);

/// So long a task may be without an owner.
const ORPHANED_AFTER: Duration = Duration::from_secs(6);

/// So long a transaction of a process that runs may be open: much longer than a commit takes, also one that is tried again.
const OPEN_WITHIN_MS: i64 = 10_000;

pub(super) struct Process {
    name: String,
    fixed: bool,
    threads: usize,
    program: Program,
    pub(super) disk: WatchedDisk,
    running: Option<(Running, Reader)>,
    /// Since when it has run without a pause.
    since_ms: i64,
    /// Steps until it is started again, or resumed.
    away: usize,
    paused: bool,
}

pub(super) struct World {
    pub(super) cluster: FakeCluster,
    pub(super) names: Names,
    pub(super) clock: ManualClock,
    pub(super) rng: fastrand::Rng,
    /// What readers ask, apart from `rng`.
    pub(super) questions: fastrand::Rng,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) processes: Vec<Process>,
    pub(super) tasks: Vec<TaskId>,
    pub(super) handles: Handles,
    pub(super) history: History,
    pub(super) judge: Judge,
    pub(super) appended: usize,
    pub(super) tally: Tally,
    /// Since when tasks have no owner though the group is at rest.
    orphaned_since: Option<Duration>,
    /// Ends with a scene in which Kafka has lost something.
    spoils: bool,
}

impl World {
    /// A world of this seed in which a rule of delivery is broken on purpose, if one is; `only` judges by one rule alone.
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>, only: Option<Rule>) -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(seed, clock.clone());
        let (topology, handles) = application();
        let names = Names::new(GROUP, "");
        for topic in ["numbers", "numbers-dlq", "running", "told", &by_group(&names)] {
            cluster.create_topic(topic, PARTITIONS, &[]);
        }
        STORES.iter().for_each(|store| cluster.create_compacted_topic(&names.changelog(store), PARTITIONS));
        let settings =
            StepSettings { sabotaged: sabotage.map(Sabotaged::by).unwrap_or_default(), records_per_step: 7, ..StepSettings::default() };
        let program = Program {
            metrics: no_metrics(&clock),
            cluster: cluster.clone(),
            clock: clock.clone(),
            partitions: PARTITIONS,
            names: names.clone(),
            topology,
            settings,
        };
        let tasks: Vec<TaskId> = program.tasks().collect();
        cluster.create_compacted_topic(&names.task_log(), tasks.len() as i32);
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let process = |n: usize| Process {
            name: format!("p{n}"),
            fixed: rng.bool(),
            // A rule that is broken on purpose is one of a single thread.
            threads: if sabotage.is_none() && rng.usize(0..3) == 0 { 2 } else { 1 },
            program: Program { metrics: no_metrics(&clock), ..program.clone() },
            disk: WatchedDisk::default(),
            running: None,
            since_ms: 0,
            away: 0,
            paused: false,
        };
        World {
            processes: (0..PROCESSES).map(process).collect(),
            history: History::new(&program),
            questions: fastrand::Rng::with_seed(seed ^ 0xa5c),
            runtime: tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers"),
            judge: Judge { only },
            tally: Tally::default(),
            appended: 0,
            orphaned_since: None,
            spoils: seed.is_multiple_of(4),
            cluster,
            names,
            clock,
            rng,
            tasks,
            handles,
        }
    }

    pub(super) fn trace(&self) -> Vec<String> {
        let trace = self.cluster.trace();
        trace[trace.len().saturating_sub(60)..].to_vec()
    }

    /// Chaos for a while, then calm until everything is processed; the rules are checked after every step.
    pub(super) fn run(&mut self) -> Result<Tally, Broken> {
        let weather = weather(self.rng.usize(0..3));
        self.cluster.set_faults(weather);
        for step in 0..STEPS {
            self.chaos();
            self.step()?;
            if step == STEPS / 2 {
                self.cross_check()?;
            }
        }
        self.cluster.set_faults(Faults::none());
        // So that every task has something to do after the heal.
        (0..KEYS).for_each(|key| self.append(key));
        self.calm()?;
        self.cross_check()?;
        self.cluster.look(|look| self.history.check_end(self.judge, self.appended, look))?;
        for process in &self.processes {
            self.tally.take(&process.program.metrics);
        }
        if self.spoils {
            self.spoil()?;
        }
        Ok(self.tally.clone())
    }

    /// Something happens, or nothing.
    fn chaos(&mut self) {
        for _ in 0..self.rng.usize(0..8).saturating_sub(5) {
            let key = self.rng.usize(0..KEYS);
            self.append(key);
        }
        let at = self.rng.usize(0..PROCESSES);
        match self.rng.usize(0..1_000) {
            0..18 => self.crash(at, false),
            18..24 => self.crash(at, true),
            24..36 => self.pause(at),
            36..42 => self.processes[at].stop(),
            42..50 => {
                let changelogs = STORES.map(|store| self.names.changelog(store));
                changelogs.iter().chain([&self.names.task_log()]).for_each(|topic| self.cluster.compact(topic, Tombstones::Keep));
            }
            50..56 => self.move_an_offset_back(),
            _ => {}
        }
    }

    fn append(&mut self, key: usize) {
        let (key, value) = (format!("key-{key}"), self.rng.i64(-100..100).to_string());
        // Late ones among them.
        let time = Timestamp(self.clock.now().0 - self.rng.i64(0..300));
        self.cluster.append("numbers", None, Some(key.as_bytes()), Some(value.as_bytes()), time).expect("input is not refused");
        self.appended += 1;
    }

    /// What a late copy of an older commit does, which no producer prevents for good.
    fn move_an_offset_back(&mut self) {
        let (token, by) = (self.rng.usize(0..self.tasks.len()), self.rng.usize(1..4));
        if let Some((token, offset)) = self.cluster.look(|look| self.history.move_back(token, by, look)) {
            self.cluster.note(&format!("the committed offset of {token} goes back to {offset}"));
            self.cluster.set_committed(GROUP, &token, Some(offset));
            self.tally.moved_back += 1;
        }
    }

    pub(super) fn crash(&mut self, at: usize, lose_disk: bool) {
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
            process.disk.lose();
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

    pub(super) fn pass_time(&mut self) {
        let by = if self.rng.usize(0..4) == 0 { self.rng.u64(100..900) } else { self.rng.u64(1..40) };
        self.clock.advance(Duration::from_millis(by));
        self.cluster.tick();
        self.tally.steps += 1;
    }

    /// Time passes, every process that runs does a little, and the rules are checked.
    fn step(&mut self) -> Kept {
        self.pass_time();
        for at in 0..PROCESSES {
            self.step_process(at)?;
        }
        self.watch_orphans();
        self.check()
    }

    fn step_process(&mut self, at: usize) -> Kept {
        let now_ms = self.clock.now().0;
        let process = &mut self.processes[at];
        if process.away > 0 {
            process.away -= 1;
            return Ok(());
        }
        if process.paused {
            process.paused = false;
            process.since_ms = now_ms;
            self.cluster.resume(&process.name);
        }
        process.start_unless_it_runs(self.handles, now_ms);
        for _ in 0..self.rng.usize(1..4) {
            let Some((running, _)) = &mut self.processes[at].running else { break };
            match running.step() {
                Ok(true) => {}
                Ok(false) => self.left(at)?,
                Err(error) => self.exit(at, error)?,
            }
        }
        Ok(())
    }

    /// A step of one process that is not judged by the rules; `None` while it is away.
    pub(super) fn step_alone(&mut self, at: usize) -> Option<Result<ViewRegistry, ThreadError>> {
        let now_ms = self.clock.now().0;
        let process = &mut self.processes[at];
        process.away = process.away.saturating_sub(1);
        if process.away > 0 {
            return None;
        }
        process.start_unless_it_runs(self.handles, now_ms);
        let (running, _) = process.running.as_mut()?;
        Some(running.step().map(|_| running.views.clone()))
    }

    /// It has left the group after a stop.
    fn left(&mut self, at: usize) -> Kept {
        let process = &mut self.processes[at];
        (process.running, process.away) = (None, 10);
        self.tally.stops += 1;
        let open =
            self.cluster.open_transactions().into_iter().find(|open| open.since_ms.is_some() && process.owns(&open.transactional_id));
        self.judge
            .check(open.is_none(), Rule::NothingLeftOpen, || format!("{} left the group and leaves {open:?}", self.processes[at].name))
    }

    /// A thread that cannot go on ends its process; a supervisor starts it again. But it never refuses a start here.
    fn exit(&mut self, at: usize, error: ThreadError) -> Kept {
        let process = &mut self.processes[at];
        self.cluster.note(&format!("{} exits: {error}", process.name));
        (process.running, process.away) = (None, 20);
        self.tally.exits += 1;
        let refuses = matches!(error, ThreadError::Start { .. } | ThreadError::Task { .. } | ThreadError::OffsetsLost(_));
        self.judge.check(!refuses, Rule::StopsByName, || format!("{} refuses to go on: {error}", self.processes[at].name))
    }

    /// What the members' threads do ([`crate::runtime::Orphans`]): a static member that was restarted in the middle of a rebalance leaves
    /// tasks to nobody, and one member joins again when they stay so.
    pub(super) fn watch_orphans(&mut self) {
        let registries = || self.processes.iter().filter_map(|process| Some(&process.running.as_ref()?.0.views));
        let tasks: Vec<(TaskId, bool)> = registries().flat_map(ViewRegistry::tasks).collect();
        let settled = tasks.iter().all(|(_, active)| *active) && self.processes.iter().all(|process| process.running.is_some());
        if !settled || self.tasks.iter().all(|task| tasks.iter().any(|(owned, _)| owned == task)) {
            self.orphaned_since = None;
            return;
        }
        let now = self.clock.monotonic();
        let since = *self.orphaned_since.get_or_insert(now);
        if now >= since + ORPHANED_AFTER
            && let Some((first, _)) = &self.processes[0].running
        {
            first.status.request_rejoin();
            self.orphaned_since = Some(now);
        }
    }

    fn check(&mut self) -> Kept {
        let World { cluster, history, processes, judge, questions, runtime, tasks, .. } = self;
        cluster.look(|look| {
            history.check(*judge, look)?;
            for open in look.open_transactions() {
                let Some(since_ms) = open.since_ms else { continue };
                let owner = processes.iter().find(|process| process.owns(&open.transactional_id));
                let Some(owner) = owner.filter(|owner| owner.running.is_some() && !owner.paused) else { continue };
                let age_ms = look.now_ms() - since_ms.max(owner.since_ms);
                judge.check(age_ms <= OPEN_WITHIN_MS, Rule::NothingLeftOpen, || format!("for {age_ms} ms, by one that runs: {open:?}"))?;
            }
            processes.iter_mut().filter(|process| !process.paused).try_for_each(|process| {
                let Some((_, reader)) = &mut process.running else { return Ok(()) };
                reader.check(*judge, &history.models, &history.tasks, look)
            })
        })?;
        for process in processes.iter_mut().filter(|process| !process.paused) {
            process.disk.check(*judge, &process.name, tasks, &process.program.metrics)?;
            if let Some((_, reader)) = &process.running {
                reader.ask(*judge, &history.models, questions, runtime)?;
            }
        }
        Ok(())
    }

    fn cross_check(&mut self) -> Kept {
        self.cluster.look(|look| self.history.check_again(self.judge, look))
    }

    /// Until the input is processed and no transaction is open.
    fn calm(&mut self) -> Kept {
        let healed = self.clock.monotonic();
        while self.clock.monotonic() - healed < PROGRESS_WITHIN {
            self.cluster.deliver_late();
            self.step()?;
            if self.history.is_done() && self.cluster.open_transactions().is_empty() {
                self.tally.longest_ms = (self.clock.monotonic() - healed).as_millis() as u64;
                return Ok(());
            }
        }
        self.judge.broken(Rule::Progress, || {
            let open = self.cluster.open_transactions();
            format!("with all faults over for {PROGRESS_WITHIN:?}, the input was not processed, or something is open: {open:?}")
        })
    }
}

/// Chaos in which something happens more often than the rest.
fn weather(kind: usize) -> Faults {
    match kind {
        0 => Faults::chaos(),
        1 => Faults::chaos().with(FaultKind::SpontaneousRebalance, 0.015).with(FaultKind::JoinHeld, 0.3),
        _ => [FaultKind::LateEndCopy, FaultKind::LateOffsetsCopy, FaultKind::EndLate, FaultKind::EndNeverArrives]
            .into_iter()
            .fold(Faults::chaos(), |faults, kind| faults.with(kind, 0.06)),
    }
}

impl Process {
    fn start_unless_it_runs(&mut self, handles: Handles, now_ms: i64) {
        if self.running.is_none() {
            let running = self.program.start(&self.name, &self.disk.disk, self.threads, self.fixed);
            let reader = Reader::new(&self.program, handles, &self.name, &running.views, &self.program.metrics);
            (self.running, self.since_ms) = (Some((running, reader)), now_ms);
        }
    }

    fn stop(&mut self) {
        if let Some((running, _)) = &self.running {
            running.stop();
        }
    }

    fn owns(&self, transactional_id: &str) -> bool {
        transactional_id.strip_prefix(&self.name).is_some_and(|thread| thread.starts_with('-'))
    }
}
