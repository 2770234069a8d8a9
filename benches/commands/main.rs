//! How long a command takes from request to answer, how many an instance answers, and what it does when far more are asked.
//!
//! ```text
//! cargo bench --bench commands                                      on the embedded broker
//! scripts/kafka run -- cargo bench --bench commands -- --kafka      on a real Apache Kafka
//! ```
//!
//! Beside it, on the same broker: transactions of one record by librdkafka alone, which is the least that a command can take. Client, instance
//! and broker share the machine. Prints a table and never fails on a time: machines differ, so compare figures of one run.

// Times here are the real machine's.
#![allow(clippy::disallowed_methods)]

mod client;
#[path = "../broker/embedded.rs"]
mod embedded;
#[path = "../process/instance.rs"]
mod instance;
#[path = "../../tests/conformance/listening.rs"]
mod listening;
#[path = "../broker/topics.rs"]
mod topics;

use std::time::{Duration, Instant};

use client::{Load, Pace, quantile};
use embedded::Embedded;
use instance::{Fallible, Instance, Setup, proc};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

/// 20 a second.
const PACE: Duration = Duration::from_millis(50);
const PACED: Duration = Duration::from_secs(20);
const CLIENTS: usize = 64;
const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(10);
/// So long the 64 clients go on before the flood, so that caches fill: what memory is taken then, the flood takes.
const FILLED: Duration = Duration::from_secs(30);
/// Each asks again as soon as it is answered: far more than can be done, and more connections than an instance takes.
const FLOOD: usize = 1_500;
const FLOODED: Duration = Duration::from_secs(60);
const GIVE_UP: Duration = Duration::from_secs(30);

fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let is_kafka = arguments.iter().any(|argument| argument == "--kafka");
    let embedded = if is_kafka { None } else { Some(Embedded::start()?) };
    instance::with_setup_on(embedded.as_ref().map(|broker| broker.address.clone()), "commands", |setup| {
        let mut instance = setup.start(setup.viewmill().arg("run"))?;
        instance.wait_until_ready()?;
        measure(setup, &instance)?;
        instance.kill()?;
        measure_one_partition(setup)
    })
}

/// Many commands share a transaction where they share a partition: each further one that a transaction writes to costs a request.
fn measure_one_partition(setup: &Setup) -> Fallible<()> {
    let setup = Setup { servers: setup.servers.clone(), prefix: format!("{}one-", setup.prefix), directory: setup.directory.join("one") };
    std::fs::create_dir_all(&setup.directory)?;
    let settings = ["run", "--set", "topics.partitions=1", "--set", "processing.stream_threads=1"];
    let mut instance = setup.start(setup.viewmill().args(settings))?;
    instance.wait_until_ready()?;
    client::load(instance.address(), CLIENTS, Pace::AtOnce, WARM_UP)?;
    let full = client::load(instance.address(), CLIENTS, Pace::AtOnce, MEASURED)?;
    row(&format!("commands of {CLIENTS} clients, one partition and one stream thread"), &full.created, full.rate());
    report_others("64 clients in one partition", &full);
    instance.kill()
}

