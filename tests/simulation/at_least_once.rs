//! The engine without transactions on a fake cluster, from a seed: processes that end in the middle of any call, records of dead clients
//! that arrive late, members that are evicted, stopped or moved, disks that are lost.
//!
//! Two kinds of worlds. Where disks are kept and nobody is stopped beyond its session, what a process serves and what a restore would make is
//! exactly what the input before the marker makes: nothing counts twice. Everywhere else nothing is lost: at least once.

mod process;
mod rules;
mod world;

use super::sabotages::SEEDS;
use crate::faults::Sabotage;
use world::{Tally, Weather, World};

fn run_seed(seed: u64, weather: Weather, sabotage: Option<Sabotage>) -> Result<Tally, String> {
    let mut world = World::new(seed, weather, sabotage);
    world.run().map_err(|broken| format!("seed {seed}: {broken}\nlast steps:\n  {}", world.trace().join("\n  ")))
}

/// So many seeds, or as many as `VIEWMILL_SIMULATION_SEEDS` says.
fn run_all(weather: Weather, count: u64) -> Tally {
    let mut total = Tally::default();
    let all = super::seeds();
    let last = if std::env::var_os("VIEWMILL_SIMULATION_SEEDS").is_some() { all.end } else { all.start + count };
    for seed in all.start..last {
        match run_seed(seed, weather, None) {
            Ok(tally) => total.add(&tally),
            Err(broken) => panic!("{broken}"),
        }
    }
    println!("{weather:?}: {total:?}");
    total
}

#[test]
fn on_disks_that_are_kept_each_record_counts_once() {
    let total = run_all(Weather::KeptDisks, 100);
    assert!(total.crashes > 0 && total.commits > 0 && total.failed_commits > 0, "it does what it is for: {total:?}");
    assert_eq!(total.transactions, 0, "there are none");
}

#[test]
fn when_disks_are_lost_and_processes_stopped_no_record_is_lost() {
    let total = run_all(Weather::LostDisks, 100);
    assert!(total.crashes > 0 && total.restores > 0 && total.pauses > 0, "it does what it is for: {total:?}");
}

#[test]
fn the_guarantee_may_change_both_ways_and_the_state_stays() {
    let total = run_all(Weather::Switched, 50);
    assert!(total.transactions > 0 && total.commits > total.transactions, "it worked in both ways: {total:?}");
}

/// A rule that is broken on purpose must be found.
fn is_found(weather: Weather, sabotage: Sabotage) {
    let found = (0..SEEDS).find(|seed| run_seed(*seed, weather, Some(sabotage)).is_err());
    println!("{sabotage:?} found by seed {found:?}");
    assert!(found.is_some(), "{sabotage:?} went unnoticed through {SEEDS} seeds: the simulation is blind to it");
}

#[test]
fn rows_applied_before_they_are_acknowledged_are_found() {
    is_found(Weather::KeptDisks, Sabotage::ApplyBeforeCommit);
}

#[test]
fn offsets_committed_before_the_rows_are_written_are_found() {
    is_found(Weather::KeptDisks, Sabotage::CommitOffsetsBeforeRows);
}

#[test]
fn rows_that_nobody_finished_and_nobody_wrote_over_are_found() {
    is_found(Weather::KeptDisks, Sabotage::LeaveUnfinishedRows);
}

/// After a change from exactly once, a process works for the first time without transactions, and ends in any call of that; then it is
/// exactly once again.
fn changed_and_ended(sabotage: Option<Sabotage>) -> Result<usize, String> {
    let ends = (0..).map(|calls| {
        let mut world = World::new(calls, Weather::Switched, sabotage);
        world.change_and_end_after(calls).map_err(|broken| format!("ended after {calls} calls: {broken}\n  {}", world.trace().join("\n  ")))
    });
    // Until it was not ended any more.
    ends.take_while(|ended| *ended != Ok(false)).try_fold(0, |count, ended| ended.map(|_| count + 1))
}

#[test]
fn what_a_first_attempt_without_transactions_leaves_is_known_to_a_process_with_them() {
    let ends = changed_and_ended(None).unwrap_or_else(|broken| panic!("{broken}"));
    assert!(ends > 20, "{ends} places to end");
}

#[test]
fn rows_behind_a_marker_that_does_not_tell_of_them_are_found() {
    changed_and_ended(Some(Sabotage::AnnounceNothing)).unwrap_err();
}

#[test]
fn a_task_that_goes_on_though_somebody_else_writes_to_its_logs_is_found() {
    is_found(Weather::KeptDisks, Sabotage::IgnoreOtherWriters);
}
