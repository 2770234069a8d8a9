//! Far more than can be done is asked of an instance: what it takes it does, the rest is told so at once.

use std::time::{Duration, Instant};

use super::Shop;
use crate::support::{Instance, Run};

#[path = "../../../benches/commands/client.rs"]
mod client;

use client::{Load, Pace, quantile};

/// The instance lets 128 commands wait; of so many connections some find no place among these, and some not even one to ask.
const FLOOD: usize = 450;
const MAX_CONNECTIONS: &str = "350";
const FLOODED: Duration = Duration::from_secs(8);
const MIB: f64 = 1_048_576.0;

fn assert_all_answered(load: &Load) {
    let mut others: Vec<&String> = load.other.iter().collect();
    others.sort();
    others.dedup();
    assert!(others.is_empty(), "answers that are neither 201 nor 429 or 503: {others:?}");
}

#[test]
fn a_flood_is_refused_in_part_and_leaves_no_trace() {
    let run = Run::new("overload");
    let mut instance =
        Instance::start(&run, "a", &[("VIEWMILL__STATE__MEMORY_MIB", "16"), ("VIEWMILL__HTTP__MAX_CONNECTIONS", MAX_CONNECTIONS)]);
    instance.wait_ready();
    let address = instance.url().trim_start_matches("http://").to_owned();
    let usual = client::load(&address, 64, Pace::AtOnce, FLOODED).unwrap();
    assert_all_answered(&usual);
    assert_eq!(usual.refused.len() + usual.refused_again.len(), 0, "64 clients are not too many");
    let memory = instance.metric("process_resident_memory_bytes", &[]);

    let flood = client::load(&address, FLOOD, Pace::AtOnce, FLOODED).unwrap();
    assert_all_answered(&flood);
    let (taken, refused) = (flood.created.len(), flood.refused.len() + flood.refused_again.len());
    println!("{} answered before; of the flood {taken} answered and {refused} refused", usual.created.len());
    assert!(refused >= FLOOD, "each of those who found no place was refused, and again: {refused}");
    // It does not come to a standstill for all the refusing.
    assert!(taken * 4 > usual.created.len(), "{taken} in the flood, {} before", usual.created.len());
    // Whoever is refused hears of it before those who are taken have their answer; who comes again at once all the same, a little later.
    let [told, again, done] = [&flood.refused, &flood.refused_again, &flood.created].map(|latencies| quantile(latencies, 0.5));
    println!(
        "half of the refused heard within {told:?}, when they came again at once within {again:?}; half of the others within {done:?}"
    );
    assert!(told < done && told < again, "refused within {told:?}, again within {again:?}, done within {done:?}");
    let after = instance.metric("process_resident_memory_bytes", &[]);
    println!("memory before {:.0} MiB, after {:.0} MiB", memory / MIB, after / MIB);
    assert!(after < memory + 96.0 * MIB, "memory grew from {:.0} to {:.0} MiB", memory / MIB, after / MIB);

    // Nothing waits any more.
    let asked = Instant::now();
    Shop::of(&instance).done(201, "/api/orders", &[], &super::order_of("kim"));
    assert!(asked.elapsed() < Duration::from_secs(2), "an answer after {:?}", asked.elapsed());
    instance.kill();
}
