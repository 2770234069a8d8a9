//! A reset of the application: what was decided is not decided again, and what waits is decided once, on all that the log tells.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use viewmill::Timestamp;
use viewmill::kafka::{KafkaSettings, RecordWriter};
use viewmill::record::{Headers, OutputRecord};

use super::{Shop, eventually, log, order_of, parsed};
use crate::start::reset;
use crate::support::{Instance, PATIENCE, Run};

/// Writes a command into its topic, with the record's time so long ago.
fn write(run: &Run, order: &str, command: &Value, ago: Duration) {
    let writer = RecordWriter::new(&KafkaSettings::new(&run.bootstrap, &run.id, "others")).unwrap();
    let (topic, value) = (format!("{}order-commands", run.topic_prefix), command.to_string());
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - ago;
    let (key, value, timestamp) = (Some(order.as_bytes()), Some(value.as_bytes()), Some(Timestamp(at.as_millis() as i64)));
    writer.write(&OutputRecord { topic: &topic, partition: None, key, value, timestamp, headers: Headers::default() }).unwrap();
    writer.flush(Duration::from_secs(20)).unwrap();
}

fn types_of(run: &Run, order: &str) -> Vec<String> {
    log(run).into_iter().filter(|event| event[1] == order).map(|[_, _, kind, ..]| kind).collect()
}

#[test]
fn what_was_decided_is_not_decided_again_after_a_reset() {
    let run = Run::new("command-reset");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let key = [("Idempotency-Key", "k-1")];
    let order = shop.done(201, "/api/orders", &key, &order_of("kim")).0["orderId"].as_str().unwrap().to_owned();
    shop.done(200, &format!("/api/orders/{order}/approve"), &[], &Value::Null);
    assert!(instance.terminate(PATIENCE).success());

    // A clock that is an hour late: by time this comes before all that happened to the order.
    let ship =
        json!({"commandId": "ship-1", "type": "SHIP_ORDER", "aggregateId": order, "data": {"carrier": "CJ", "trackingNumber": "t-1"}});
    write(&run, &order, &ship, Duration::from_secs(3_600));
    let told = reset(&run, "--application");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.out.contains("would keep the place in commands, which are not decided again: "), "{}", told.out);
    let before = log(&run);
    let done = reset(&run, "--application --yes");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains(&format!("deleted the committed offsets of group {}, but those of commands", run.id)), "{}", done.out);

    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    eventually("the order is shipped", || types_of(&run, &order).contains(&"ORDER_SHIPPED".to_owned()).then_some(()));
    assert_eq!(types_of(&run, &order), ["ORDER_CREATED", "ORDER_APPROVED", "ORDER_SHIPPED"]);
    let outcome = eventually("the outcome is told", || {
        let outcome = shop.0.get("/api/commands/ship-1").unwrap();
        (outcome.status == 200).then(|| parsed(&outcome))
    });
    assert_eq!((&outcome["state"], &outcome["data"]["version"]), (&json!("succeeded"), &json!(3)), "{outcome}");
    // Whoever asks again for what was decided before gets no second order.
    shop.refused(503, "outcome-lost", "/api/orders", &key, &order_of("kim"));

    // Nothing is kept of a place that is given up on purpose: everything is decided again, and finds what it once made.
    assert!(instance.terminate(PATIENCE).success());
    let after = log(&run);
    assert!(after.len() == before.len() + 1 && before.iter().all(|event| after.contains(event)), "{after:?}");
    let again = reset(&run, "--application --redo-commands");
    assert!(again.out.contains(&format!("would delete group {} with its committed offsets", run.id)), "{again:?}");
}
