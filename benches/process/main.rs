//! How many events an instance processes per second of its CPU, and how much memory it takes.
//!
//! ```text
//! scripts/kafka run -- cargo bench --bench process
//! ```
//!
//! Writes the life of 300,000 orders (about 1,030,000 events; another number as argument) to a real Kafka, starts the real binary
//! on it, and measures until nothing lags. CPU is the process' own from /proc, memory its highest resident size. It prints a
//! table and never fails on a time: machines differ, so compare figures of one run.

// Times here are the real machine's.
#![allow(clippy::disallowed_methods)]

mod instance;

use std::time::Instant;

use instance::{Fallible, Instance};

fn main() -> Fallible<()> {
    instance::with_orders("process", measure)
}

fn measure(instance: &Instance) -> Fallible<()> {
    let ready = Instant::now();
    let events = instance.wait_until_nothing_lags()?;
    let wall = ready.elapsed();
    let cpu = instance.cpu_seconds()?;
    println!("\n| what | figure |\n|---|---|");
    println!("| events | {events} |");
    println!(
        "| wall, from an empty directory to no lag | {:.1} s, {:.0} events/s |",
        wall.as_secs_f64(),
        events as f64 / wall.as_secs_f64()
    );
    println!("| CPU of the process | {cpu:.2} s |");
    println!("| **events per CPU second** | **{:.0}** |", events as f64 / cpu);
    println!("| memory, resident at the peak | {} MiB |", instance.status_kib("VmHWM")? / 1024);
    println!("| transactions | {} |", instance.metric("viewmill_transactions_total{result=\"committed\"}")?);
    println!("\n| thread | CPU, s |\n|---|---|");
    for (thread, seconds) in instance.threads()? {
        println!("| {thread} | {seconds:.2} |");
    }
    Ok(())
}
