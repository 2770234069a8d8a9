//! Orders written by an independent producer, served by real instances, compared with a separate fold of the log.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::support::{Instance, LOOK_INTERVAL, PATIENCE, Run, eventually_served};

const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// A hand-over takes two rebalances and the opening of the tasks: well below the session time-out, after which a lost member's tasks go
/// to others.
const HAND_OVER_LIMIT: Duration = Duration::from_secs(9);

/// The four tasks of the order application.
const TASKS: usize = 8;

/// A seed to run again with: `VIEWMILL_TEST_SEED`, else a new one.
pub fn seed() -> u64 {
    let seed = std::env::var("VIEWMILL_TEST_SEED").map_or_else(|_| fastrand::u64(..1 << 32), |text| text.parse().unwrap());
    println!("VIEWMILL_TEST_SEED={seed}");
    seed
}

#[test]
fn every_served_order_equals_a_separate_fold_of_the_log() {
    let run = Run::new("fold");
    run.begin_producing(20_000, seed(), None).finish();
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    eventually_served(&run.fold(), &mut [&mut instance], PATIENCE);
    assert!(instance.terminate(DRAIN_LIMIT).success(), "a drained instance ends with 0");
}

#[test]
fn killed_at_random_moments_each_event_counts_once() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let run = Run::new("kill");
    let mut producing = run.begin_producing(20_000, seed, Some(2_500));
    let mut instance = Instance::start(&run, "a", &[]);
    let mut at_work = 0;
    for _ in 0..10 {
        instance.wait_ready();
        // The random moment, not a wait for something.
        thread::sleep(Duration::from_millis(rng.u64(..1500)));
        at_work += usize::from(producing.runs());
        instance.kill();
        instance = Instance::start(&run, "a", &[]);
    }
    producing.finish_at_once();
    println!("{at_work} of 10 kills while events came");
    assert!(at_work >= 5, "kills of an idle instance show little: produce more, or more slowly");
    let expected = run.fold();
    eventually_served(&expected, &mut [&mut instance], PATIENCE);

    instance.kill();
    instance.forget_state();
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    eventually_served(&expected, &mut [&mut instance], PATIENCE);
}

#[test]
fn two_instances_share_the_tasks_and_take_over_from_each_other() {
    let run = Run::new("pair");
    let producing = run.begin_producing(20_000, seed(), Some(4_000));
    let mut first = Instance::start(&run, "a", &[]);
    let mut second = Instance::start(&run, "b", &[]);
    first.wait_ready();
    second.wait_ready();
    // Longer than the session time-out: the others take its tasks over, and what it does when it wakes must be refused.
    first.pause_beyond_the_session();
    producing.finish();
    let expected = run.fold();
    eventually_served(&expected, &mut [&mut first, &mut second], PATIENCE);

    first.kill();
    eventually_served(&expected, &mut [&mut second], PATIENCE);
}

#[test]
fn tasks_move_between_threads_and_processes_and_a_drained_instance_hands_over_at_once() {
    let run = Run::new("move");
    let producing = run.begin_producing(10_000, seed(), Some(2_500));
    let threads = [("VIEWMILL__PROCESSING__STREAM_THREADS", "2")];
    let mut first = Instance::start(&run, "a", &threads);
    first.wait_ready();
    wait_for_tasks(&mut first, "both threads have tasks", PATIENCE, |tasks| tasks == [4, 4]);
    let mut second = Instance::start(&run, "b", &threads);
    wait_for_tasks(&mut second, "the second has its share", PATIENCE, |tasks| tasks == [2, 2]);
    wait_for_tasks(&mut first, "the first has the rest", HAND_OVER_LIMIT, |tasks| tasks == [2, 2]);
    assert!(second.terminate(DRAIN_LIMIT).success(), "a drained instance ends with 0");
    wait_for_tasks(&mut first, "the first has all again", HAND_OVER_LIMIT, |tasks| tasks.iter().sum::<usize>() == TASKS);
    // Back again, on the state that it left, and then alone.
    let mut second = Instance::start(&run, "b", &threads);
    second.wait_ready();
    wait_for_tasks(&mut second, "the second has its share", PATIENCE, |tasks| !tasks.is_empty());
    assert!(first.terminate(DRAIN_LIMIT).success(), "a drained instance ends with 0");
    wait_for_tasks(&mut second, "the second has all", HAND_OVER_LIMIT, |tasks| tasks.iter().sum::<usize>() == TASKS);
    producing.finish();
    eventually_served(&run.fold(), &mut [&mut second], PATIENCE);
    assert!(second.terminate(DRAIN_LIMIT).success(), "a drained instance ends with 0");
}

#[test]
fn transactions_of_threads_that_are_gone_are_ended_at_the_start() {
    let run = Run::new("fewer");
    let producing = run.begin_producing(10_000, seed(), Some(5_000));
    // Long transactions, so that a kill leaves some open.
    let settings = |threads| [("VIEWMILL__PROCESSING__STREAM_THREADS", threads), ("VIEWMILL__PROCESSING__COMMIT_INTERVAL_MS", "4000")];
    let mut instance = Instance::start(&run, "a", &settings("4"));
    instance.wait_ready();
    thread::sleep(Duration::from_secs(1));
    instance.kill();
    let mut instance = Instance::start(&run, "a", &settings("1"));
    instance.wait_ready();
    let ended: Vec<usize> = (1..=5).filter(|thread| instance.log_has(&format!("left open thread={thread}"))).collect();
    assert_eq!(ended, [2, 3, 4]);
    producing.finish();
    eventually_served(&run.fold(), &mut [&mut instance], PATIENCE);
}

/// Waits until the numbers of active tasks by thread are as wanted.
fn wait_for_tasks(instance: &mut Instance, what: &str, within: Duration, wanted: impl Fn(&[usize]) -> bool) {
    let deadline = Instant::now() + within;
    loop {
        let body = instance.try_get("/v1/tasks?scope=local").map(|response| response.body).unwrap_or_default();
        let mut threads: std::collections::BTreeMap<String, usize> = Default::default();
        for task in serde_json::from_str::<serde_json::Value>(&body).unwrap_or_default()["tasks"].as_array().into_iter().flatten() {
            if task["state"] == "active" {
                *threads.entry(task["thread"].to_string()).or_default() += 1;
            }
        }
        if wanted(&threads.into_values().collect::<Vec<_>>()) {
            return;
        }
        assert!(Instant::now() < deadline, "not after {within:?}: {what}; {body}");
        thread::sleep(LOOK_INTERVAL);
    }
}
