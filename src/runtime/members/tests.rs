//! Several tables over one log, driven by hand.

use std::time::Duration;

use super::record::{MemberRecord, MemberTaskState};
use super::table::MemberTable;
use super::{GONE_AFTER, HEARTBEAT, MemberIdentity};
use crate::query::{InstanceId, TaskOwner};
use crate::topology::TaskId;

const STEP: Duration = Duration::from_millis(50);

fn task(partition: i32) -> TaskId {
    TaskId { subtopology: "orders".into(), partition }
}

fn table(name: &str, run: u32) -> MemberTable {
    MemberTable::new(MemberIdentity {
        instance: InstanceId(name.into()),
        url: format!("http://{name}:1").into(),
        version: "1".into(),
        run: format!("{name}-{run}"),
    })
}

fn active(name: &str) -> TaskOwner {
    TaskOwner::Active { instance: InstanceId(name.into()), url: format!("http://{name}:1").into() }
}

fn restoring(name: &str) -> TaskOwner {
    TaskOwner::Restoring { instance: InstanceId(name.into()), url: format!("http://{name}:1").into() }
}

/// A process: its table, its own clock, and how far it has read.
struct Process {
    name: &'static str,
    table: MemberTable,
    /// What this process' clock shows when the world's shows 0: no two agree.
    clock_at_zero: Duration,
    read: usize,
}

/// Processes and the log between them.
#[derive(Default)]
struct World {
    log: Vec<(String, Option<Vec<u8>>)>,
    now: Duration,
    processes: Vec<Process>,
}

impl World {
    fn start(&mut self, name: &'static str, run: u32) {
        let clock_at_zero = Duration::from_secs(1_000 * (1 + self.processes.len() as u64));
        self.stop(name);
        self.processes.push(Process { name, table: table(name, run), clock_at_zero, read: 0 });
    }

    /// Ends at once, without a farewell.
    fn stop(&mut self, name: &str) {
        self.processes.retain(|process| process.name != name);
    }

    fn leave(&mut self, name: &str) {
        self.stop(name);
        self.log.push((name.to_string(), None));
    }

    fn process(&mut self, name: &str) -> (&mut Process, Duration) {
        let now = self.now;
        let process = self.processes.iter_mut().find(|process| process.name == name).expect("was started");
        let own_now = process.clock_at_zero + now;
        (process, own_now)
    }

    fn hold(&mut self, name: &str, tasks: &[(i32, MemberTaskState)]) {
        self.process(name).0.table.hold(tasks.iter().map(|(partition, state)| (task(*partition), *state)));
    }

    fn has(&mut self, name: &str, partitions: &[i32]) {
        let tasks: Vec<_> = partitions.iter().map(|partition| (*partition, MemberTaskState::Active)).collect();
        self.hold(name, &tasks);
    }

    fn publish(&mut self, name: &str) -> bool {
        let (process, now) = self.process(name);
        let record = process.table.due(now);
        let is_due = record.is_some();
        self.log.extend(record.map(|record| (name.to_string(), Some(record.encode()))));
        is_due
    }

    fn read(&mut self, name: &str) {
        let log = std::mem::take(&mut self.log);
        let (process, now) = self.process(name);
        for (offset, (key, value)) in log.iter().enumerate().skip(process.read) {
            process.table.receive(offset as i64, key.as_bytes(), value.as_deref(), now);
        }
        process.read = log.len();
        process.table.tidy(now);
        self.log = log;
    }

    fn tick(&mut self, name: &str) {
        self.publish(name);
        self.read(name);
    }

    /// Time passes, in which these processes work.
    fn pass(&mut self, time: Duration, working: &[&str]) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            working.iter().for_each(|name| self.tick(name));
        }
    }

    fn owner(&mut self, asked: &str, partition: i32) -> TaskOwner {
        let (process, now) = self.process(asked);
        process.table.owner(&task(partition), now)
    }

    fn members(&mut self, asked: &str) -> Vec<String> {
        let (process, now) = self.process(asked);
        process.table.rows(now).into_iter().map(|row| row.instance.0.to_string()).collect()
    }
}

/// Two that know each other: a has task 0, b has task 1.
fn pair() -> World {
    let mut world = World::default();
    world.start("a", 1);
    world.start("b", 1);
    world.has("a", &[0]);
    world.has("b", &[1]);
    world.pass(HEARTBEAT * 2, &["a", "b"]);
    world
}

