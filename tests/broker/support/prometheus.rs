//! A real Prometheus that scrapes an instance, and promtool.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::{HttpClient, LOOK_INTERVAL, PATIENCE};

/// A running Prometheus, which scrapes once a second. Killed when dropped.
pub struct Prometheus {
    process: Child,
    client: HttpClient,
}

impl Prometheus {
    /// Starts it with its data below `dir`. It scrapes one address, also while nobody listens there; the job is `viewmill`.
    pub fn start(dir: &Path, target: SocketAddr) -> Prometheus {
        let home = dir.join("prometheus");
        fs::create_dir_all(&home).unwrap();
        let config = home.join("prometheus.yml");
        let settings = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "900ms"},
            "scrape_configs": [{"job_name": "viewmill", "static_configs": [{"targets": [target.to_string()]}]}],
        });
        // JSON is YAML.
        fs::write(&config, settings.to_string()).unwrap();
        let address = free_address();
        let log = File::create(home.join("log")).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", home.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus cannot be started ({error}). Run: scripts/setup test"));
        Prometheus { process, client: HttpClient::new(address) }
    }

    /// Waits until an expression has a value.
    ///
    /// # Panics
    /// When it has none in time.
    pub fn wait_for(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_value(expression) {
            assert!(Instant::now() < deadline, "prometheus has no value of {expression}");
            thread::sleep(LOOK_INTERVAL * 5);
        }
    }

    fn has_value(&mut self, expression: &str) -> bool {
        let answer = self.client.get(&format!("/api/v1/query?query={}", encoded(expression)));
        answer.is_ok_and(|answer| answer.status == 200 && answer.body.contains(r#""value":"#))
    }

    /// The finite points of an expression over the last `seconds`.
    pub fn finite_points(&mut self, expression: &str, seconds: u32) -> Result<usize, String> {
        let now = self.now();
        let path = format!("/api/v1/query_range?query={}&start={}&end={now}&step=1", encoded(expression), now - f64::from(seconds));
        let answer = self.client.get(&path).map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(answer.body);
        }
        let body: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        let series = body["data"]["result"].as_array().ok_or("no result")?;
        let points = series.iter().filter_map(|series| series["values"].as_array()).flatten();
        Ok(points.filter(|point| point[1].as_str().and_then(|value| value.parse::<f64>().ok()).is_some_and(f64::is_finite)).count())
    }

    /// All metric names that were scraped.
    pub fn names(&mut self) -> BTreeSet<String> {
        let answer = self.client.get("/api/v1/label/__name__/values").unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        body["data"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string()).collect()
    }

    /// Prometheus' own time, in seconds.
    fn now(&mut self) -> f64 {
        let answer = self.client.get("/api/v1/query?query=time()").unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        body["data"]["result"][1].as_str().unwrap().parse().unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What `promtool check metrics` finds fault with; empty when nothing.
pub fn faults_by_promtool(exposition: &str) -> String {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool cannot be started ({error}). Run: scripts/setup test"));
    promtool.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim().to_string();
    match output.status.success() {
        true => text,
        false => format!("{}: {text}", output.status),
    }
}

/// An address that nobody listened on a moment ago, for what does not tell which free one it took.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
