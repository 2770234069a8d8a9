//! What is derived from records on their way: indexes, sums a partition, streams with another key.

use std::sync::Arc;

use viewmill::testkit::TopologyTestDriver;
use viewmill::topology::TopologyFault;
use viewmill::{Change, Desc, Index, Json, Partial, ProcessorError, Record, Store, Text, TopologyBuilder};

struct Handles {
    scores: Store<String, i64>,
    best: Index<Desc<i64>, String, i64>,
    sums: Store<bool, i64, Partial>,
    winners: Store<String, u64>,
}

/// Scores by player; the best first; sums of positive and negative ones; and how often each letter begins a player who scored.
fn scores(b: &mut TopologyBuilder) -> Handles {
    let played = b.source::<String, i64>("played", &["played"], Text, Json);
    let scores = b.store::<String, i64>("scores", played);
    let best = b.index(scores, "best", |_, score| (*score > 0).then_some(Desc(*score)));
    let changes = b.stream::<String, Change<i64>>("changes");
    let sums = b.partial_store::<bool, i64>("sums");
    b.each("score", played, move |w| {
        let (scores, changes) = (w.store(scores), w.output(changes));
        move |context, played: Record<String, i64>| {
            if played.value == 13 {
                return Err(ProcessorError::rejected("unlucky"));
            }
            let change = context.store(scores).change(&played.key, |score| match played.value {
                0 => *score = None,
                points => *score = Some(score.unwrap_or(0) + points),
            })?;
            context.forward(changes, played.with_value(change))
        }
    });
    let letters = b.stream::<String, i64>("letters");
    b.each("sum", changes, move |w| {
        let (sums, letters) = (w.store(sums), w.output(letters));
        move |context, change: Record<String, Change<i64>>| {
            let mut sums = context.store(sums);
            for (row, sign) in [(&change.value.old, -1), (&change.value.new, 1)] {
                if let Some(score) = row {
                    sums.change(&(**score > 0), |sum| *sum = Some(sum.unwrap_or(0) + sign * **score))?;
                }
            }
            let letter = change.key.chars().take(1).collect();
            context.forward(letters, change.with_key(letter).with_value(1))
        }
    });
    let by_letter = b.repartition("by-letter", letters, Text, Json);
    let winners = b.store::<String, u64>("winners", by_letter);
    b.each("count-winners", by_letter, move |w| {
        let winners = w.store(winners);
        move |context, letter: Record<String, i64>| {
            context.store(winners).change(&letter.key, |n| *n = Some(n.unwrap_or(0) + 1))?;
            Ok(())
        }
    });
    Handles { scores, best, sums, winners }
}

#[test]
fn an_index_finds_rows_in_its_order_and_follows_every_change() {
    let (mut driver, handles) = TopologyTestDriver::new(scores).unwrap();
    for (player, points) in [("kim", "5"), ("lee", "7"), ("park", "-1"), ("kim", "4"), ("choi", "9")] {
        driver.pipe("played", player, points).unwrap();
    }
    let best = |driver: &TopologyTestDriver| driver.scan(handles.best, ()).into_iter().map(|(player, _)| player).collect::<Vec<_>>();
    assert_eq!(best(&driver), ["choi", "kim", "lee"], "equal scores in the order of their keys");
    driver.pipe("played", "choi", "0").unwrap();
    driver.pipe("played", "kim", "-20").unwrap();
    driver.pipe("played", "park", "2").unwrap();
    assert_eq!(best(&driver), ["lee", "park"]);
    assert!(driver.pipe("played", "lee", "13").is_err());
    assert_eq!(best(&driver), ["lee", "park"], "a record that failed moves nothing");
    assert_eq!(driver.get(handles.scores, "kim"), Some(-11));
}

#[test]
fn sums_over_a_partition_follow_old_and_new_rows() {
    let (mut driver, handles) = TopologyTestDriver::new(scores).unwrap();
    for (player, points) in [("kim", "5"), ("lee", "-7"), ("kim", "-8"), ("lee", "0")] {
        driver.pipe("played", player, points).unwrap();
    }
    assert_eq!(driver.rows(handles.sums), [(false, -3), (true, 0)]);
}

