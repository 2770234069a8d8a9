//! The real binary on sample orders, as a process that is measured. Shared by the benches.

// Times here are the real machine's.
#![allow(clippy::disallowed_methods)]
// Each bench needs a part of it.
#![allow(dead_code)]

#[path = "proc.rs"]
pub mod proc;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_viewmill");

const GIVE_UP: Duration = Duration::from_secs(600);

pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Writes the life of 300,000 orders, or of as many as the first number among the arguments says, to Kafka, starts an instance on an
/// empty directory, and measures it.
pub fn with_orders(bench: &str, measure: impl FnOnce(&Instance) -> Fallible<()>) -> Fallible<()> {
    let orders = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(300_000_u64);
    with_setup(bench, |setup| {
        setup.write_orders(orders)?;
        measure(&setup.start(setup.viewmill().arg("run"))?)
    })
}

/// A directory of its own, and the Kafka that the bench was started with.
pub fn with_setup(bench: &str, measure: impl FnOnce(&Setup) -> Fallible<()>) -> Fallible<()> {
    with_setup_on(None, bench, measure)
}

/// The same on the broker at this address, if it is given.
pub fn with_setup_on(servers: Option<String>, bench: &str, measure: impl FnOnce(&Setup) -> Fallible<()>) -> Fallible<()> {
    let servers = servers
        .or_else(|| std::env::var("VIEWMILL_TEST_KAFKA").ok())
        .ok_or_else(|| format!("no Kafka: run `scripts/kafka run -- cargo bench --bench {bench}`"))?;
    let directory = std::env::temp_dir().join(format!("viewmill-bench-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let setup = Setup { servers, prefix: format!("bench-{}-", std::process::id()), directory };
    let result = measure(&setup);
    fs::remove_dir_all(&setup.directory)?;
    result
}

/// Where instances of a bench run.
pub struct Setup {
    pub servers: String,
    pub prefix: String,
    /// The state directory.
    pub directory: PathBuf,
}

impl Setup {
    pub fn write_orders(&self, orders: u64) -> Fallible<()> {
        println!("writing the life of {orders} orders");
        let mut sample = self.viewmill();
        sample.args(["sample", "--count", &orders.to_string(), "--rate", "0", "--seed", "7"]).stdout(Stdio::null());
        let ended = sample.status()?;
        if ended.success() { Ok(()) } else { Err(format!("viewmill sample ended with {ended}").into()) }
    }

    /// The real binary.
    pub fn viewmill(&self) -> Command {
        self.command(Path::new(BINARY))
    }

    /// A program with the bench's configuration in its environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", &self.servers)
            .env("VIEWMILL__APPLICATION__ID", self.prefix.trim_end_matches('-'))
            .env("VIEWMILL__APPLICATION__TOPIC_PREFIX", &self.prefix)
            .env("VIEWMILL__APPLICATION__STATE_DIR", &self.directory)
            .env("VIEWMILL__HTTP__LISTEN", "127.0.0.1:0")
            .env("VIEWMILL__LOG__LEVEL", std::env::var("VIEWMILL__LOG__LEVEL").unwrap_or_else(|_| "warn".into()))
            .current_dir(&self.directory);
        command
    }

    pub fn start(&self, command: &mut Command) -> Fallible<Instance> {
        Instance::start(command, &self.directory)
    }
}

/// The process that is measured; killed when dropped.
pub struct Instance {
    child: Child,
    address: String,
    began: Instant,
}

impl Instance {
    fn start(command: &mut Command, directory: &Path) -> Fallible<Self> {
        let file = directory.join("http.addr");
        // That of an earlier instance.
        let _ = fs::remove_file(&file);
        let (began, child) = (Instant::now(), command.spawn()?);
        let mut instance = Instance { child, address: String::new(), began };
        while began.elapsed() < GIVE_UP && instance.child.try_wait()?.is_none() {
            instance.address = fs::read_to_string(&file).unwrap_or_default().trim().to_string();
            if !instance.address.is_empty() {
                return Ok(instance);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err("the instance did not start".into())
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Answers how long it took from the process' start until it said that it is ready.
    pub fn wait_until_ready(&mut self) -> Fallible<Duration> {
        while self.began.elapsed() < GIVE_UP && self.child.try_wait()?.is_none() {
            if self.get("/readyz")?.starts_with("HTTP/1.1 200") {
                return Ok(self.began.elapsed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("the instance did not get ready".into())
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(mut self) -> Fallible<()> {
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let ended = self.child.wait()?;
        if ended.success() { Ok(()) } else { Err(format!("the instance ended with {ended}").into()) }
    }

    /// Sends SIGKILL.
    pub fn kill(mut self) -> Fallible<()> {
        self.child.kill()?;
        Ok(self.child.wait().map(drop)?)
    }

    /// Answers how many events it took.
    pub fn wait_until_nothing_lags(&self) -> Fallible<u64> {
        // Five topics of four partitions: events, commands and their outcomes.
        self.wait_until_no_lag_on(20)
    }

    /// The same for so many source partitions.
    pub fn wait_until_no_lag_on(&self, partitions: usize) -> Fallible<u64> {
        let began = Instant::now();
        while began.elapsed() < GIVE_UP {
            let metrics = self.metrics()?;
            let lags: Vec<f64> = metrics.lines().filter(|line| line.starts_with("viewmill_consumer_lag_records{")).map(value).collect();
            if lags.len() == partitions && lags.iter().all(|lag| *lag == 0.0) {
                return Ok(self.metric("viewmill_consumer_records_total")? as u64);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("it still lags".into())
    }

    pub fn metric(&self, name: &str) -> Fallible<f64> {
        let metrics = self.metrics()?;
        let line = metrics.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        Ok(value(line.ok_or_else(|| format!("no metric {name}"))?))
    }

    fn metrics(&self) -> Fallible<String> {
        self.get("/metrics")
    }

    fn get(&self, path: &str) -> Fallible<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    pub fn cpu_seconds(&self) -> Fallible<f64> {
        proc::cpu_seconds(&self.proc("stat"))
    }

    pub fn status_kib(&self, field: &str) -> Fallible<u64> {
        proc::status_kib(&self.proc("status"), field)
    }

    /// The threads that took CPU, those of one name together, most first.
    pub fn threads(&self) -> Fallible<Vec<(String, f64)>> {
        let mut sums: Vec<(String, f64)> = Vec::new();
        for entry in fs::read_dir(self.proc("task"))? {
            let path = entry?.path();
            let name = fs::read_to_string(path.join("comm"))?.trim().to_string();
            let seconds = proc::cpu_seconds(&path.join("stat"))?;
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

/// The CPU time of this process itself.
pub fn own_cpu_seconds() -> Fallible<f64> {
    proc::cpu_seconds(Path::new("/proc/self/stat"))
}

fn value(line: &str) -> f64 {
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
}