#[test]
fn each_finds_the_others_tasks() {
    let mut world = pair();
    assert_eq!((world.owner("a", 1), world.owner("b", 0)), (active("b"), active("a")));
    assert_eq!((world.owner("a", 0), world.owner("a", 7)), (TaskOwner::Unknown, TaskOwner::Unknown));
    assert_eq!(world.members("a"), ["a", "b"]);
}

#[test]
fn a_change_is_published_at_once_and_else_only_the_heartbeat() {
    let mut world = pair();
    assert!(!world.publish("a"));
    world.hold("a", &[(0, MemberTaskState::Active), (2, MemberTaskState::Restoring)]);
    assert!(world.publish("a") && !world.publish("a"));
    world.read("b");
    assert_eq!((world.owner("b", 2), world.owner("a", 2)), (restoring("a"), restoring("a")));
    world.has("a", &[0, 2]);
    assert!(world.publish("a"));
    world.read("b");
    assert_eq!(world.owner("b", 2), active("a"));
    world.now += HEARTBEAT;
    assert!(world.publish("a") && !world.publish("a"));
}

#[test]
fn what_lay_in_the_log_before_proves_nothing_until_it_is_renewed() {
    let mut world = pair();
    // Nobody tells how long ago the log was written: it may be a day.
    world.start("c", 1);
    world.read("c");
    assert_eq!(world.owner("c", 0), TaskOwner::Unknown);
    world.tick("c");
    assert_eq!((world.owner("c", 0), world.members("c")), (TaskOwner::Unknown, vec!["c".to_string()]));
    world.pass(HEARTBEAT + STEP, &["a", "b", "c"]);
    assert_eq!((world.owner("c", 0), world.owner("c", 1)), (active("a"), active("b")));
}

#[test]
fn a_silent_member_is_gone_within_the_bound() {
    let mut world = pair();
    world.stop("b");
    world.pass(GONE_AFTER + HEARTBEAT, &["a"]);
    assert_eq!((world.owner("a", 1), world.members("a")), (TaskOwner::Unknown, vec!["a".to_string()]));
}

#[test]
fn who_cannot_reach_kafka_believes_nobody_after_the_bound() {
    let mut world = pair();
    world.pass(GONE_AFTER + STEP, &[]);
    assert_eq!(world.owner("a", 1), TaskOwner::Unknown);
    // The records that waited meanwhile are old: what they say counts only behind a record of its own.
    world.publish("b");
    world.read("a");
    assert_eq!(world.owner("a", 1), TaskOwner::Unknown);
    world.pass(HEARTBEAT * 2, &["a", "b"]);
    assert_eq!(world.owner("a", 1), active("b"));
}

#[test]
fn a_tombstone_takes_a_member_out_at_once() {
    let mut world = pair();
    world.leave("b");
    world.read("a");
    assert_eq!((world.owner("a", 1), world.members("a")), (TaskOwner::Unknown, vec!["a".to_string()]));
}

#[test]
fn of_two_claims_the_one_that_began_last_wins_whoever_was_heard_last() {
    let mut world = pair();
    world.start("c", 1);
    world.pass(HEARTBEAT * 2, &["a", "b", "c"]);
    // b failed: it processes nothing any more, but its state can still be read and it still says so. c was given the task.
    world.has("c", &[1]);
    world.pass(STEP, &["c", "a"]);
    for _ in 0..60 {
        world.pass(STEP, &["c", "b", "a"]);
        assert_eq!(world.owner("a", 1), active("c"));
    }
    // One that starts now has not seen who came first.
    world.start("d", 1);
    world.pass(HEARTBEAT * 2, &["a", "b", "c", "d"]);
    assert_eq!(world.owner("d", 1), active("c"));
}

#[test]
fn a_claim_from_before_the_own_release_counts_only_once_renewed() {
    let mut world = pair();
    world.start("c", 1);
    world.pass(HEARTBEAT * 2, &["a", "b", "c"]);
    // b is dead and the task came to a, which hands it to c before b counts as gone.
    world.stop("b");
    world.has("a", &[0, 1]);
    world.pass(STEP, &["a", "c"]);
    world.has("a", &[0]);
    assert_eq!(world.owner("a", 1), TaskOwner::Unknown, "its own release is not in the log yet");
    world.pass(STEP, &["a", "c"]);
    assert_eq!(world.owner("a", 1), TaskOwner::Unknown, "b's claim is older than the release");
    world.has("c", &[1]);
    world.pass(STEP, &["c", "a"]);
    assert_eq!(world.owner("a", 1), active("c"));
}

