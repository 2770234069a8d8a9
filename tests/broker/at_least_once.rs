//! `processing.guarantee = "at_least_once"` on a real Kafka: without transactions, nothing is lost, and state on one disk counts nothing twice.

use std::thread;
use std::time::Duration;

use fastrand::Rng;

use crate::spine::seed;
use crate::support::{Instance, PATIENCE, Run, eventually_served};

const DRAIN_LIMIT: Duration = Duration::from_secs(30);

const PLAIN: (&str, &str) = ("VIEWMILL__PROCESSING__GUARANTEE", "at_least_once");
const EXACT: (&str, &str) = ("VIEWMILL__PROCESSING__GUARANTEE", "exactly_once");

#[test]
fn killed_at_random_moments_and_on_its_disk_each_event_counts_once() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let run = Run::new("alo-kill");
    let mut producing = run.begin_producing(10_000, seed, Some(800));
    let mut instance = Instance::start(&run, "a", &[PLAIN]);
    let mut at_work = 0;
    for _ in 0..10 {
        instance.wait_ready();
        // The random moment, not a wait for something.
        thread::sleep(Duration::from_millis(rng.u64(..1500)));
        at_work += usize::from(producing.runs());
        instance.kill();
        instance = Instance::start(&run, "a", &[PLAIN]);
    }
    producing.finish_at_once();
    println!("{at_work} of 10 kills while events came");
    assert!(at_work >= 5, "kills of an idle instance show little: produce more, or more slowly");
    let expected = run.fold();
    eventually_served(&expected, &mut [&mut instance], PATIENCE);
    assert!(instance.metric("viewmill_consumer_commits_total", &[r#"result="committed""#]) > 0.0);
    assert_eq!(instance.metric("viewmill_transactions_total", &[]), 0.0, "there are no transactions");
    for decision in ["restore", "set_aside"] {
        let decision = format!("decision=\"{decision}\"");
        assert_eq!(instance.metric("viewmill_task_starts_total", &[&decision]), 0.0, "its disk is as it was left");
    }

    // What the killed ones left in the changelogs does not count twice in a restore either.
    instance.kill();
    instance.forget_state();
    let mut instance = Instance::start(&run, "a", &[PLAIN]);
    instance.wait_ready();
    eventually_served(&expected, &mut [&mut instance], PATIENCE);
    assert!(instance.terminate(DRAIN_LIMIT).success(), "a drained instance ends with 0");
}

#[test]
fn stopped_killed_and_without_its_disk_no_event_is_lost() {
    let run = Run::new("alo-pair");
    let producing = run.begin_producing(10_000, seed(), Some(2_500));
    let mut first = Instance::start(&run, "a", &[PLAIN]);
    let mut second = Instance::start(&run, "b", &[PLAIN]);
    first.wait_ready();
    second.wait_ready();
    // Longer than the session time-out: the other takes its tasks over, and nothing fences what it does when it wakes.
    first.pause_beyond_the_session();
    second.kill();
    second.forget_state();
    let mut second = Instance::start(&run, "b", &[PLAIN]);
    second.wait_ready();
    producing.finish();
    let expected = run.fold();
    eventually_served(&expected, &mut [&mut first, &mut second], PATIENCE);

    first.kill();
    eventually_served(&expected, &mut [&mut second], PATIENCE);
}

#[test]
fn the_guarantee_may_change_both_ways_and_the_state_stays() {
    let run = Run::new("alo-switch");
    let mut producing = run.begin_producing(12_000, seed(), Some(800));
    let mut instance = Instance::start(&run, "a", &[EXACT]);
    let mut while_it_runs = 0;
    for (at, guarantee) in [PLAIN, EXACT, PLAIN, EXACT].into_iter().enumerate() {
        instance.wait_ready();
        thread::sleep(Duration::from_secs(2));
        while_it_runs += usize::from(producing.runs());
        // Stopped as it should be, and killed.
        if at % 2 == 0 {
            assert!(instance.terminate(DRAIN_LIMIT).success(), "a drained instance ends with 0");
        } else {
            instance.kill();
        }
        instance = Instance::start(&run, "a", &[guarantee]);
    }
    assert!(while_it_runs >= 2, "changes while nothing happens show little");
    instance.wait_ready();
    producing.finish_at_once();
    let expected = run.fold();
    eventually_served(&expected, &mut [&mut instance], PATIENCE);
    for decision in ["restore", "set_aside", "refused"] {
        let decision = format!("decision=\"{decision}\"");
        assert_eq!(instance.metric("viewmill_task_starts_total", &[&decision]), 0.0, "the state on disk is used as it is");
    }
    instance.kill();
    instance.forget_state();
    let mut instance = Instance::start(&run, "a", &[EXACT]);
    instance.wait_ready();
    eventually_served(&expected, &mut [&mut instance], PATIENCE);
}
