//! Records that no view can use meet the policy of their topic, exactly, and good ones beside them are not touched.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Instant;

use serde::Deserialize;

use crate::spine::seed;
use crate::support::{Instance, LOOK_INTERVAL, PATIENCE, Run, eventually_served};

/// A line of the manifest.
#[derive(Deserialize)]
struct Written {
    kind: String,
    word: String,
    topic: String,
    partition: i32,
    offset: i64,
}

/// What dead_letters.py found.
#[derive(Deserialize)]
struct Found {
    counts: BTreeMap<String, usize>,
    faults: Vec<String>,
}

fn manifest(run: &Run) -> Vec<Written> {
    let lines = fs::read_to_string(run.manifest()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The dead letters are those of the manifest, each as it must be, but for the topics `without`; answers how many of each kind.
fn assert_dead_letters(run: &Run, without: &[&str]) -> BTreeMap<String, usize> {
    let arguments: Vec<&str> = without.iter().flat_map(|topic| ["--without", topic]).collect();
    let found: Found = serde_json::from_str(&run.dead_letters(&arguments)).unwrap();
    assert!(found.faults.is_empty(), "{} faults: {:#?}", found.faults.len(), &found.faults[..found.faults.len().min(8)]);
    let mut expected = BTreeMap::new();
    for written in manifest(run).into_iter().filter(|written| !without.contains(&written.topic.as_str())) {
        *expected.entry(written.kind).or_default() += 1;
    }
    assert_eq!(found.counts, expected);
    expected
}

/// Every record of the manifest counts once, by why; those that are not `without` went to dead-letter topics.
fn assert_counted(instance: &mut Instance, run: &Run, without: &[&str]) {
    let written = manifest(run);
    let of = |word: &str| written.iter().filter(|written| written.word == word).count() as f64;
    for word in ["deserialization", "misplaced", "rejected", "panicked"] {
        let dropped = instance.metric("viewmill_records_dropped_total", &[&format!(r#"reason="{word}""#)]);
        assert_eq!(dropped, of(word), "{word}");
    }
    let dead_letters = written.iter().filter(|written| !without.contains(&written.topic.as_str())).count() as f64;
    assert_eq!(instance.metric("viewmill_dead_letter_records_total", &[]), dead_letters);
    assert_eq!(instance.metric("viewmill_records_misplaced_total", &[]), of("misplaced"));
    assert_eq!(instance.metric("viewmill_deserialization_errors_total", &[]), of("deserialization"));
}

/// Waits until everything that is in the topics was processed.
fn wait_until_nothing_lags(instance: &mut Instance) {
    let deadline = Instant::now() + PATIENCE;
    while instance.metric("viewmill_consumer_lag_records", &[]) > 0.0 {
        assert!(Instant::now() < deadline, "it still lags");
        thread::sleep(LOOK_INTERVAL);
    }
}

#[test]
fn each_kind_of_poison_becomes_a_dead_letter_and_changes_nothing() {
    let run = Run::new("poison");
    run.begin_poisoning(3_000, seed(), 50, None).finish();
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let fold = run.fold();
    eventually_served(&fold, &mut [&mut instance], PATIENCE);
    wait_until_nothing_lags(&mut instance);

    let counts = assert_dead_letters(&run, &[]);
    let poisoned: usize = counts.values().sum();
    println!("{poisoned} dead letters of {} kinds", counts.len());
    assert!(counts.len() >= 40 && counts.values().all(|count| *count >= 5), "too few of some kinds: {counts:?}");
    assert_counted(&mut instance, &run, &[]);
    fold.views.assert_served(&fold, &mut instance.client(), &[100]);
}

#[test]
fn each_dead_letter_is_there_once_whatever_is_killed() {
    let run = Run::new("poison-kill");
    let producing = run.begin_poisoning(4_000, seed(), 20, None);
    let mut instance = Instance::start(&run, "a", &[]);
    for _ in 0..4 {
        instance.wait_ready();
        instance.kill();
        instance = Instance::start(&run, "a", &[]);
    }
    producing.finish();
    instance.wait_ready();
    eventually_served(&run.fold(), &mut [&mut instance], PATIENCE);
    wait_until_nothing_lags(&mut instance);
    assert_dead_letters(&run, &[]);
}

#[test]
fn a_topic_has_a_policy_of_its_own() {
    let run = Run::new("poison-skip");
    run.begin_poisoning(1_500, seed(), 20, None).finish();
    let mut instance = Instance::start(&run, "a", &[("VIEWMILL__PROCESSING__SOURCES__order-events__POISON_POLICY", "skip")]);
    instance.wait_ready();
    eventually_served(&run.fold(), &mut [&mut instance], PATIENCE);
    wait_until_nothing_lags(&mut instance);
    assert_dead_letters(&run, &["order-events"]);
    assert_counted(&mut instance, &run, &["order-events"]);
}

#[test]
fn the_policy_stop_stops_before_the_record_and_reads_go_on() {
    let seed = seed();
    let run = Run::new("poison-stop");
    let stop = [("VIEWMILL__PROCESSING__POISON_POLICY", "stop")];
    run.begin_producing(500, seed, None).finish();
    let mut instance = Instance::start(&run, "a", &stop);
    instance.wait_ready();
    let before = run.fold();
    eventually_served(&before, &mut [&mut instance], PATIENCE);

    // One broken record before the first of as many orders again.
    run.begin_poisoning(500, seed + 1, usize::MAX >> 1, Some("broken-json")).finish();
    let [written] = &manifest(&run)[..] else { panic!("one record is poison") };
    assert_stopped(&mut instance, &run, written);
    assert!(before.iter().all(|order| order.is_served(&mut instance)), "what was processed is still served");

    instance.kill();
    let mut instance = Instance::start(&run, "a", &stop);
    assert_stopped(&mut instance, &run, written);

    // Its operator decides.
    instance.kill();
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    eventually_served(&run.fold(), &mut [&mut instance], PATIENCE);
    wait_until_nothing_lags(&mut instance);
    assert_dead_letters(&run, &[]);
}

/// State ERROR that names the record; alive, not ready.
fn assert_stopped(instance: &mut Instance, run: &Run, written: &Written) {
    let record = format!("{}{}:{}@{}", run.topic_prefix, written.topic, written.partition, written.offset);
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(ready) = instance.try_get("/readyz?verbose")
            && ready.status == 503
            && ready.body.contains(&record)
        {
            break;
        }
        assert!(Instant::now() < deadline, "it does not stop before {record}: {:?}", instance.try_get("/readyz?verbose"));
        thread::sleep(LOOK_INTERVAL);
    }
    assert_eq!(instance.try_get("/livez").unwrap().status, 200);
    assert_eq!(instance.metric("viewmill_state", &[r#"state="error""#]), 1.0);
}
