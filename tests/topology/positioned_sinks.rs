//! Records that tell where what was made beside them came to lie.

use viewmill::testkit::TopologyTestDriver;
use viewmill::{ProcessorError, Record, Sink, Store, Text, TopologyBuilder};

struct Handles {
    facts: Sink<String, String>,
    outcomes: Sink<String, String>,
    outcome_of: Store<String, String>,
}

/// Orders lead to facts, which come back; of each order an outcome tells, and those are read by another sub-topology.
fn topology(b: &mut TopologyBuilder) -> Handles {
    let orders = b.source::<String, String>("orders", &["orders", "facts"], Text, Text);
    let seen = b.store::<String, u64>("seen", orders);
    let (facts, outcomes) = (b.stream::<String, String>("new-facts"), b.stream::<String, String>("new-outcomes"));
    b.each("decide", orders, move |w| {
        let (seen, facts, outcomes) = (w.store(seen), w.output(facts), w.output(outcomes));
        move |context, order: Record<String, String>| {
            let is_fact = context.record().is_some_and(|record| &*record.topic == "facts");
            context.store(seen).change(&order.key, |seen| *seen = Some(seen.unwrap_or(0) + 1))?;
            if is_fact {
                return Ok(());
            }
            let facts_wanted = order.value.parse::<usize>().unwrap_or(0);
            for _ in 0..facts_wanted {
                context.forward(facts, order.clone())?;
            }
            context.forward(outcomes, order.clone())?;
            if order.value == "bad" { Err(ProcessorError::rejected("as told")) } else { Ok(()) }
        }
    });
    let facts = b.sink("facts", facts, "facts", Text, Text);
    let outcomes = b.positioned_sink("outcomes", outcomes, "outcomes", Text, Text);
    let outcomes_back = b.source::<String, String>("outcomes-back", &["outcomes"], Text, Text);
    let outcome_of = b.store::<String, String>("outcome-of", outcomes_back);
    b.each("keep", outcomes_back, move |w| {
        let outcome_of = w.store(outcome_of);
        move |context, outcome: Record<String, String>| {
            let position = outcome.headers.last("position").map(|position| String::from_utf8_lossy(position).into_owned());
            context.store(outcome_of).put(&outcome.key, position.unwrap_or_default())?;
            Ok(())
        }
    });
    Handles { facts, outcomes, outcome_of }
}

#[test]
fn a_held_record_tells_how_far_the_other_sinks_of_its_task_are() {
    let (mut driver, handles) = TopologyTestDriver::new(topology).unwrap();
    for (key, order) in [("none yet", "0"), ("two", "2"), ("none again", "0"), ("one", "1")] {
        driver.pipe("orders", key, order).unwrap();
    }
    let outcomes = driver.read(handles.outcomes).unwrap();
    let told: Vec<_> = outcomes.iter().map(|outcome| (outcome.key.as_str(), outcome.headers.last("position").unwrap())).collect();
    let expected: [(&str, &[u8]); 4] = [("none yet", b""), ("two", b"facts:0=2"), ("none again", b"facts:0=2"), ("one", b"facts:0=3")];
    assert_eq!(told, expected);
    assert_eq!(driver.read(handles.facts).unwrap().len(), 3);
    assert_eq!(driver.get(handles.outcome_of, "two").as_deref(), Some("facts:0=2"), "it is read as it was sent");
}

#[test]
fn a_record_that_is_undone_takes_its_held_records_with_it() {
    let (mut driver, handles) = TopologyTestDriver::new(topology).unwrap();
    driver.pipe("orders", "a", "1").unwrap();
    driver.pipe("orders", "b", "bad").unwrap_err();
    driver.pipe("orders", "c", "1").unwrap();
    let keys: Vec<String> = driver.read(handles.outcomes).unwrap().into_iter().map(|outcome| outcome.key).collect();
    assert_eq!(keys, ["a", "c"]);
    assert_eq!(driver.get(handles.outcome_of, "b"), None);
}

#[test]
fn a_position_that_a_record_brought_along_is_replaced() {
    // Outcomes of `outcome-of` carry the header themselves; one that goes through a second positioned sink must not keep it.
    let (mut driver, sink) = TopologyTestDriver::new(|b| {
        let (_, back) = (topology(b), b.source::<String, String>("again", &["outcomes"], Text, Text));
        b.positioned_sink("copies", back, "copies", Text, Text)
    })
    .unwrap();
    driver.pipe("orders", "two", "2").unwrap();
    let copies = driver.read(sink).unwrap();
    let positions: Vec<_> = copies[0].headers.iter().filter(|header| header.name == "position").collect();
    assert_eq!(positions.len(), 1);
    assert_eq!(positions[0].value.as_deref(), Some(&b""[..]), "that task writes nothing else");
}
