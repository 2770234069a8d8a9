//! The command line of the real binary: `check --online`, stopping before Kafka was reached, and the log.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use viewmill::kafka::{KafkaAdmin, KafkaSettings};
use viewmill::ports::{Admin, NewTopic};

use crate::support::{Instance, LOOK_INTERVAL, PATIENCE, Run, bootstrap};

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

/// Runs a command of the real binary with the names of a run. `settings` are further environment variables.
pub fn viewmill(run: &Run, arguments: &str, settings: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viewmill"));
    for (inherited, _) in std::env::vars().filter(|(name, _)| name.starts_with("VIEWMILL__")) {
        command.env_remove(inherited);
    }
    let started = Instant::now();
    let output = command
        .args(arguments.split_whitespace())
        .current_dir(&run.dir)
        .env("VIEWMILL__APPLICATION__ID", &run.id)
        .env("VIEWMILL__APPLICATION__TOPIC_PREFIX", &run.topic_prefix)
        .env("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", bootstrap())
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr), took: started.elapsed() }
}

impl Ended {
    /// # Panics
    /// When it did not end so, or one of the texts is not on standard error.
    pub fn must_tell(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in texts {
            assert!(self.err.contains(text), "{text:?} is not told:\n{}", self.err);
        }
    }
}

fn admin(run: &Run) -> KafkaAdmin {
    KafkaAdmin::new(&KafkaSettings::new(bootstrap(), &run.id, "test")).unwrap()
}

fn make(run: &Run, topic: &str, partitions: i32, policy: &str) {
    let settings = vec![("cleanup.policy".to_owned(), policy.to_owned())];
    let name = format!("{}{topic}", run.topic_prefix);
    admin(run).create_topic(&NewTopic { name, partitions, replication_factor: Some(1), settings }).unwrap();
}

const TOPICS: [&str; 3] = ["order-events", "payment-events", "shipping-events"];

#[test]
fn check_online_tells_what_would_be_made_and_makes_nothing() {
    let run = Run::new("check-empty");
    let checked = viewmill(&run, "check --online", &[]);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""), "{checked:?}");
    let names: Vec<String> = TOPICS.iter().map(|topic| format!("{}{topic}", run.topic_prefix)).collect();
    for name in &names {
        assert!(checked.out.contains(&format!("topic {name} does not exist and would be made, with 4 partitions\n")), "{}", checked.out);
    }
    let tasks = format!("topic {}{}-tasks does not exist and would be made, with ", run.topic_prefix, run.id);
    assert!(checked.out.contains(&tasks), "{}", checked.out);
    assert!(checked.out.ends_with("the configuration, the topology and the cluster have no faults\n"), "{}", checked.out);

    let refused = viewmill(&run, "check --online --set topics.create=false", &[]);
    for name in &names {
        refused.must_tell(2, &[&format!("topic {name} does not exist, and topics.create is off: make it with 4 partitions")]);
    }
    assert!(admin(&run).topics(&[&names[0], &names[1], &names[2]]).unwrap().iter().all(Option::is_none), "nothing was made");
}

#[test]
fn check_online_names_every_topic_that_does_not_fit() {
    let run = Run::new("check-faults");
    for (topic, partitions) in TOPICS.iter().zip([4, 3, 4]) {
        make(&run, topic, partitions, "delete");
    }
    make(&run, &format!("{}-orders-changelog", run.id), 2, "delete");
    make(&run, &format!("{}-tasks", run.id), 4, "compact,delete");
    let (id, prefix) = (&run.id, &run.topic_prefix);
    let checked = viewmill(&run, "check --online --set topics.replication_factor=3", &[]);
    checked.must_tell(
        2,
        &[
            &format!("{prefix}order-events has 4, {prefix}payment-events has 3, {prefix}shipping-events has 4"),
            &format!("changelog {prefix}{id}-orders-changelog has 2 partitions, its sources have 4"),
            &format!("changelog {prefix}{id}-orders-changelog has cleanup.policy=delete, it must be compact only"),
            &format!("task log {prefix}{id}-tasks has cleanup.policy=compact,delete, it must be compact only"),
            "topics.replication_factor is 3, but the cluster has 1 broker: set it to at most 1",
        ],
    );
    // What does not fit refuses the start in the same words.
    let mut instance = Instance::start(&run, "a", &[]);
    let ready = eventually(&mut instance, |body| body.contains("error"));
    assert!(ready.contains(&format!("changelog {prefix}{id}-orders-changelog has 2 partitions, its sources have 4")), "{ready}");
}

