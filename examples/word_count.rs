//! Counts words. A line can come to any partition, so each word is sent through `by-word` to the task that counts it.
//!
//! ```text
//!  topic lines ─► split ─► by-word ─► count ─► store counts ─► GET /words/{word}
//!                                       └────► topic word-counts
//! ```
use std::process::ExitCode;

use viewmill::http::{Problem, Routes, param, with_freshness};
use viewmill::{Json, Nullable, Read, Record, Sink, Store, Text, TopologyBuilder, Views};
use warp::Filter as _;

pub struct WordCount {
    pub counts: Store<String, u64>,
    pub totals: Sink<String, u64>,
}

pub fn topology(b: &mut TopologyBuilder) -> WordCount {
    let lines = b.source::<Option<String>, String>("lines", &["lines"], Nullable(Text), Text);
    let words = b.stream::<String, u64>("words");
    b.each("split", lines, move |w| {
        let words = w.output(words);
        move |context, line: Record<Option<String>, String>| {
            let mut each_word = line.value.split_whitespace().map(str::to_lowercase);
            each_word.try_for_each(|word| context.forward(words, Record::new(word, 1, line.timestamp)))
        }
    });
    let by_word = b.repartition("by-word", words, Text, Json);
    let counts = b.store::<String, u64>("counts", by_word);
    let changes = b.stream::<String, u64>("changes");
    b.each("count", by_word, move |w| {
        let (counts, changes) = (w.store(counts), w.output(changes));
        move |context, word: Record<String, u64>| {
            let change = context.store(counts).change(&word.key, |n| *n = Some(n.unwrap_or(0) + word.value))?;
            let n = change.new.map_or(0, |n| *n);
            context.forward(changes, word.with_value(n))
        }
    });
    let totals = b.sink("totals", changes, "word-counts", Text, Json);
    WordCount { counts, totals }
}

fn routes(handles: &WordCount, views: Views) -> Routes {
    let counts = handles.counts;
    let count = param("word").and_then(move |word: String| {
        let views = views.clone();
        async move {
            let answer = views.get(counts, &word, &Read::default()).await.map_err(Problem::from)?;
            Ok::<_, warp::Rejection>(with_freshness(warp::reply::json(&answer.value), &answer))
        }
    });
    Routes::new().get("/words/{word}", count)
}

fn main() -> ExitCode {
    viewmill::main(topology, routes)
}
