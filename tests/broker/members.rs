//! Several instances answer as one: who has not got a task names who has.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use viewmill::kafka::{KafkaAdmin, KafkaChangelogReader, KafkaSettings};
use viewmill::ports::{Admin, ChangelogReader, NewTopic};
use viewmill::record::{Offset, TopicPartition};

use crate::support::{Instance, LOOK_INTERVAL, PATIENCE, Run, bootstrap, eventually_served};

const SEED: u64 = 7;
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// A member that died is named no longer than this: ten seconds without a heartbeat, and what a busy machine adds.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// What an instance says of a member: its row, `None` when it knows none.
fn member(asked: &mut Instance, name: &str) -> Option<Value> {
    let answer: Value = serde_json::from_str(&asked.try_get("/v1/members").unwrap().body).unwrap();
    answer["members"].as_array().unwrap().iter().find(|member| member["instance"] == name).cloned()
}

/// How many tasks a member runs, as another sees it.
fn active_tasks(asked: &mut Instance, name: &str) -> usize {
    let is_active = |task: &&Value| task["role"] == "active" && task["state"] == "active";
    member(asked, name).map_or(0, |member| member["tasks"].as_array().unwrap().iter().filter(is_active).count())
}

fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(LOOK_INTERVAL);
    }
    started.elapsed()
}

/// Two instances that share the eight tasks and know it of each other.
fn pair(run: &Run) -> (Instance, Instance) {
    let (mut first, mut second) = (Instance::start(run, "a", &[]), Instance::start(run, "b", &[]));
    first.wait_ready();
    second.wait_ready();
    wait_until("each runs four tasks, and both know", PATIENCE, || {
        [&mut first, &mut second].into_iter().all(|asked| active_tasks(asked, "a") == 4 && active_tasks(asked, "b") == 4)
    });
    first.follow_one_redirect();
    second.follow_one_redirect();
    (first, second)
}

#[test]
fn every_order_is_served_by_any_instance_with_one_redirect_at_most_also_after_a_kill() {
    let run = Run::new("members");
    run.begin_producing(2_000, SEED, None).finish();
    let (mut first, mut second) = pair(&run);
    let expected = run.fold();
    eventually_served(&expected, &mut [&mut first], PATIENCE);
    eventually_served(&expected, &mut [&mut second], PATIENCE);
    let known = member(&mut second, "a").unwrap();
    assert_eq!((&known["url"], &known["self"]), (&Value::from(first.url()), &Value::from(false)));

    first.kill();
    let gone = wait_until("the killed member is named no more", GONE_WITHIN, || member(&mut second, "a").is_none());
    println!("the killed member was gone after {gone:?}");
    wait_until("the survivor runs all tasks", PATIENCE, || active_tasks(&mut second, "b") == 8);
    eventually_served(&expected, &mut [&mut second], PATIENCE);

    let mut first = Instance::start(&run, "a", &[]);
    first.follow_one_redirect();
    first.wait_ready();
    eventually_served(&expected, &mut [&mut first], PATIENCE);
    eventually_served(&expected, &mut [&mut second], PATIENCE);
}

#[test]
fn an_instance_that_is_told_to_stop_takes_its_name_out() {
    let run = Run::new("farewell");
    run.begin_producing(200, SEED, None).finish();
    let (mut first, mut second) = pair(&run);
    let expected = run.fold();
    for round in 0..2 {
        assert!(first.terminate(DRAIN_LIMIT).success(), "a drained instance ends with 0");
        assert_eq!(last_words(&run, "a"), Some(None), "round {round}: the last record is a tombstone");
        // Not after the bound for silent members, but at once.
        wait_until("the member that left is named no more", Duration::from_secs(2), || member(&mut second, "a").is_none());
        first = Instance::start(&run, "a", &[]);
        first.follow_one_redirect();
        first.wait_ready();
    }
    eventually_served(&expected, &mut [&mut first], PATIENCE);
    eventually_served(&expected, &mut [&mut second], PATIENCE);
}

/// The last record of a member in the topic: `None` when there is none, `Some(None)` for a tombstone.
fn last_words(run: &Run, name: &str) -> Option<Option<Vec<u8>>> {
    let topic = TopicPartition::new(format!("{}{}-members", run.topic_prefix, run.id), 0);
    let mut reader = KafkaChangelogReader::new(&KafkaSettings::new(bootstrap(), &run.id, "test")).unwrap();
    reader.open(&topic, Offset(0)).unwrap();
    let (mut last, mut at_end) = (None, false);
    while !at_end {
        let chunk = reader.read(&topic, Duration::from_secs(5)).unwrap();
        at_end = chunk.at_end;
        last = chunk
            .records
            .into_iter()
            .filter(|record| record.key.as_deref() == Some(name.as_bytes()))
            .map(|record| record.value)
            .next_back()
            .or(last);
    }
    last
}

#[test]
fn a_members_topic_that_keeps_no_last_words_is_refused_by_name() {
    let run = Run::new("forgetful");
    let topic = format!("{}{}-members", run.topic_prefix, run.id);
    let settings = vec![("cleanup.policy".to_string(), "delete".to_string())];
    let mut admin = KafkaAdmin::new(&KafkaSettings::new(bootstrap(), &run.id, "test")).unwrap();
    admin.create_topic(&NewTopic { name: topic.clone(), partitions: 1, replication_factor: Some(1), settings }).unwrap();
    let mut instance = Instance::start(&run, "a", &[]);
    let refusal = format!("members topic {topic} has cleanup.policy=delete, it must include compact");
    wait_until("the start is refused by name", PATIENCE, || {
        instance.try_get("/readyz?verbose").is_ok_and(|answer| answer.status == 503 && answer.body.contains(&refusal))
    });
}
