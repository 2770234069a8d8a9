//! The program of the fault tests: two topologies whose right answer anybody can compute from the input.
//!
//! ```text
//!  topic numbers ─► running ─► stores minima, sums, counts ─► topics minima, sums, counts     output i = the function of input 0..i
//!  topic visits  ─► number ──► stores next, ids ────────────► topic ids                       each new key the next id of its partition
//! ```
use std::process::ExitCode;

use viewmill::http::Routes;
use viewmill::{Json, Record, Text, TopologyBuilder, Views};

/// Smallest value, sum and count of each key so far, after every record.
fn running_functions(b: &mut TopologyBuilder) {
    let numbers = b.source::<String, i64>("numbers", &["numbers"], Text, Json);
    // A later version of the program: a task that has come some way gets a store and an index.
    let maxima = std::env::var_os("FAULT_TOPOLOGIES_ADDED").map(|_| b.store::<String, i64>("maxima", numbers));
    let names = ["minima", "sums", "counts"];
    let stores = names.map(|name| b.store::<String, i64>(name, numbers));
    if maxima.is_some() {
        b.index(stores[1], "by-sum", |_: &String, sum: &i64| [*sum as u64]);
    }
    let streams = names.map(|name| b.stream::<String, i64>(name));
    b.each("running", numbers, move |w| {
        let (stores, streams) = (stores.map(|store| w.store(store)), streams.map(|stream| w.output(stream)));
        let maxima = maxima.map(|store| w.store(store));
        move |context, number: Record<String, i64>| {
            let functions: [fn(Option<i64>, i64) -> i64; 3] = [
                |min, value| min.map_or(value, |min| min.min(value)),
                |sum, value| sum.unwrap_or(0) + value,
                |count, _| count.unwrap_or(0) + 1,
            ];
            if let Some(maxima) = maxima {
                context.store(maxima).change(&number.key, |row| *row = Some(row.map_or(number.value, |max| max.max(number.value))))?;
            }
            for ((store, stream), function) in stores.into_iter().zip(streams).zip(functions) {
                let change = context.store(store).change(&number.key, |row| *row = Some(function(*row, number.value)))?;
                let value = change.new.map_or(0, |row| *row);
                context.forward(stream, Record::new(number.key.clone(), value, number.timestamp))?;
            }
            Ok(())
        }
    });
    for (name, stream) in names.into_iter().zip(streams) {
        b.sink(&format!("{name}-out"), stream, name, Text, Json);
    }
}

/// A key that a partition sees for the first time is given the partition's next number.
fn unique_ids(b: &mut TopologyBuilder) {
    let visits = b.source::<String, i64>("visits", &["visits"], Text, Json);
    let next = b.partial_store::<String, i64>("next");
    let ids = b.store::<String, i64>("ids", visits);
    let given = b.stream::<String, i64>("given");
    b.each("number", visits, move |w| {
        let (next, ids, given) = (w.store(next), w.store(ids), w.output(given));
        move |context, visit: Record<String, i64>| {
            if context.store(ids).get(&visit.key)?.is_some() {
                return Ok(());
            }
            let change = context.store(next).change(&"id".to_owned(), |row| *row = Some(row.unwrap_or(0) + 1))?;
            let id = change.old.map_or(0, |row| *row);
            context.store(ids).put(&visit.key, id)?;
            context.forward(given, Record::new(visit.key, id, visit.timestamp))
        }
    });
    b.sink("ids-out", given, "ids", Text, Json);
}

fn topology(b: &mut TopologyBuilder) {
    running_functions(b);
    unique_ids(b);
}

/// The stores are read through the routes that every program has.
fn routes(_: &(), _: Views) -> Routes {
    Routes::new()
}

fn main() -> ExitCode {
    viewmill::main(topology, routes)
}
