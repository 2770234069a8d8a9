//! Sums per key; the running sums go to a topic.

use crate::record::Record;
use crate::topology::TopologyBuilder;
use crate::{Json, Stream, Text};

/// Over one topic.
pub(super) fn running_sums(b: &mut TopologyBuilder) -> Stream<String, i64> {
    running_sums_of(b, &["numbers"])
}

/// The same over several topics.
pub(super) fn running_sums_of(b: &mut TopologyBuilder, topics: &[&str]) -> Stream<String, i64> {
    let numbers = b.source::<String, i64>("numbers", topics, Text, Json);
    let sums = b.store::<String, i64>("sums", numbers);
    let counts = b.store::<String, u64>("counts", numbers);
    let changes = b.stream::<String, i64>("changes");
    b.each("sum", numbers, move |w| {
        let (sums, counts, changes) = (w.store(sums), w.store(counts), w.output(changes));
        move |context, number: Record<String, i64>| {
            let change = context.store(sums).change(&number.key, |sum| *sum = Some(sum.unwrap_or(0) + number.value))?;
            context.store(counts).change(&number.key, |count| *count = Some(count.unwrap_or(0) + 1))?;
            let sum = change.new.as_deref().copied().unwrap_or(0);
            context.forward(changes, number.with_value(sum))
        }
    });
    b.sink("running", changes, "running", Text, Json);
    changes
}