/// What `/readyz` says once it fits.
pub fn eventually(instance: &mut Instance, fits: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut last = String::new();
    while Instant::now() < deadline {
        if let Ok(response) = instance.try_get("/readyz?verbose") {
            if response.status == 503 && fits(&response.body) {
                return response.body;
            }
            last = response.body;
        }
        thread::sleep(LOOK_INTERVAL);
    }
    panic!("/readyz does not say so after {PATIENCE:?}: {last}");
}

#[test]
fn check_online_beside_a_running_instance_leaves_it_alone() {
    let run = Run::new("check-beside");
    run.begin_producing(200, 7, None).finish();
    // One thread, so that no task still moves between two of them once it is ready.
    let mut instance = Instance::start(&run, "a", &[("VIEWMILL__PROCESSING__STREAM_THREADS", "1")]);
    instance.wait_ready();
    let tasks = instance.try_get("/v1/tasks").unwrap().body;
    let checked = viewmill(&run, "check --online", &[("VIEWMILL__APPLICATION__INSTANCE_ID", "a")]);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""), "{checked:?}");
    assert_eq!(instance.try_get("/v1/tasks").unwrap().body, tasks);
    // Its producers were not fenced: what comes now is committed.
    run.begin_producing(300, 8, None).finish();
    crate::support::eventually_served(&run.fold(), &mut [&mut instance], PATIENCE);
    let log = fs::read_to_string(run.dir.join("a/log")).unwrap();
    assert!(!log.to_lowercase().contains("fenced"), "{log}");
}

/// An address where connections are taken and nothing is answered, as long as the listener lives.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// An address where nobody listens.
fn closed() -> String {
    silent().1
}

#[test]
fn check_online_names_each_broker_that_cannot_be_reached_in_bounded_time() {
    let run = Run::new("check-away");
    let ((_listener, silent), closed) = (silent(), closed());
    let servers = format!("{silent},{closed},{}", bootstrap());
    let checked = viewmill(&run, "check --online", &[("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", &servers)]);
    checked.must_tell(2, &["the cluster has 2 faults:", &format!("{closed} cannot be reached: ")]);
    checked.must_tell(2, &[&format!("{silent} cannot be reached: no answer within"), "refused"]);
    assert!(checked.took < Duration::from_secs(12), "{checked:?}");
}

#[test]
fn sigterm_stops_an_instance_that_waits_for_its_first_connection() {
    let run = Run::new("stop-early");
    let ((_listener, silent), closed) = (silent(), closed());
    for (name, servers) in [("silent", silent), ("closed", closed)] {
        // At different moments of an attempt.
        for after_ms in [100, 1_500] {
            let mut instance = Instance::start(&run, &format!("{name}-{after_ms}"), &[("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", &servers)]);
            eventually(&mut instance, |body| body.contains("created"));
            thread::sleep(Duration::from_millis(after_ms));
            let asked = Instant::now();
            let status = instance.terminate(PATIENCE);
            assert!(asked.elapsed() < Duration::from_secs(2), "{name}: {:?}", asked.elapsed());
            assert_eq!(status.code(), Some(0), "{name}");
        }
    }
}

/// Each line as JSON.
fn json_lines(log: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(log).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn a_log_in_json_is_an_object_a_line_with_librdkafkas_lines_too() {
    let run = Run::new("json-log");
    let closed = closed();
    let settings = [("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", closed.as_str()), ("VIEWMILL__LOG__FORMAT", "json")];
    let mut instance = Instance::start(&run, "a", &settings);
    eventually(&mut instance, |body| body.contains(&closed));
    instance.terminate(PATIENCE);
    let lines = json_lines(&run.dir.join("a/log"));
    assert!(lines.len() >= 3, "{lines:?}");
    for line in &lines {
        let has = |name: &str| line[name].is_string();
        assert!(has("timestamp") && has("level") && has("target") && has("message"), "{line}");
    }
    assert!(lines.iter().any(|line| line["target"] == "librdkafka" && line["message"].as_str().unwrap().contains(&closed)), "{lines:?}");
}

#[test]
fn a_log_as_text_is_a_line_an_event() {
    let run = Run::new("text-log");
    let refused = viewmill(&run, "sample --count 1 --set topics.create=false", &[("VIEWMILL__LOG__FORMAT", "text")]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let line = refused.err.lines().last().unwrap();
    assert!(line.contains("ERROR") && line.contains("order-events does not exist"), "{line}");
}
