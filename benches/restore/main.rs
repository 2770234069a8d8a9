//! How soon an instance is ready: after a clean stop, after kill -9, and with its state directory deleted.
//!
//! ```text
//! scripts/kafka run -- cargo bench --bench restore
//! scripts/kafka run -- cargo bench --bench restore -- --keys 10000000
//! ```
//!
//! The first makes the state of 300,000 orders (another number as argument) with the real binary, the second a store of so many keys
//! with a small program on the same engine. Times run from the start of the process until `/readyz` says 200; CPU and memory are the
//! process' own at that moment. It prints a table and never fails on a time: machines differ, so compare figures of one run.

// Times here are the real machine's.
#![allow(clippy::disallowed_methods)]

#[path = "../process/instance.rs"]
mod instance;
mod many_keys;

use std::fs;
use std::process::{Command, ExitCode};
use std::time::Duration;

use instance::{Fallible, Instance, Setup, with_setup};

/// How often each is measured.
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    if many_keys::is_instance() {
        return many_keys::instance();
    }
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench").peekable();
    let keys = arguments.next_if(|argument| argument == "--keys").is_some();
    let count = arguments.find_map(|argument| argument.parse().ok());
    let done = with_setup("restore", |setup| match keys {
        true => many_keys::measure(setup, count.unwrap_or(10_000_000)),
        false => orders(setup, count.unwrap_or(300_000)),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn orders(setup: &Setup, orders: u64) -> Fallible<()> {
    setup.write_orders(orders)?;
    let run = || {
        let mut command = setup.viewmill();
        command.arg("run");
        command
    };
    let first = setup.start(&mut run())?;
    let events = first.wait_until_nothing_lags()?;
    // What was processed last is committed.
    std::thread::sleep(Duration::from_secs(1));
    first.stop()?;
    println!("{events} events taken up");
    head();
    measure(setup, run, 20)
}

/// Each way to begin, some times.
fn measure(setup: &Setup, command: impl Fn() -> Command, partitions: usize) -> Fallible<()> {
    for _ in 0..ROUNDS {
        row("after a clean stop", setup.start(&mut command())?)?.stop()?;
    }
    for _ in 0..ROUNDS {
        let running = setup.start(&mut command())?;
        running.wait_until_no_lag_on(partitions)?;
        running.kill()?;
        row("after kill -9", setup.start(&mut command())?)?.stop()?;
    }
    for _ in 0..ROUNDS {
        fs::remove_dir_all(setup.directory.join(setup.prefix.trim_end_matches('-')))?;
        row("state deleted", setup.start(&mut command())?)?.stop()?;
    }
    Ok(())
}

fn head() {
    println!("\n| start | ready after | CPU until then | memory, resident at the peak | records restored |\n|---|---|---|---|---|");
}

fn row(what: &str, mut instance: Instance) -> Fallible<Instance> {
    let ready = instance.wait_until_ready()?;
    let (cpu, peak_kib) = (instance.cpu_seconds()?, instance.status_kib("VmHWM")?);
    let restored = instance.metric("viewmill_restore_records_total")?;
    println!("| {what} | {:.2} s | {cpu:.2} s | {} MiB | {restored} |", ready.as_secs_f64(), peak_kib / 1024);
    Ok(instance)
}
