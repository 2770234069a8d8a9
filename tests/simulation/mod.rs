//! The engine on a fake cluster, from a seed: crashes, aborts, fences, indefinite commits, pauses and rebalances at random
//! steps. After each stretch of steps the rules are checked; a broken one prints the seed and what had happened.
//!
//! It is compiled into the library's unit tests (`cargo test --release simulation`), where the faults on purpose are.

mod measures;
mod moving;
mod ordering;
mod poison;
mod process;
mod rules;
mod upgrade;
mod world;

use crate::faults::Sabotage;
use world::World;

/// How many seeds a run goes through; more with `VIEWMILL_SIMULATION_SEEDS`.
fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("VIEWMILL_SIMULATION_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000);
    let first = std::env::var("VIEWMILL_SIMULATION_FIRST").ok().and_then(|first| first.parse().ok()).unwrap_or(0);
    first..first + count
}

fn run_seed(seed: u64, sabotage: Option<Sabotage>) -> Result<world::Tally, String> {
    let mut world = World::new(seed, sabotage);
    world.run().map_err(|broken| format!("seed {seed}: {broken}\nlast steps:\n  {}", world.trace().join("\n  ")))
}

#[test]
fn every_seed_keeps_the_rules() {
    let mut total = world::Tally::default();
    for seed in seeds() {
        match run_seed(seed, None) {
            Ok(tally) => total.add(&tally),
            Err(broken) => panic!("{broken}"),
        }
    }
    println!("{} seeds: {total:?}", seeds().count());
    assert!(total.crashes > 0 && total.restores > 0 && total.pauses > 0, "the simulation does what it is for: {total:?}");
}

/// A rule that is broken on purpose must be found within so many seeds.
fn is_found(sabotage: Sabotage) {
    let found = (0..300).find(|seed| run_seed(*seed, Some(sabotage)).is_err());
    println!("{sabotage:?} found by seed {found:?}");
    assert!(found.is_some(), "{sabotage:?} went unnoticed through 300 seeds: the simulation is blind to it");
}

#[test]
fn rows_applied_before_the_commit_are_found() {
    is_found(Sabotage::ApplyBeforeCommit);
}

#[test]
fn rows_kept_after_an_abort_are_found() {
    is_found(Sabotage::KeepRowsOnAbort);
}

#[test]
fn tasks_kept_over_a_missed_generation_are_found() {
    is_found(Sabotage::KeepTasksOverMissedGeneration);
}

#[test]
fn an_indefinite_commit_taken_for_an_abort_is_found() {
    is_found(Sabotage::TakeIndefiniteForAborted);
}
