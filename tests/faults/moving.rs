//! Tasks that move under load: instances that are updated one after the other, and one that comes and goes all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Instance, LOOK_INTERVAL, PATIENCE};
use crate::workload::{DRAIN_LIMIT, Kind, Workload, cycles, records};

/// A read is tried again, at the other instance too, for as long as a hand-over takes.
const READ_WITHIN: Duration = Duration::from_secs(9);

#[test]
fn instances_are_updated_one_after_the_other_without_a_failed_read() {
    let mut workload = Workload::new("rolling", Kind::Functions);
    workload.produce(records(), Duration::from_secs(35));
    let names = ["a", "b"];
    let mut instances = names.map(|name| workload.start(name, &[]));
    instances.iter_mut().for_each(Instance::wait_ready);
    let key = first_key(&mut instances);
    let reader = Reader::start(&workload, names, key);
    for at in [0, 1, 0, 1] {
        thread::sleep(Duration::from_secs(2));
        let began = Instant::now();
        let status = instances[at].terminate(DRAIN_LIMIT);
        println!("{}: {status} after {:?}", names[at], began.elapsed());
        assert!(status.success(), "a drained instance ends with 0, not {status}");
        instances[at] = workload.start(names[at], &[]);
        instances[at].wait_ready();
    }
    println!("{}", reader.finish());
    workload.finish_producing();
    let [a, b] = &mut instances;
    workload.assert_right(&mut [a, b]);
}

#[test]
fn work_goes_on_while_an_instance_comes_and_goes_every_few_seconds() {
    let mut workload = Workload::new("churn", Kind::Functions);
    let rounds = cycles().max(4);
    workload.produce(records(), Duration::from_secs(10 * rounds as u64));
    // Shorter transactions, so that progress shows between two rounds.
    let often = [("VIEWMILL__PROCESSING__COMMIT_INTERVAL_MS", "1000"), ("VIEWMILL__PROCESSING__COMMIT_MIN_INTERVAL_MS", "1000")];
    let (mut first, mut second) = (workload.start("a", &often), workload.start("b", &often));
    first.wait_ready();
    second.wait_ready();
    let mut committed = Vec::new();
    for round in 0..rounds {
        let mut third = workload.start("c", &often);
        thread::sleep(Duration::from_secs(3));
        if round % 2 == 0 {
            assert!(third.terminate(DRAIN_LIMIT).success(), "a drained instance ends with 0");
        } else {
            third.kill();
        }
        thread::sleep(Duration::from_secs(1));
        committed.push([&mut first, &mut second].map(processed).iter().sum::<f64>());
    }
    assert!(workload.is_producing(), "the rounds must take place under load: produce more slowly");
    println!("records processed by the two that stay, after each round: {committed:?}");
    assert!(committed.windows(2).all(|pair| pair[0] < pair[1]), "no progress in a round: {committed:?}");
    workload.finish_producing();
    workload.assert_right(&mut [&mut first, &mut second]);
}

fn processed(instance: &mut Instance) -> f64 {
    instance.metric("viewmill_consumer_records_total", &[])
}

/// A key that has been counted.
fn first_key(instances: &mut [Instance]) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for instance in instances.iter_mut() {
            let answer = instance.try_get("/v1/stores/counts/items?scope=local&limit=1").map(|answer| answer.body).unwrap_or_default();
            let page: Value = serde_json::from_str(&answer).unwrap_or_default();
            if let Some(key) = page["items"][0]["key"].as_str() {
                return key.to_owned();
            }
        }
        assert!(Instant::now() < deadline, "no key is counted");
        thread::sleep(LOOK_INTERVAL);
    }
}

/// Reads a count all the time as a client that knows both instances would.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<String>,
}

impl Reader {
    fn start(workload: &Workload, names: [&str; 2], key: String) -> Reader {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let addresses = names.map(|name| workload.run.dir.join(name).join("state/http.addr"));
        let thread = thread::spawn(move || {
            let path = format!("/v1/stores/counts/items/{key}");
            let (mut last, mut reads, mut longest, mut refusals) = (0, 0, Duration::ZERO, 0);
            let (mut began, mut reason) = (Instant::now(), String::new());
            for at in (0..2).cycle() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                match read(&addresses[at], &path) {
                    Ok(count) => {
                        assert!(count >= last, "the count went back from {last} to {count}");
                        longest = longest.max(began.elapsed());
                        (last, reads, began) = (count, reads + 1, Instant::now());
                        thread::sleep(Duration::from_millis(10));
                    }
                    Err(refusal) => {
                        (refusals, reason) = (refusals + 1, refusal);
                        thread::sleep(Duration::from_millis(50));
                    }
                }
                assert!(began.elapsed() < READ_WITHIN, "no instance answers for {READ_WITHIN:?}: {reason}");
            }
            format!("{reads} reads, {refusals} were sent elsewhere or told to come again, the longest took {longest:?}")
        });
        Reader { stop, thread }
    }

    /// # Panics
    /// When a read failed.
    fn finish(self) -> String {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every read is answered")
    }
}

/// The count that an instance serves, or why it does not.
fn read(address: &std::path::Path, path: &str) -> Result<i64, String> {
    let address = std::fs::read_to_string(address).map_err(|_| "starts".to_owned())?;
    let address = address.trim().parse().map_err(|_| "starts".to_owned())?;
    let answer = crate::support::HttpClient::new(address).get(path).map_err(|error| error.to_string())?;
    match answer.status {
        200 => Ok(serde_json::from_str::<Value>(&answer.body).unwrap()["value"].as_i64().expect("a count")),
        // Another one has it, or it is being opened.
        307 | 503 => Err(format!("{} {}", answer.status, answer.body)),
        status => panic!("{path}: {status} {}", answer.body),
    }
}
