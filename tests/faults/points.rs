//! kill -9 at every failpoint, with the state kept.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use fastrand::Rng;

use crate::races::scene::eventually;
use crate::support::{Instance, PATIENCE};
use crate::workload::{DRAIN_LIMIT, Kind, Workload};

/// How a point is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// In every commit.
    Commit,
    /// In the first commits of a thread: later ones foresee what this waits for.
    FirstCommits,
    /// When a transaction is given up: its commit is refused.
    Abort,
    /// In every start.
    Start,
    /// When state is restored from the changelogs.
    Restore,
    /// When a task gets a store and an index that it had not.
    Added,
}

/// All of them; docs/fault-tests.md says where each lies.
pub const POINTS: &[(&str, Reach)] = &[
    ("transaction-begun", Reach::Commit),
    ("commit-prepared", Reach::Commit),
    ("commit-changelogs-sent", Reach::Commit),
    ("commit-changelogs-flushed", Reach::FirstCommits),
    ("commit-markers-sent", Reach::Commit),
    ("commit-markers-flushed", Reach::Commit),
    ("commit-offsets-sent", Reach::Commit),
    ("commit-answered", Reach::Commit),
    ("commit-task-applied", Reach::Commit),
    ("commit-applied", Reach::Commit),
    ("abort-begun", Reach::Abort),
    ("abort-answered", Reach::Abort),
    ("producer-replacing", Reach::Start),
    ("producer-replaced", Reach::Start),
    ("restore-log-read", Reach::Start),
    ("restore-decided", Reach::Start),
    ("restore-opened", Reach::Start),
    ("restore-batch-applied", Reach::Restore),
    ("restore-rows-whole", Reach::Restore),
    ("restore-position-written", Reach::Restore),
    ("restore-index-step", Reach::Added),
    ("restore-replay-step", Reach::Added),
    ("fill-taken", Reach::Added),
];

/// Tasks that get the added store and index.
const TASKS_ADDED_TO: u32 = 3;

/// Longer than starting and five commits take.
const REACHED_WITHIN: Duration = Duration::from_secs(60);

const OFTEN: [(&str, &str); 2] =
    [("VIEWMILL__PROCESSING__COMMIT_INTERVAL_MS", "300"), ("VIEWMILL__PROCESSING__COMMIT_MIN_INTERVAL_MS", "300")];
const ADDED: (&str, &str) = ("FAULT_TOPOLOGIES_ADDED", "1");

#[test]
fn the_list_has_every_point_of_the_code_and_of_the_page() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut listed: Vec<&str> = POINTS.iter().map(|(name, _)| *name).collect();
    listed.sort_unstable();
    let page = std::fs::read_to_string(root.join("docs/fault-tests.md")).unwrap();
    let table = page.split("## Failpoints").nth(1).expect("the page has the table");
    let mut described: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    described.sort_unstable();
    assert_eq!(described, listed, "docs/fault-tests.md");
    let mut code = String::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.extension() {
                _ if entry.is_dir() => folders.push(entry),
                Some(extension) if extension == "rs" => code += &std::fs::read_to_string(entry).unwrap(),
                _ => {}
            }
        }
    }
    let mut set: Vec<&str> = code.split("faults::point(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    set.sort_unstable();
    // Both kinds of commit have the same.
    set.dedup();
    assert_eq!(set, listed, "src/");
}

#[test]
fn every_point_of_commit_and_start_may_be_the_last() {
    killed_at_points("points", &[Reach::Commit, Reach::FirstCommits, Reach::Start]);
}

#[test]
fn every_point_of_abort_and_restore_may_be_the_last() {
    killed_at_points("points-restore", &[Reach::Abort, Reach::Restore, Reach::Added]);
}

fn killed_at_points(name: &str, reached: &[Reach]) {
    let mut workload = Workload::new(name, Kind::Functions);
    let mut rng = Rng::with_seed(workload.seed);
    // Records come as long as points are waited for.
    workload.produce(12_000, Duration::from_secs(100));
    let mut instance = workload.start("a", &OFTEN);
    instance.wait_ready();
    crate::pausing::wait_for_commits(&mut instance, 3.0);
    // A task that has processed nothing has nothing to restore, and an added store of it nothing to be filled from.
    for partition in 0..TASKS_ADDED_TO {
        wait_until_processed(&mut instance, "numbers", partition);
    }
    assert!(instance.terminate(DRAIN_LIMIT).success(), "what it has processed is committed");
    // A task that a point lets pass has its added store for good: one must be left for each point that follows.
    let mut tasks = TASKS_ADDED_TO;
    let mut restored = false;
    for (point, reach) in POINTS.iter().filter(|(_, reach)| reached.contains(reach)) {
        if *reach == Reach::Added && !restored {
            // A task that is restored makes an added index of the rows that it loads, without the step that is waited for.
            let mut whole = workload.start("a", &OFTEN);
            whole.wait_ready();
            assert!(whole.terminate(DRAIN_LIMIT).success(), "all tasks are restored");
            restored = true;
        }
        let times = match reach {
            Reach::Commit => rng.u32(0..6),
            Reach::FirstCommits => rng.u32(0..3),
            // One refusal, one abort.
            Reach::Abort => 0,
            Reach::Start | Reach::Restore => rng.u32(0..2),
            Reach::Added => rng.u32(0..tasks.min(2)),
        };
        if *reach == Reach::Added {
            tasks -= times;
        }
        killed_at(&workload, point, *reach, times);
    }
    let settings: &[_] = if reached.contains(&Reach::Added) { &[OFTEN[0], OFTEN[1], ADDED] } else { &OFTEN };
    let mut instance = workload.start("a", settings);
    instance.wait_ready();
    workload.finish_producing();
    workload.assert_right(&mut [&mut instance]);
}

fn wait_until_processed(instance: &mut Instance, topic: &str, partition: u32) {
    let labels = [format!("{topic}\""), format!("partition=\"{partition}\"")];
    eventually("something of each partition to be processed", PATIENCE, || {
        let position = instance.metric_if_shown("viewmill_consumer_position_offset", &[&labels[0], &labels[1]]);
        position.filter(|position| *position >= 1.0).map(drop)
    });
}

/// Starts the instance, and waits until the point kills it when it was passed so many times.
fn killed_at(workload: &Workload, point: &str, reach: Reach, times: u32) {
    let refused = if reach == Reach::Abort { "commit-refused=1*off->1*return(refuse);" } else { "" };
    let points = format!("{refused}{point}={times}*off->return(kill)");
    let mut settings = vec![OFTEN[0], OFTEN[1], ("FAILPOINTS", points.as_str())];
    if reach == Reach::Added {
        settings.push(ADDED);
    }
    if reach == Reach::Restore {
        let mut instance = workload.start("a", &OFTEN);
        instance.kill();
        workload.forget_state(&mut instance, "a");
    }
    let mut instance = workload.start("a", &settings);
    let status = instance.ended_within(REACHED_WITHIN);
    assert_eq!(status.signal(), Some(9), "{point}: {status}");
    assert!(instance.log().contains(&format!("failpoint {point}: kill -9")), "{point}");
    println!("killed at {points}");
}