#[test]
fn a_restarted_process_does_not_believe_what_was_said_before_it() {
    let mut world = pair();
    world.start("a", 2);
    world.tick("a");
    assert_eq!(world.owner("a", 1), TaskOwner::Unknown);
    world.read("b");
    assert_eq!(world.owner("b", 0), TaskOwner::Unknown, "its new process has no task");
    world.pass(HEARTBEAT + STEP, &["a", "b"]);
    assert_eq!(world.owner("a", 1), active("b"));
}

#[test]
fn a_late_copy_of_a_record_and_what_is_no_record_change_nothing() {
    let mut world = pair();
    let early = world.log.iter().find(|(key, _)| key == "b").cloned().unwrap();
    world.has("b", &[]);
    world.tick("b");
    world.log.push(early);
    world.log.push(("x".into(), Some(b"not ours".to_vec())));
    world.read("a");
    assert_eq!((world.owner("a", 1), world.members("a")), (TaskOwner::Unknown, vec!["a".to_string(), "b".to_string()]));
}

/// From a seed: tasks move, processes read late, die and restart. Whoever follows redirects at one moment never comes to the same
/// process twice, and when all is quiet finds every task with at most one.
#[test]
fn redirects_never_go_in_circles() {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    const TASKS: i32 = 5;
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = World::default();
        NAMES.iter().for_each(|name| world.start(name, 0));
        let mut owners: Vec<Option<&str>> = vec![None; TASKS as usize];
        let mut redirects = 0;
        for round in 1..400 {
            world.now += Duration::from_millis(rng.u64(1..400));
            let name = NAMES[rng.usize(..NAMES.len())];
            match rng.u32(..20) {
                0 => {
                    world.start(name, round);
                    owners.iter_mut().filter(|owner| **owner == Some(name)).for_each(|owner| *owner = None);
                }
                1..=5 => owners[rng.usize(..TASKS as usize)] = rng.bool().then_some(name),
                6..=12 => _ = world.publish(name),
                _ => world.read(name),
            }
            for name in NAMES {
                let own: Vec<i32> = (0..TASKS).filter(|partition| owners[*partition as usize] == Some(name)).collect();
                world.has(name, &own);
            }
            for partition in 0..TASKS {
                for first in NAMES {
                    let mut passed = vec![first];
                    let mut at = first;
                    while owners[partition as usize] != Some(at)
                        && let TaskOwner::Active { instance, .. } = world.owner(at, partition)
                    {
                        at = *NAMES.iter().find(|name| **name == &*instance.0).unwrap();
                        assert!(!passed.contains(&at), "seed {seed}, round {round}: {passed:?} and again {at}");
                        passed.push(at);
                        redirects += 1;
                    }
                }
            }
        }
        assert!(redirects > 100, "seed {seed} shows nothing");
        world.pass(GONE_AFTER + HEARTBEAT, &NAMES);
        for partition in 0..TASKS {
            for name in NAMES.into_iter().filter(|name| owners[partition as usize] != Some(name)) {
                let expected = owners[partition as usize].map_or(TaskOwner::Unknown, active);
                assert_eq!(world.owner(name, partition), expected, "seed {seed}");
            }
        }
    }
}

#[test]
fn records_that_nobody_reads_back_do_not_pile_up() {
    let mut table = table("a", 1);
    for second in 0..10_000 {
        table.due(Duration::from_secs(second));
    }
    assert_eq!(table.own_unread(), 64);
    let decoded = MemberRecord::decode(&table.due(Duration::from_secs(20_000)).unwrap().encode()).unwrap();
    assert_eq!(decoded.sequence, 10_000 / HEARTBEAT.as_secs());
}

#[test]
fn a_process_with_our_id_is_a_rival_only_while_it_writes_behind_us() {
    let now = |seconds| Duration::from_secs(seconds);
    let (mut former, mut ours, mut rival) = (table("a", 1), table("a", 2), table("a", 3));
    let record = |table: &mut MemberTable, at| table.due(at).unwrap().encode();
    // What lies before our first word is of a process that may be long gone.
    ours.receive(0, b"a", Some(&record(&mut former, now(1))), now(10));
    assert!(!ours.has_rival(now(10)));
    let word = record(&mut ours, now(10));
    ours.receive(1, b"a", Some(&word), now(10));
    ours.receive(2, b"a", None, now(11));
    assert!(!ours.has_rival(now(11)), "a farewell");
    ours.receive(3, b"a", Some(&record(&mut rival, now(1))), now(12));
    assert!(ours.has_rival(now(12)) && ours.has_rival(now(12) + GONE_AFTER));
    assert!(!ours.has_rival(now(13) + GONE_AFTER), "it is silent");
}
