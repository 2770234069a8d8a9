//! How many events an instance processes per second of its CPU, and how much memory it takes.
//!
//! ```text
//! scripts/kafka run -- cargo bench --bench process
//! ```
//!
//! Writes the life of 300,000 orders (about 1,030,000 events; another number as argument) to a real Kafka, starts the real binary
//! on it, and measures until nothing lags. CPU is the process' own from /proc, memory its highest resident size. It prints a
//! table and never fails on a time: machines differ, so compare figures of one run.

// Times here are the real machine's.
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_viewmill");

/// Clock ticks in a second of /proc's CPU times; Linux has had 100 for all programs since long.
const TICKS_PER_SECOND: f64 = 100.0;

const GIVE_UP: Duration = Duration::from_secs(600);

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let orders = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(300_000_u64);
    let servers = std::env::var("VIEWMILL_TEST_KAFKA").map_err(|_| "no Kafka: run `scripts/kafka run -- cargo bench --bench process`")?;
    let directory = std::env::temp_dir().join(format!("viewmill-bench-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let result = measure(&servers, orders, &directory);
    fs::remove_dir_all(&directory)?;
    result
}

fn measure(servers: &str, orders: u64, directory: &Path) -> Fallible<()> {
    let prefix = format!("bench-{}-", std::process::id());
    println!("writing the life of {orders} orders");
    let sample = viewmill(servers, &prefix, directory)
        .args(["sample", "--count", &orders.to_string(), "--rate", "0", "--seed", "7"])
        .stdout(Stdio::null())
        .status()?;
    if !sample.success() {
        return Err(format!("viewmill sample ended with {sample}").into());
    }
    let instance = Instance::start(viewmill(servers, &prefix, directory).arg("run"), directory)?;
    let ready = Instant::now();
    let events = instance.wait_until_nothing_lags(ready)?;
    let wall = ready.elapsed();
    let cpu = instance.cpu_seconds()?;
    println!("\n| what | figure |\n|---|---|");
    println!("| events | {events} |");
    println!(
        "| wall, from an empty directory to no lag | {:.1} s, {:.0} events/s |",
        wall.as_secs_f64(),
        events as f64 / wall.as_secs_f64()
    );
    println!("| CPU of the process | {cpu:.2} s |");
    println!("| **events per CPU second** | **{:.0}** |", events as f64 / cpu);
    println!("| memory, resident at the peak | {} MiB |", instance.status_kib("VmHWM")? / 1024);
    println!("| transactions | {} |", instance.metric("viewmill_transactions_total{result=\"committed\"}")?);
    println!("\n| thread | CPU, s |\n|---|---|");
    for (thread, seconds) in instance.threads()? {
        println!("| {thread} | {seconds:.2} |");
    }
    Ok(())
}

fn viewmill(servers: &str, prefix: &str, directory: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", servers)
        .env("VIEWMILL__APPLICATION__ID", prefix.trim_end_matches('-'))
        .env("VIEWMILL__APPLICATION__TOPIC_PREFIX", prefix)
        .env("VIEWMILL__APPLICATION__STATE_DIR", directory)
        .env("VIEWMILL__HTTP__LISTEN", "127.0.0.1:0")
        .env("VIEWMILL__LOG__LEVEL", "warn")
        .current_dir(directory);
    command
}

/// The process that is measured; killed when dropped.
struct Instance {
    child: Child,
    address: String,
}

impl Instance {
    fn start(command: &mut Command, directory: &Path) -> Fallible<Self> {
        let (file, child) = (directory.join("http.addr"), command.spawn()?);
        let mut instance = Instance { child, address: String::new() };
        let began = Instant::now();
        while began.elapsed() < GIVE_UP && instance.child.try_wait()?.is_none() {
            instance.address = fs::read_to_string(&file).unwrap_or_default().trim().to_string();
            if !instance.address.is_empty() {
                return Ok(instance);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("the instance did not start".into())
    }

    /// Answers how many events it took.
    fn wait_until_nothing_lags(&self, began: Instant) -> Fallible<u64> {
        while began.elapsed() < GIVE_UP {
            let metrics = self.metrics()?;
            let lags: Vec<f64> = metrics.lines().filter(|line| line.starts_with("viewmill_consumer_lag_records{")).map(value).collect();
            // Three topics of four partitions.
            if lags.len() == 12 && lags.iter().all(|lag| *lag == 0.0) {
                return Ok(self.metric("viewmill_consumer_records_total")? as u64);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("it still lags".into())
    }

    fn metric(&self, name: &str) -> Fallible<f64> {
        let metrics = self.metrics()?;
        let line = metrics.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        Ok(value(line.ok_or_else(|| format!("no metric {name}"))?))
    }

    fn metrics(&self) -> Fallible<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    fn cpu_seconds(&self) -> Fallible<f64> {
        stat_cpu_seconds(&self.proc("stat"))
    }

    fn status_kib(&self, field: &str) -> Fallible<u64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find(|line| line.starts_with(field)).ok_or("no such field")?;
        Ok(line.split_whitespace().nth(1).ok_or("no value")?.parse()?)
    }

    /// The threads that took CPU, those of one name together, most first.
    fn threads(&self) -> Fallible<Vec<(String, f64)>> {
        let mut sums: Vec<(String, f64)> = Vec::new();
        for entry in fs::read_dir(self.proc("task"))? {
            let path = entry?.path();
            let name = fs::read_to_string(path.join("comm"))?.trim().to_string();
            let seconds = stat_cpu_seconds(&path.join("stat"))?;
            match sums.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += seconds,
                None => sums.push((name, seconds)),
            }
        }
        sums.retain(|(_, seconds)| *seconds >= 0.05);
        sums.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(sums)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn stat_cpu_seconds(path: &Path) -> Fallible<f64> {
    let stat = fs::read_to_string(path)?;
    // Behind the name, which may hold anything but a last ')': state is field 3, user and system time are 14 and 15.
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no name")?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at - 3).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(14) + ticks(15)) / TICKS_PER_SECOND)
}

fn value(line: &str) -> f64 {
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
}
