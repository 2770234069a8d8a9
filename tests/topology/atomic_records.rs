//! A record is all or nothing in its task, whatever its processors do.

use viewmill::testkit::TopologyTestDriver;
use viewmill::{Json, ProcessorError, Record, Sink, Store, Text, TopologyBuilder};

struct Handles {
    seen: Store<String, u64>,
    late: Store<String, u64>,
    out: Sink<String, String>,
}

/// `first` counts, forwards to the sink and to `second`; `second` counts and then fails on the value it is told to.
fn topology(ignore_failure: bool) -> impl FnOnce(&mut TopologyBuilder) -> Handles {
    move |b| {
        let input = b.source::<String, String>("input", &["input"], Text, Text);
        let (seen, late) = (b.store("seen", input), b.store("late", input));
        let (copies, rest) = (b.stream::<String, String>("copies"), b.stream::<String, String>("rest"));
        b.each("first", input, move |w| {
            let (seen, copies, rest) = (w.store(seen), w.output(copies), w.output(rest));
            // A field of the processor: not undone by the store's journal.
            let mut calls = 0_u64;
            move |context, record: Record<String, String>| {
                calls += 1;
                context.store(seen).put(&record.key, calls)?;
                context.forward(copies, record.clone())?;
                match context.forward(rest, record) {
                    Err(_) if ignore_failure => Ok(()),
                    result => result,
                }
            }
        });
        b.each("second", rest, move |w| {
            let late = w.store(late);
            move |context, record: Record<String, String>| {
                context.store(late).put(&record.key, 1)?;
                match record.value.as_str() {
                    "reject" => Err(ProcessorError::rejected("as told")),
                    "panic" => panic!("as told"),
                    _ => Ok(()),
                }
            }
        });
        let out = b.sink("out", copies, "out", Text, Json);
        Handles { seen, late, out }
    }
}

fn check(ignore_failure: bool, value: &str) -> ProcessorError {
    let (mut driver, handles) = TopologyTestDriver::new(topology(ignore_failure)).unwrap();
    driver.pipe("input", "good", "fine").unwrap();
    let error = driver.pipe("input", "bad", value).unwrap_err();
    driver.pipe("input", "next", "fine").unwrap();
    assert_eq!(driver.get(handles.seen, "bad"), None);
    assert_eq!(driver.get(handles.late, "bad"), None);
    assert_eq!(driver.get(handles.seen, "good"), Some(1));
    assert_eq!(driver.get(handles.seen, "next"), Some(1), "the processors were made anew: their fields began again");
    let keys: Vec<String> = driver.read(handles.out).unwrap().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["good", "next"], "an output that was forwarded before the failure is not sent");
    error
}

#[test]
fn a_rejected_record_leaves_no_trace() {
    assert!(check(false, "reject").to_string().contains("as told"));
}

#[test]
fn a_panic_is_one_record() {
    assert!(matches!(check(false, "panic"), ProcessorError::Panicked(text) if text == "as told"));
}

#[test]
fn a_failure_that_the_parent_ignores_is_still_a_failure() {
    assert!(check(true, "reject").to_string().contains("ignored"));
}

#[test]
fn bytes_that_are_not_the_type_are_rejected_by_name() {
    let (mut driver, _) = TopologyTestDriver::new(topology(false)).unwrap();
    let error = driver.pipe_bytes("input", Some(b"\xff"), Some(b"x"), viewmill::Timestamp(0)).unwrap_err();
    assert!(error.to_string().starts_with("record rejected: key is not UTF-8"), "{error}");
    let error = driver.pipe_bytes("input", None, Some(b"x"), viewmill::Timestamp(0)).unwrap_err();
    assert!(error.to_string().contains("key is null"), "{error}");
    let large = "x".repeat(2_000_000);
    let error = driver.pipe("input", "large", &large).unwrap_err();
    assert!(error.to_string().contains("an output has 2000007 bytes"), "{error}");
}
