//! How many reads an instance answers per second of its CPU, and how long they take.
//!
//! ```text
//! scripts/kafka run -- cargo bench --bench query
//! ```
//!
//! Lets the real binary take up the life of 300,000 orders (another number as argument), then reads over 32 kept connections for ten
//! seconds each: orders by id, lists by status, the dashboard. The client is one thread, whose CPU is shown beside the server's: on a
//! small machine the two share the cores, so reads per CPU second of the server tell more than reads per second. It prints a table and
//! never fails on a time.

// Times here are the real machine's.
#![allow(clippy::disallowed_methods)]

mod client;
#[path = "../process/instance.rs"]
mod instance;

use std::time::Duration;

use client::{Client, Load};
use instance::{Fallible, Instance};

const CONNECTIONS: usize = 32;
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);

fn main() -> Fallible<()> {
    instance::with_orders("query", measure)
}

fn measure(instance: &Instance) -> Fallible<()> {
    let events = instance.wait_until_nothing_lags()?;
    // What was processed last is seen with the commit after it.
    std::thread::sleep(Duration::from_secs(1));
    let client = Client::new(instance.address())?;
    let ids = order_ids(&client)?;
    println!("{events} events taken up, {} orders known", ids.len());
    let by_id: Vec<String> = ids.iter().map(|id| format!("/api/orders/{id}")).collect();
    let lists: Vec<String> = STATUSES.iter().map(|status| format!("/api/orders?status={status}&limit=50")).collect();
    println!("\n| read | a second | **a CPU second of the server** | p50 | p99 | longest | CPU of the server | of the client |");
    println!("|---|---|---|---|---|---|---|---|");
    for (name, paths) in [("an order by id", by_id), ("50 orders of a status", lists), ("the dashboard", vec!["/api/dashboard".into()])] {
        client.load(&paths, CONNECTIONS, WARM_UP)?;
        let (server, own) = (instance.cpu_seconds()?, instance::own_cpu_seconds()?);
        let load = client.load(&paths, CONNECTIONS, MEASURED)?;
        print(name, &load, instance.cpu_seconds()? - server, instance::own_cpu_seconds()? - own);
    }
    println!("\nmemory, resident at the peak: {} MiB", instance.status_kib("VmHWM")? / 1024);
    Ok(())
}

fn print(name: &str, load: &Load, server: f64, own: f64) {
    let (reads, seconds) = (load.reads() as f64, load.elapsed.as_secs_f64());
    let ms = |duration: Duration| format!("{:.2} ms", duration.as_secs_f64() * 1000.0);
    println!(
        "| {name} | {:.0} | **{:.0}** | {} | {} | {} | {server:.1} s | {own:.1} s |",
        reads / seconds,
        reads / server,
        ms(load.quantile(0.5)),
        ms(load.quantile(0.99)),
        ms(load.quantile(1.0)),
    );
}

const STATUSES: [&str; 6] = ["CREATED", "APPROVED", "SHIPPED", "DELIVERED", "CANCELLED", "REJECTED"];

/// All ids, read from the lists of all statuses page by page.
fn order_ids(client: &Client) -> Fallible<Vec<String>> {
    let mut ids = Vec::new();
    for status in STATUSES {
        let mut cursor = String::new();
        loop {
            let page: Page = serde_json::from_str(&client.get(&format!("/api/orders?status={status}&limit=500{cursor}"))?)?;
            ids.extend(page.orders.into_iter().map(|order| order.order_id));
            match page.next_cursor {
                // Made of characters that a URL may hold.
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
    }
    Ok(ids)
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    orders: Vec<Listed>,
    next_cursor: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    order_id: String,
}
