//! A small topology from source to sink, as a user writes it.

use std::time::Duration;

use viewmill::testkit::TopologyTestDriver;
use viewmill::{Json, ProcessResult, Processor, ProcessorContext, PunctuationId, PunctuationType, Record, Sink, Store, Text, Timestamp};
use viewmill::{StoreRef, TopologyBuilder};

struct Handles {
    counts: Store<String, u64>,
    totals: Sink<String, u64>,
}

fn word_count(b: &mut TopologyBuilder) -> Handles {
    let words = b.source::<String, String>("words", &["words"], Text, Text);
    let counts = b.store::<String, u64>("counts", words);
    let changed = b.stream::<String, u64>("changed");
    b.each("count", words, move |w| {
        let (counts, changed) = (w.store(counts), w.output(changed));
        move |context, word: Record<String, String>| {
            let change = context.store(counts).change(&word.key, |n| *n = Some(n.unwrap_or(0) + 1))?;
            let n = change.new.as_deref().copied().unwrap_or(0);
            context.forward(changed, word.with_value(n))
        }
    });
    let totals = b.sink("totals", changed, "totals", Text, Json);
    Handles { counts, totals }
}

#[test]
fn words_are_counted_from_topic_to_store_and_sink() {
    let (mut driver, handles) = TopologyTestDriver::new(word_count).unwrap();
    for word in ["kim", "lee", "kim"] {
        driver.pipe("words", word, "x").unwrap();
    }
    assert_eq!(driver.get(handles.counts, "kim"), Some(2));
    assert_eq!(driver.get(handles.counts, "park"), None);
    assert_eq!(driver.rows(handles.counts), [("kim".to_string(), 2), ("lee".to_string(), 1)]);
    let totals: Vec<(String, u64)> = driver.read(handles.totals).unwrap().into_iter().map(|r| (r.key, r.value)).collect();
    assert_eq!(totals, [("kim".to_string(), 1), ("lee".to_string(), 1), ("kim".to_string(), 2)]);
    assert!(driver.read(handles.totals).unwrap().is_empty(), "what was read is gone");
}

#[test]
fn a_topology_describes_itself() {
    let (driver, _) = TopologyTestDriver::new(word_count).unwrap();
    assert_eq!(
        driver.describe(),
        "\
Topology
  Sub-topology: words
    Source: words (topics: words)
      --> count (words)
    Processor: count (stores: [counts])
      --> totals (changed)
      <-- words
    Sink: totals (topic: totals)
      <-- changed
"
    );
}

struct Ticker {
    ticks: StoreRef<String, u64>,
    stream: PunctuationId,
    wall: PunctuationId,
}

impl Processor<String, String> for Ticker {
    fn process(&mut self, _: &mut ProcessorContext<'_>, _: Record<String, String>) -> ProcessResult {
        Ok(())
    }

    fn punctuate(&mut self, context: &mut ProcessorContext<'_>, id: PunctuationId, _: Timestamp) -> ProcessResult {
        assert!(context.record().is_none(), "no record is at hand while punctuating");
        let name = if id == self.stream { "stream" } else { "wall" };
        assert!(id == self.stream || id == self.wall);
        context.store(self.ticks).change(&name.to_string(), |n| *n = Some(n.unwrap_or(0) + 1))?;
        Ok(())
    }
}

#[test]
fn punctuations_follow_the_time_that_was_asked_for() {
    let (mut driver, ticks) = TopologyTestDriver::new(|b| {
        let words = b.source::<String, String>("words", &["words"], Text, Text);
        let ticks = b.store::<String, u64>("ticks", words);
        b.processor("ticker", words, move |w| Ticker {
            ticks: w.store(ticks),
            stream: w.every(Duration::from_secs(10), PunctuationType::StreamTime),
            wall: w.every(Duration::from_secs(60), PunctuationType::WallClockTime),
        });
        ticks
    })
    .unwrap();
    let pipe = |driver: &mut TopologyTestDriver, ms| driver.pipe_bytes("words", Some(b"a"), Some(b"x"), Timestamp(ms)).unwrap();
    pipe(&mut driver, 1_000);
    driver.advance_wall_clock(Duration::ZERO).unwrap();
    pipe(&mut driver, 12_000);
    driver.advance_wall_clock(Duration::from_secs(59)).unwrap();
    assert_eq!((driver.get(ticks, "stream"), driver.get(ticks, "wall")), (Some(1), None));
    driver.advance_wall_clock(Duration::from_secs(2)).unwrap();
    assert_eq!((driver.get(ticks, "stream"), driver.get(ticks, "wall")), (Some(1), Some(1)));
}
