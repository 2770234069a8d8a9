//! The bank of examples/bank.rs, with two processes that crash, lose their disks and take over from each other, and senders that send
//! again: each key is decided once, versions have no gaps, nothing is overdrawn. Also when the application is reset meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use super::process::{Program, Running, no_metrics};
use crate::clock::{Clock as _, ManualClock};
use crate::codec::{Codec as _, Json};
use crate::command::{CommandState, Outcome};
use crate::faults::{Sabotage, Sabotaged};
use crate::query::TaskView;
use crate::record::{Timestamp, TopicPartition};
use crate::runtime::step::StepSettings;
use crate::state::MemoryDisk;
use crate::testkit::cluster::{FakeCluster, Faults, Isolation};
use crate::topology::{Names, TaskId, TopologyBuilder};

// Its routes and its main function are for the example alone.
#[allow(dead_code)]
#[path = "../../examples/bank.rs"]
mod example;

use example::{Event, Fact};

const PARTITIONS: i32 = 2;
const ACCOUNTS: usize = 4;
/// A rule that is broken on purpose must be found within these.
const SEEDS: Range<u64> = 0..40;

/// What must hold of all that committed readers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The versions of an account have no gaps, and none comes twice.
    NoGaps,
    /// No event stands in the log twice.
    NoDouble,
    /// Nobody withdraws what is not there.
    NotOverdrawn,
    /// Each record has one outcome.
    Answered,
    /// There is one event for one decision.
    OneEvent,
    /// There is one decision for one key.
    OneDecision,
    /// All events have come back.
    ComesBack,
}

struct Town {
    program: Program,
    rng: fastrand::Rng,
    disks: [MemoryDisk; 2],
    running: [Option<Running>; 2],
    seed: u64,
    /// All that was sent: account and JSON.
    sent: Vec<(String, String)>,
    crashes: usize,
    resets: usize,
    /// Senders' clocks are late by up to so much.
    late_ms: u64,
}

