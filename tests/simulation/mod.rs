//! The engine on a fake cluster, from a seed: crashes, aborts, fences, indefinite commits, pauses and rebalances at random
//! steps. After every step the rules are checked; a broken one prints the seed and what had happened.
//!
//! It is compiled into the library's unit tests (`cargo test --release simulation`), where the faults on purpose are.

mod application;
mod at_least_once;
mod commands;
mod disk;
mod fencing;
mod foresight;
mod history;
mod logs;
mod measures;
mod model;
mod moving;
mod ordering;
mod outputs;
mod poison;
mod positions;
mod process;
mod reader;
mod restoring;
mod rules;
mod running_sums;
mod sabotages;
mod spoil;
mod starting;
mod stopping;
mod tally;
mod upgrade;
mod world;

use crate::faults::Sabotage;
use rules::{Broken, Rule};
use tally::Tally;
use world::World;

/// How many seeds a run goes through; more with `VIEWMILL_SIMULATION_SEEDS`.
fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("VIEWMILL_SIMULATION_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000);
    let first = std::env::var("VIEWMILL_SIMULATION_FIRST").ok().and_then(|first| first.parse().ok()).unwrap_or(0);
    first..first + count
}

/// Runs a seed; what was broken comes with the last steps.
fn run_seed(seed: u64, sabotage: Option<Sabotage>, only: Option<Rule>) -> Result<Tally, (Broken, Vec<String>)> {
    let mut world = World::new(seed, sabotage, only);
    world.run().map_err(|broken| (broken, world.trace()))
}

#[test]
fn every_seed_keeps_the_rules() {
    let mut total = Tally::default();
    for seed in seeds() {
        match run_seed(seed, None, None) {
            Ok(tally) => total.add(&tally),
            Err((broken, trace)) => panic!("seed {seed}: {broken}\nlast steps:\n  {}", trace.join("\n  ")),
        }
    }
    println!("{} seeds: {total:?}", seeds().count());
    let happened = [total.crashes, total.restores, total.catch_ups, total.pauses, total.stops, total.moved_back];
    // A single seed that is run again need not have all of it.
    assert!(seeds().count() < 100 || happened.iter().all(|count| *count > 0), "the simulation does what it is for: {total:?}");
}
