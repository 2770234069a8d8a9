//! The application that the simulation runs: state with an index, deletions, records at fault, outputs of several topics, and a hop
//! through a repartition topic.
//!
//! ```text
//!  numbers ─► sum ─┬─► running                     two outputs a record: the running sum and the count of its key
//!                  ├─► told                        the same, held until the commit, with the position of `running`
//!                  └─► by-group ─► total ─► totals  a sum a group of keys
//! ```

use crate::processor::ProcessorError;
use crate::record::{Record, partition_for};
use crate::topology::{Index, Names, Store, Topology, TopologyBuilder};
use crate::{Json, Text};

pub(super) const PARTITIONS: i32 = 3;
pub(super) const GROUP: &str = "sim";
pub(super) const KEYS: usize = 12;
const GROUPS: u32 = 5;

/// The stores, and the index of the first.
pub(super) const STORES: [&str; 3] = ["sums", "counts", "totals"];

/// An output: the offset of its input, which of the outputs of that record it is, and its value.
pub(super) type Running = (i64, String, i64);

/// A record of the repartition topic: the partition and offset of its input, and its number.
pub(super) type Grouped = (i32, i64, i64);

/// What readers ask with.
#[derive(Clone, Copy)]
pub(super) struct Handles {
    pub sums: Store<String, i64>,
    pub by_sum: Index<i64, String, i64>,
    pub totals: Store<String, i64>,
}

/// Some numbers are at fault.
pub(super) fn is_poison(number: i64) -> bool {
    number.rem_euclid(33) == 13
}

/// Some make a key's sum go.
pub(super) fn forgets(number: i64) -> bool {
    number % 20 == 0
}

pub(super) fn group_of(key: &str) -> String {
    let sum: u32 = key.bytes().map(u32::from).sum();
    format!("group-{}", sum % GROUPS)
}

pub(super) fn partition_of(key: &str) -> i32 {
    partition_for(key.as_bytes(), PARTITIONS)
}

pub(super) fn by_group(names: &Names) -> String {
    names.topic(&format!("{}-by-group-repartition", names.application_id))
}

pub(super) fn application() -> (Topology, Handles) {
    let mut b = TopologyBuilder::new();
    let numbers = b.source::<String, i64>("numbers", &["numbers"], Text, Json);
    let sums = b.store::<String, i64>("sums", numbers);
    let by_sum = b.index(sums, "by-sum", |_, sum| Some(*sum));
    let counts = b.store::<String, u64>("counts", numbers);
    let running = b.stream::<String, Running>("changes");
    let grouped = b.stream::<String, Grouped>("grouped");
    b.each("sum", numbers, move |w| {
        let (sums, counts, running, grouped) = (w.store(sums), w.store(counts), w.output(running), w.output(grouped));
        move |context, number: Record<String, i64>| {
            let (key, value) = (number.key.clone(), number.value);
            let at = context.record().map(|record| (record.partition, record.offset.0)).unwrap_or_default();
            let sum = context.store(sums).change(&key, |sum| *sum = (!forgets(value)).then(|| sum.unwrap_or(0) + value))?;
            let count = context.store(counts).change(&key, |count| *count = Some(count.unwrap_or(0) + 1))?;
            let (sum, count) = (sum.new.as_deref().copied().unwrap_or(0), count.new.as_deref().copied().unwrap_or(0));
            context.forward(running, number.clone().with_value((at.1, "sum".to_string(), sum)))?;
            context.forward(running, number.clone().with_value((at.1, "count".to_string(), count as i64)))?;
            context.forward(grouped, number.with_key(group_of(&key)).with_value((at.0, at.1, value)))?;
            // At the very end: all of it must be undone.
            if is_poison(value) { Err(ProcessorError::rejected("an unlucky number")) } else { Ok(()) }
        }
    });
    b.sink("running", running, "running", Text, Json);
    b.positioned_sink("told", running, "told", Text, Json);
    let by_group = b.repartition("by-group", grouped, Text, Json);
    let totals = b.store::<String, i64>("totals", by_group);
    b.each("total", by_group, move |w| {
        let totals = w.store(totals);
        move |context, number: Record<String, Grouped>| {
            context.store(totals).change(&number.key, |total| *total = Some(total.unwrap_or(0) + number.value.2))?;
            Ok(())
        }
    });
    (b.build().expect("the topology is whole"), Handles { sums, by_sum, totals })
}
