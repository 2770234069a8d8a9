//! Orders written by an independent producer, served by real instances, compared with a separate fold of the log.

use std::thread;
use std::time::Duration;

use fastrand::Rng;

use crate::support::{Instance, PATIENCE, Run, eventually_served};

const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// A seed to run again with: `VIEWMILL_TEST_SEED`, else a new one.
fn seed() -> u64 {
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
    producing.finish();
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
    first.pause();
    thread::sleep(Duration::from_secs(15));
    first.resume();
    assert_eq!(first.try_get("/livez").unwrap().status, 200, "it lives on after the pause");
    producing.finish();
    let expected = run.fold();
    eventually_served(&expected, &mut [&mut first, &mut second], PATIENCE);

    first.kill();
    eventually_served(&expected, &mut [&mut second], PATIENCE);
}
