//! The cases that use librdkafka by the crate that the engine uses.

mod administration;
mod groups;
mod records;
mod transactions;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::kit::Kit;
use crate::outcome::Outcome;

/// What must hold of any broker; it panics where it does not.
pub struct Case {
    name: &'static str,
    body: fn(&Kit),
}

/// A row of a table of cases.
const fn case(name: &'static str, body: fn(&Kit)) -> Case {
    Case { name, body }
}

const AT_ONCE: usize = 4;

/// Runs the cases whose names contain the text.
pub fn run(address: &str, only: &str) -> Vec<Outcome> {
    let tables = [transactions::CASES, groups::CASES, records::CASES, administration::CASES];
    let chosen: Vec<&Case> = tables.into_iter().flatten().filter(|case| case.name.contains(only)).collect();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run_one(case, address);
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

fn run_one(case: &Case, address: &str) -> Outcome {
    let began = Instant::now();
    let kit = Kit::new(address, case.name);
    let ended = catch_unwind(AssertUnwindSafe(|| (case.body)(&kit)));
    let failure = ended.err().map(|panic| {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_else(|| "a panic without a text".to_owned())
    });
    Outcome { name: case.name.to_owned(), seconds: began.elapsed().as_secs_f64(), failure }
}
