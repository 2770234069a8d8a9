//! `viewmill run` as a process that a test kills, pauses, drains and asks.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::Response;
use super::{HttpClient, LOOK_INTERVAL, PATIENCE, Run};

/// The session time-out is 10 s.
const BEYOND_THE_SESSION: Duration = Duration::from_secs(15);

/// A running instance. Killed when dropped; when the test failed, the end of its log is shown.
pub struct Instance {
    name: String,
    process: Child,
    state_dir: PathBuf,
    log: PathBuf,
    client: Option<HttpClient>,
    /// Clients of servers that it redirected to; `None`: redirects are not followed.
    elsewhere: Option<BTreeMap<SocketAddr, HttpClient>>,
}

impl Instance {
    /// Starts the instance `name` of a run, which keeps its state over restarts. `settings` are further environment variables.
    pub fn start(run: &Run, name: &str, settings: &[(&str, &str)]) -> Instance {
        let home = run.dir.join(name);
        let state_dir = home.join("state");
        fs::create_dir_all(&state_dir).unwrap();
        // That of an earlier process: nobody listens there any more, or somebody else does.
        let _ = fs::remove_file(state_dir.join("http.addr"));
        let log = home.join("log");
        let output = File::options().create(true).append(true).open(&log).unwrap();

        let mut command = Command::new(run.program);
        for (inherited, _) in std::env::vars().filter(|(name, _)| name.starts_with("VIEWMILL__")) {
            command.env_remove(inherited);
        }
        let process = command
            .arg("run")
            // No config.toml is picked up by accident.
            .current_dir(&home)
            .env("VIEWMILL__APPLICATION__ID", &run.id)
            .env("VIEWMILL__APPLICATION__INSTANCE_ID", name)
            .env("VIEWMILL__APPLICATION__STATE_DIR", &state_dir)
            .env("VIEWMILL__APPLICATION__TOPIC_PREFIX", &run.topic_prefix)
            .env("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", &run.bootstrap)
            .env("VIEWMILL__HTTP__LISTEN", "127.0.0.1:0")
            .env("VIEWMILL__LOG__FORMAT", "text")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Instance { name: name.to_owned(), process, state_dir, log, client: None, elsewhere: None }
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Panics
    /// When the process ends, or is not ready in time.
    pub fn wait_ready(&mut self) {
        let mut last = "no answer yet".to_owned();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("instance {} ended while it should get ready: {status}", self.name);
            }
            match self.try_get("/readyz?verbose") {
                Ok(Response { status: 200, .. }) => return,
                Ok(Response { status, body, .. }) => last = format!("{status} {body}"),
                Err(error) => last = error.to_string(),
            }
            thread::sleep(LOOK_INTERVAL);
        }
        panic!("instance {} is not ready after {PATIENCE:?}: {last}", self.name);
    }

    /// From now on one redirect is followed, as a client would; a second one is an answer like any other.
    pub fn follow_one_redirect(&mut self) {
        self.elsewhere = Some(BTreeMap::new());
    }

    /// GETs a path; fails while the instance does not listen, or no longer does.
    pub fn try_get(&mut self, path: &str) -> io::Result<Response> {
        if self.client.is_none() {
            let written = fs::read_to_string(self.state_dir.join("http.addr"))?;
            let address: SocketAddr = written.trim().parse().map_err(|_| io::Error::other("http.addr is not written yet"))?;
            self.client = Some(HttpClient::new(address));
        }
        let response = self.client.as_mut().expect("made above").get(path)?;
        match (&mut self.elsewhere, response.status, response.header("location")) {
            (Some(clients), 307, Some(location)) => {
                let (server, path) = split_url(location)?;
                clients.entry(server).or_insert_with(|| HttpClient::new(server)).get(path)
            }
            _ => Ok(response),
        }
    }

    /// What it has logged since its state directory was made, in this process and earlier ones.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it listens, as others reach it.
    pub fn url(&self) -> String {
        format!("http://{}", fs::read_to_string(self.state_dir.join("http.addr")).unwrap().trim())
    }

    /// A client of its own for another thread. The instance must listen already.
    pub fn client(&self) -> HttpClient {
        let written = fs::read_to_string(self.state_dir.join("http.addr")).unwrap();
        HttpClient::new(written.trim().parse().unwrap())
    }

    /// A metric as `/metrics` shows it: the sum of its series that have all these labels, each written `name="value"`.
    pub fn metric(&mut self, name: &str, labels: &[&str]) -> f64 {
        self.metric_if_shown(name, labels).unwrap_or_else(|| panic!("no metric {name} {labels:?}"))
    }

    /// The same; `None` while there is no such series, for example of a partition that is just on its way to another thread.
    pub fn metric_if_shown(&mut self, name: &str, labels: &[&str]) -> Option<f64> {
        let text = self.try_get("/metrics").unwrap().body;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
            labels.iter().all(|label| rest.contains(label)).then(|| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        });
        let values: Vec<f64> = values.collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// How many tasks each member runs, by name, as this one sees it. None while it does not listen.
    pub fn tasks_of_members(&mut self) -> Vec<usize> {
        let Ok(answer) = self.try_get("/v1/members") else { return Vec::new() };
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        let is_active = |task: &&Value| task["role"] == "active" && task["state"] == "active";
        let members = answer["members"].as_array().unwrap().iter();
        members.map(|member| member["tasks"].as_array().unwrap().iter().filter(is_active).count()).collect()
    }

    /// Whether a line of its log has these words.
    pub fn log_has(&self, words: &str) -> bool {
        fs::read_to_string(&self.log).unwrap().lines().any(|line| line.contains(words))
    }

    /// Ends it at once, as a crash or `kill -9` would.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to drain and end (SIGTERM), and waits for that.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal("TERM");
        self.ended_within(limit)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub fn ended_within(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "instance {} has not ended within {limit:?}", self.name);
            thread::sleep(LOOK_INTERVAL);
        }
    }

    /// True when its process is over.
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Stops it from running (SIGSTOP), as a paused machine would, until [`Instance::resume`].
    pub fn pause(&mut self) {
        self.signal("STOP");
    }

    /// Lets it run on.
    pub fn resume(&mut self) {
        self.signal("CONT");
    }

    /// Pauses it for longer than the session time-out, after which others have its tasks.
    ///
    /// # Panics
    /// When it does not live on afterwards.
    pub fn pause_beyond_the_session(&mut self) {
        self.pause();
        thread::sleep(BEYOND_THE_SESSION);
        self.resume();
        assert_eq!(self.try_get("/livez").unwrap().status, 200, "it lives on after the pause");
    }

    /// Removes all that the instance kept on disk. It must not be running.
    pub fn forget_state(&mut self) {
        assert!(self.has_ended(), "instance {} still runs", self.name);
        fs::remove_dir_all(&self.state_dir).unwrap();
    }

    fn signal(&self, name: &str) {
        assert!(send_signal(self.process.id(), name), "cannot send SIG{name} to instance {}", self.name);
    }
}

/// True when there was a process to take it.
pub fn send_signal(process: u32, name: &str) -> bool {
    // The shell's own kill: a machine may lack the program.
    Command::new("sh").arg("-c").arg(format!("kill -{name} {process} 2>/dev/null")).status().unwrap().success()
}

/// `http://host:port/path` as server and path.
fn split_url(url: &str) -> io::Result<(SocketAddr, &str)> {
    let malformed = || io::Error::other(format!("not a URL of another instance: {url}"));
    let rest = url.strip_prefix("http://").ok_or_else(malformed)?;
    let (server, path) = rest.split_at(rest.find('/').ok_or_else(malformed)?);
    Ok((server.parse().map_err(|_| malformed())?, path))
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the end of the log of instance {}:", self.name);
            for line in &lines[lines.len().saturating_sub(60)..] {
                eprintln!("  {line}");
            }
        }
    }
}