#[test]
fn a_repartition_brings_records_to_the_task_of_their_new_key() {
    let (mut driver, handles) = TopologyTestDriver::new(scores).unwrap();
    for player in ["kim", "kang", "lee"] {
        driver.pipe("played", player, "1").unwrap();
    }
    assert_eq!(driver.rows(handles.winners), [("k".to_string(), 2), ("l".to_string(), 1)]);
}

#[test]
fn the_parts_of_a_repartition_are_described() {
    let (driver, _) = TopologyTestDriver::new(scores).unwrap();
    assert_eq!(
        driver.describe(),
        "\
Topology
  Sub-topology: played
    Source: played (topics: played)
      --> score (played)
    Processor: score (stores: [scores])
      --> sum (changes)
      <-- played
    Processor: sum (stores: [sums])
      --> by-letter-repartition (letters)
      <-- changes
    Sink: by-letter-repartition (topic: by-letter-repartition)
      <-- letters
  Sub-topology: by-letter
    Source: by-letter (topics: by-letter-repartition)
      --> count-winners (by-letter)
    Processor: count-winners (stores: [winners])
      --> none
      <-- by-letter
"
    );
}

#[test]
fn processors_read_ranges_and_prefixes_with_what_is_not_committed_yet() {
    type Seen = (Vec<String>, Vec<String>, Vec<String>);
    let seen = Arc::new(std::sync::Mutex::new(Seen::default()));
    let shared = seen.clone();
    let (mut driver, _) = TopologyTestDriver::new(|b| {
        let words = b.source::<String, String>("words", &["words"], Text, Text);
        let rows = b.partial_store::<(String, u64), String>("rows");
        b.each("read", words, move |w| {
            let rows = w.store(rows);
            let seen = shared.clone();
            move |context, word: Record<String, String>| {
                let mut rows = context.store(rows);
                rows.put(&(word.key.clone(), word.value.len() as u64), word.value.clone())?;
                let texts = |rows: Vec<((String, u64), Arc<String>)>| rows.into_iter().map(|(_, row)| row.to_string()).collect();
                let range = ("a".to_string(), 0)..("b".to_string(), 3);
                *seen.lock().unwrap() =
                    (texts(rows.prefix("a".to_string(), 10)?), texts(rows.range(range, 10)?), texts(rows.reverse_prefix((), 2)?));
                Ok(())
            }
        });
    })
    .unwrap();
    for (key, value) in [("a", "xx"), ("b", "xxx"), ("ab", "x"), ("b", "xx")] {
        driver.pipe("words", key, value).unwrap();
    }
    let (prefix, range, last) = seen.lock().unwrap().clone();
    assert_eq!(prefix, ["xx"]);
    assert_eq!(range, ["xx", "x", "xx"]);
    assert_eq!(last, ["xxx", "xx"]);
}

#[test]
fn an_index_declared_twice_is_refused() {
    let mut b = TopologyBuilder::new();
    let words = b.source::<String, String>("words", &["words"], Text, Text);
    let rows = b.store::<String, String>("rows", words);
    b.each("read", words, move |w| {
        w.store(rows);
        |_, _: Record<String, String>| Ok(())
    });
    let _ = b.index(rows, "by-text", |_, text: &String| Some(text.clone()));
    let _ = b.index(rows, "by-text", |_, text: &String| Some(text.clone()));
    let faults = b.build().unwrap_err().faults;
    assert_eq!(faults, [TopologyFault::DuplicateName { kind: "index", name: "rows.by-text".into() }]);
}

#[test]
fn a_stream_is_split_into_several() {
    let (mut driver, [even, odd]) = TopologyTestDriver::new(|b| {
        let numbers = b.source::<String, i64>("numbers", &["numbers"], Text, Json);
        let [even, odd] = b.split("by-parity", numbers, ["even", "odd"], |number| *number as usize);
        [("even-numbers", even), ("odd-numbers", odd)].map(|(name, stream)| b.sink(name, stream, name, Text, Json))
    })
    .unwrap();
    for number in ["0", "1", "0"] {
        driver.pipe("numbers", "key", number).unwrap();
    }
    assert!(driver.pipe("numbers", "key", "2").is_err(), "there is no third stream");
    assert_eq!((driver.read(even).unwrap().len(), driver.read(odd).unwrap().len()), (2, 1));
}