fn measure(setup: &Setup, instance: &Instance) -> Fallible<()> {
    println!("| what | p50 | p99 | a second |\n|---|---|---|---|");
    client::load(instance.address(), CLIENTS, Pace::AtOnce, WARM_UP)?;
    let bare = transactions(setup)?;
    row("a transaction of one record by librdkafka, 20 a second", &bare, bare.len() as f64 / PACED.as_secs_f64());
    let paced = client::load(instance.address(), 1, Pace::Every(PACE), PACED)?;
    row("a command, 20 a second", &paced.created, paced.rate());
    let [by_p50, by_p99] = [0.5, 0.99].map(|share| quantile(&paced.created, share).as_secs_f64() / quantile(&bare, share).as_secs_f64());
    println!("| of the transaction | {by_p50:.2} × | {by_p99:.2} × | |");
    let cpu_before = instance.cpu_seconds()?;
    let full = client::load(instance.address(), CLIENTS, Pace::AtOnce, MEASURED)?;
    row(&format!("commands of {CLIENTS} clients"), &full.created, full.rate());
    println!(
        "| CPU of the instance for one of them | {:.0} µs | | |",
        (instance.cpu_seconds()? - cpu_before) * 1e6 / full.created.len() as f64
    );
    client::load(instance.address(), CLIENTS, Pace::AtOnce, FILLED)?;
    let before = instance.status_kib("VmRSS")?;
    let (flood, memory) = std::thread::scope(|scope| {
        let watched = scope.spawn(|| watch_memory(instance));
        (client::load(instance.address(), FLOOD, Pace::AtOnce, FLOODED), watched.join())
    });
    let (flood, memory) = (flood?, memory.map_err(|_| "the watcher of the memory panicked")??);
    row(&format!("commands of {FLOOD} clients that never rest, answered"), &flood.created, flood.rate());
    let rate = |latencies: &[Duration]| latencies.len() as f64 / flood.elapsed.as_secs_f64();
    row("the same, refused with 429 or 503", &flood.refused, rate(&flood.refused));
    row("the same, refused again to who comes again at once", &flood.refused_again, rate(&flood.refused_again));
    let after = client::load(instance.address(), CLIENTS, Pace::AtOnce, Duration::from_secs(2))?;
    row(&format!("{CLIENTS} clients, in the two seconds after"), &after.created, after.rate());
    let tenths: Vec<String> = memory.iter().map(|kib| (kib / 1024).to_string()).collect();
    println!("| memory before the flood, then every six seconds of it | {} MiB | {} MiB | |", before / 1024, tenths.join(", "));
    for (what, load) in [("20 a second", &paced), ("64 clients", &full), ("the flood", &flood), ("afterwards", &after)] {
        report_others(what, load);
    }
    Ok(())
}

/// What memory the instance has at each tenth of the flood, KiB.
fn watch_memory(instance: &Instance) -> Result<Vec<u64>, String> {
    let kib = |_| {
        std::thread::sleep(FLOODED / 10);
        instance.status_kib("VmRSS").map_err(|error| error.to_string())
    };
    (0..10).map(kib).collect()
}

fn row(what: &str, latencies: &[Duration], rate: f64) {
    let ms = |share| quantile(latencies, share).as_secs_f64() * 1_000.0;
    println!("| {what} | {:.2} ms | {:.2} ms | {rate:.0} |", ms(0.5), ms(0.99));
}

/// Answers that should not be, by kind.
fn report_others(what: &str, load: &Load) {
    let mut kinds = std::collections::BTreeMap::<&str, usize>::new();
    load.other.iter().for_each(|kind| *kinds.entry(kind).or_default() += 1);
    for (kind, count) in kinds {
        println!("{what}: {count} × {kind}");
    }
}

/// Transactions of one record, 20 a second; in rising order.
fn transactions(setup: &Setup) -> Fallible<Vec<Duration>> {
    let topic = format!("{}bare", setup.prefix);
    topics::create(&setup.servers, &topic, 1)?;
    let producer: BaseProducer = topics::client(&setup.servers, &[("transactional.id", &topic), ("linger.ms", "0")]).create()?;
    producer.init_transactions(GIVE_UP)?;
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < PACED {
        let started = Instant::now();
        producer.begin_transaction()?;
        producer.send(BaseRecord::<(), [u8]>::to(&topic).payload(b"one")).map_err(|(error, _)| error)?;
        // rdkafka's poll lasts its whole time.
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::from_micros(100));
        }
        producer.commit_transaction(GIVE_UP)?;
        times.push(started.elapsed());
        std::thread::sleep(PACE.saturating_sub(started.elapsed()));
    }
    // With the first, clients find their way.
    times.remove(0);
    times.sort_unstable();
    Ok(times)
}