impl Town {
    fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let clock = ManualClock::at(Timestamp(1_000_000));
        let cluster = FakeCluster::new(seed, clock.clone());
        let names = Names::new("bank", "");
        ["account-commands", "account-events", "command-results"].iter().for_each(|topic| cluster.create_topic(topic, PARTITIONS, &[]));
        cluster.create_compacted_topic(&names.task_log(), PARTITIONS);
        let stores = ["account-states", "account-unread", "commands-seen", "commands-seen-count"];
        stores.iter().for_each(|store| cluster.create_compacted_topic(&names.changelog(store), PARTITIONS));
        let mut builder = TopologyBuilder::new();
        example::topology(&mut builder);
        let program = Program {
            metrics: no_metrics(&clock),
            topology: builder.build().expect("the topology is whole"),
            settings: StepSettings {
                sabotaged: sabotage.map(Sabotaged::by).unwrap_or_default(),
                records_per_step: 7,
                ..StepSettings::default()
            },
            partitions: PARTITIONS,
            cluster,
            clock,
            names,
        };
        let rng = fastrand::Rng::with_seed(seed);
        Town { program, rng, disks: Default::default(), running: [None, None], seed, sent: Vec::new(), crashes: 0, resets: 0, late_ms: 0 }
    }

    /// A new command, one with a key that may have been used, or a record that was sent before.
    fn send(&mut self) {
        if !self.sent.is_empty() && self.rng.usize(0..4) == 0 {
            let again = self.sent[self.rng.usize(0..self.sent.len())].clone();
            return self.write(again);
        }
        let (account, number) = (format!("account-{}", self.rng.usize(0..ACCOUNTS)), self.sent.len());
        let (command, key) = (self.rng.usize(0..5), self.rng.usize(0..40));
        // One key always asks for the same.
        let (command, key) = if key < 20 { (key % 5, format!(r#""idempotencyKey":"k-{key}","#)) } else { (command, String::new()) };
        let command = match command {
            0 => r#""type":"OPEN""#.to_string(),
            1 | 2 => r#""type":"DEPOSIT","data":{"amount":20}"#.to_string(),
            _ => r#""type":"WITHDRAW","data":{"amount":15}"#.to_string(),
        };
        self.write((account, format!(r#"{{"commandId":"c-{number}",{key}{command}}}"#)));
    }

    fn write(&mut self, (account, json): (String, String)) {
        let at = Timestamp(self.program.clock.now().as_millis() - self.rng.u64(0..=self.late_ms) as i64);
        let appended = self.program.cluster.append("account-commands", None, Some(account.as_bytes()), Some(json.as_bytes()), at);
        appended.expect("input is not refused");
        self.sent.push((account, json));
    }

    fn step(&mut self) {
        self.program.clock.advance(Duration::from_millis(self.rng.u64(5..200)));
        self.program.cluster.tick();
        for at in 0..2 {
            match &mut self.running[at] {
                None if self.rng.usize(0..10) == 0 => {
                    self.running[at] = Some(self.program.start(["p", "q"][at], &self.disks[at], 1, false));
                }
                None => {}
                Some(running) => match running.step() {
                    Ok(true) => {}
                    Ok(false) => self.running[at] = None,
                    Err(error) => panic!("seed {}: {error}\n{}", self.seed, self.program.cluster.trace().join("\n")),
                },
            }
        }
    }

    fn crash(&mut self) {
        let at = self.rng.usize(0..2);
        self.crashes += usize::from(self.running[at].take().is_some());
        if self.rng.usize(0..4) == 0 {
            self.disks[at] = MemoryDisk::default();
        }
    }

    /// What `viewmill reset --application` leaves: the logs, and the group's place in commands.
    fn reset(&mut self) {
        (self.running, self.disks) = ([None, None], Default::default());
        self.resets += 1;
        let Program { cluster, clock, names, topology, .. } = &self.program;
        while !cluster.members("bank").is_empty() || !cluster.open_transactions().is_empty() {
            clock.advance(Duration::from_secs(1));
            cluster.tick();
        }
        let stores = ["account-states", "account-unread", "commands-seen", "commands-seen-count"];
        for topic in stores.map(|store| names.changelog(store)).into_iter().chain([names.task_log()]) {
            cluster.delete_topic(&topic);
            cluster.create_compacted_topic(&topic, PARTITIONS);
        }
        assert_eq!(topology.command_topics(), ["account-commands".into()]);
        for topic in [names.task_log(), "account-events".to_string()] {
            (0..PARTITIONS).for_each(|at| cluster.set_committed("bank", &TopicPartition::new(&*topic, at), None));
        }
    }

    fn read(&self, topic: &str) -> Vec<(String, Vec<u8>)> {
        let read = |partition| self.program.cluster.read_all(topic, partition, Isolation::ReadCommitted);
        let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.expect("not null")).expect("text");
        (0..PARTITIONS).flat_map(read).map(|record| (text(record.key), record.value.expect("not null"))).collect()
    }

    /// Everything was read, also the events.
    fn is_done(&self) -> bool {
        let topics = ["account-commands", "account-events"];
        self.program.tasks().all(|task| {
            let views = self.running.iter().flatten().filter_map(|running| running.views.get(&task));
            let mut positions = views.filter_map(|view| if let TaskView::Active(database) = view { database.position() } else { None });
            positions.any(|position| {
                position.marker.sources.iter().all(|(source, next)| {
                    let topic = topics.iter().find(|topic| ***topic == *source.topic).expect("these are read");
                    let records = self.program.cluster.read_all(topic, task.partition, Isolation::ReadCommitted);
                    records.last().is_none_or(|last| last.offset < *next)
                })
            })
        })
    }

    /// The rules that are broken, over all that committed readers see.
    fn broken(&self) -> Vec<(Rule, String)> {
        let (mut accounts, mut ids, mut broken) = (BTreeMap::<String, (u64, u64)>::new(), BTreeSet::new(), Vec::new());
        let events = self.read("account-events");
        for (account, json) in &events {
            let event: Event = serde_json::from_slice(json).expect("an event");
            let (version, balance) = accounts.entry(account.clone()).or_default();
            if event.version != *version + 1 {
                broken.push((Rule::NoGaps, format!("version {} of {account} follows {version}", event.version)));
            }
            if !ids.insert(event.id.clone()) {
                broken.push((Rule::NoDouble, format!("{account} has the event {} twice", event.id)));
            }
            *version = event.version;
            *balance = match event.fact {
                Fact::Opened => 0,
                Fact::Deposited(amount) => *balance + amount,
                Fact::Withdrawn(amount) => balance.checked_sub(amount).unwrap_or_else(|| {
                    broken.push((Rule::NotOverdrawn, format!("{account} gives {amount} of {balance}")));
                    0
                }),
            };
        }
        let outcomes: Vec<Outcome> =
            self.read("command-results").iter().map(|(_, json)| Json.decode(Some(json)).expect("an outcome")).collect();
        let decided: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.replayed).collect();
        let succeeded = decided.iter().filter(|outcome| outcome.state == CommandState::Succeeded).count();
        let keys: BTreeSet<(&String, String)> = self.sent.iter().map(|(account, json)| (account, key_of(json))).collect();
        for (rule, found, expected) in [
            (Rule::Answered, outcomes.len(), self.sent.len()),
            (Rule::OneEvent, events.len(), succeeded),
            (Rule::OneDecision, decided.len(), keys.len()),
            (Rule::ComesBack, self.unread(), 0),
        ] {
            if found != expected {
                broken.push((rule, format!("there are {found}, not {expected}")));
            }
        }
        broken
    }

    /// Of how many accounts the handler still waits for events.
    fn unread(&self) -> usize {
        let changelog = self.program.names.changelog("account-unread");
        let of_task = |task: TaskId| {
            let rows = self.program.cluster.read_all(&changelog, task.partition, Isolation::ReadCommitted);
            let last: BTreeMap<_, _> = rows.into_iter().filter_map(|row| Some((row.key?, row.value))).collect();
            last.values().filter(|value| value.is_some()).count()
        };
        self.program.tasks().map(of_task).sum()
    }
}

/// By what a command is known.
fn key_of(json: &str) -> String {
    let read: serde_json::Value = serde_json::from_str(json).expect("it was written here");
    if read["idempotencyKey"].is_null() { format!("id {}", read["commandId"]) } else { read["idempotencyKey"].to_string() }
}

/// A town in which all that was sent has been read. With resets the senders' clocks are late, too.
fn run(seed: u64, sabotage: Option<Sabotage>, resets: bool) -> Town {
    let mut town = Town::new(seed, sabotage);
    town.late_ms = if resets { 60_000 } else { 0 };
    town.program.cluster.set_faults(if seed.is_multiple_of(2) { Faults::chaos() } else { Faults::none() });
    for _ in 0..town.rng.usize(100..400) {
        (0..town.rng.usize(0..3)).for_each(|_| town.send());
        if town.rng.usize(0..60) == 0 {
            town.crash();
        }
        if resets && town.rng.usize(0..100) == 0 {
            town.reset();
        }
        town.step();
    }
    town.program.cluster.set_faults(Faults::none());
    for _ in 0..3_000 {
        town.program.cluster.deliver_late();
        town.step();
        if town.is_done() {
            return town;
        }
    }
    panic!("seed {seed}: not everything was read\n{}", town.program.cluster.trace().join("\n"));
}

#[test]
fn each_key_is_decided_once_through_crashes_and_takeovers() {
    let (mut crashes, mut sent) = (0, 0);
    for seed in SEEDS {
        let town = run(seed, None, false);
        assert!(town.broken().is_empty(), "seed {seed}: {:?}", town.broken());
        (crashes, sent) = (crashes + town.crashes, sent + town.sent.len());
    }
    println!("{crashes} crashes, {sent} commands");
    assert!(crashes > 100, "there were only {crashes} crashes");
}

#[test]
fn what_was_decided_before_a_reset_is_not_decided_again() {
    let (mut resets, mut sent) = (0, 0);
    for seed in SEEDS {
        let town = run(seed, None, true);
        assert!(town.broken().is_empty(), "seed {seed}: {:?}", town.broken());
        (resets, sent) = (resets + town.resets, sent + town.sent.len());
    }
    println!("{resets} resets, {sent} commands");
    assert!(resets > 40, "there were only {resets} resets");
}

/// A rule that is broken on purpose must be found, by each of these alone.
fn is_found(sabotage: Sabotage, resets: bool, rules: &[Rule]) {
    let mut blind = rules.to_vec();
    for seed in SEEDS {
        for (rule, words) in run(seed, Some(sabotage), resets).broken() {
            if let Some(at) = blind.iter().position(|blind| *blind == rule) {
                println!("| {rule:?} | {sabotage:?} | {seed} | {words}");
                blind.remove(at);
            }
        }
        if blind.is_empty() {
            return;
        }
    }
    panic!("{sabotage:?} went unnoticed through {SEEDS:?}: {blind:?} are blind to it");
}

#[test]
fn a_handler_that_forgets_its_unread_events_is_found() {
    is_found(Sabotage::ForgetUnreadEvents, false, &[Rule::NoGaps, Rule::NotOverdrawn]);
}

#[test]
fn a_handler_that_forgets_the_commands_that_it_has_seen_is_found() {
    is_found(Sabotage::ForgetSeenCommands, false, &[Rule::NoDouble, Rule::OneDecision]);
}

#[test]
fn a_reset_that_gives_up_the_place_in_commands_is_found() {
    is_found(Sabotage::ForgetPlaceInCommands, true, &[Rule::NoDouble, Rule::OneDecision]);
}

#[test]
fn commands_that_go_on_before_the_log_was_read_again_are_found() {
    is_found(Sabotage::DecideBeforeTheReplay, true, &[Rule::NoGaps]);
}
