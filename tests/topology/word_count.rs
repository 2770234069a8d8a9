//! examples/word_count.rs, and punctuations.

// Its routes and its main function are for the example alone.
#[allow(dead_code)]
#[path = "../../examples/word_count.rs"]
mod example;

use std::time::Duration;

use viewmill::testkit::TopologyTestDriver;
use viewmill::{ProcessResult, Processor, ProcessorContext, PunctuationId, PunctuationType, Record, StoreRef, Text, Timestamp};

#[test]
fn words_are_counted_from_topic_to_store_and_sink() {
    let (mut driver, handles) = TopologyTestDriver::new(example::topology).unwrap();
    driver.pipe_bytes("lines", None, Some(b"Kim lee"), Timestamp(1_000)).unwrap();
    driver.pipe("lines", "any key", "  kim").unwrap();
    assert_eq!(driver.get(handles.counts, "kim"), Some(2));
    assert_eq!(driver.get(handles.counts, "park"), None);
    assert_eq!(driver.rows(handles.counts), [("kim".to_string(), 2), ("lee".to_string(), 1)]);
    let totals: Vec<(String, u64)> = driver.read(handles.totals).unwrap().into_iter().map(|r| (r.key, r.value)).collect();
    assert_eq!(totals, [("kim".to_string(), 1), ("lee".to_string(), 1), ("kim".to_string(), 2)]);
    assert!(driver.read(handles.totals).unwrap().is_empty(), "what was read is gone");
}

#[test]
fn a_topology_describes_itself() {
    let (driver, _) = TopologyTestDriver::new(example::topology).unwrap();
    assert_eq!(
        driver.describe(),
        "\
Topology
  Sub-topology: lines
    Source: lines (topics: lines)
      --> split (lines)
    Processor: split (stores: [])
      --> by-word-repartition (words)
      <-- lines
    Sink: by-word-repartition (topic: by-word-repartition)
      <-- words
  Sub-topology: by-word
    Source: by-word (topics: by-word-repartition)
      --> count (by-word)
    Processor: count (stores: [counts])
      --> totals (changes)
      <-- by-word
    Sink: totals (topic: word-counts)
      <-- changes
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
