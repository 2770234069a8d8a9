//! One test's place in the shared Kafka and on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::{Expected, ExpectedViews, Fold, LOOK_INTERVAL, PATIENCE, send_signal};

/// Where Kafka answers, `host:port`.
///
/// # Panics
/// When no Kafka was started for the tests.
pub fn bootstrap() -> String {
    from_environment("VIEWMILL_TEST_KAFKA")
}

fn from_environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: these tests need a real Kafka and Python. Run: scripts/test"))
}

/// Names that no other test uses, and a directory that goes when the test passed. Runs are beside each other: they mostly wait.
pub struct Run {
    /// The application id.
    pub id: String,
    /// Before every topic.
    pub topic_prefix: String,
    /// Instances keep their state and logs in here.
    pub dir: PathBuf,
    /// Where Kafka answers.
    pub bootstrap: String,
    /// The executable that instances run.
    pub program: &'static str,
}

impl Run {
    /// Begins a run of the order system; its names begin with `name`.
    pub fn new(name: &str) -> Run {
        Run::of(name, env!("CARGO_BIN_EXE_viewmill"))
    }

    /// Begins a run of another program.
    pub fn of(name: &str, program: &'static str) -> Run {
        // Kafka outlives a test process, so a process id alone would meet older topics again.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let id = format!("{name}-{}-{:x}", std::process::id(), now.as_millis());
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&id);
        fs::create_dir_all(&dir).unwrap();
        Run { topic_prefix: format!("{id}-"), id, dir, bootstrap: bootstrap(), program }
    }

    /// Creates the three event topics with 4 partitions and begins to write the lives of orders into them, by a producer that shares no
    /// code with Viewmill, at `rate` records a second or as fast as it can. The same seed gives the same records; an order has about 6.
    pub fn begin_producing(&self, orders: usize, seed: u64, rate: Option<u32>) -> Background {
        let rate = rate.map(|rate| rate.to_string());
        self.produce(orders, seed, &rate.iter().flat_map(|rate| ["--rate", rate]).collect::<Vec<_>>())
    }

    /// As [`Run::begin_producing`], with a record that no view can use before every `every` good ones: of each kind in turn, or only of
    /// `kinds`. What was written is noted in [`Run::manifest`].
    pub fn begin_poisoning(&self, orders: usize, seed: u64, every: usize, kinds: Option<&str>) -> Background {
        let (every, manifest) = (every.to_string(), self.manifest());
        let mut arguments = vec!["--poison", &every, "--manifest", manifest.to_str().unwrap()];
        arguments.extend(kinds.iter().flat_map(|kinds| ["--kinds", kinds]));
        let producing = self.produce(orders, seed, &arguments);
        // An instance would make topics that take no records from the future; the producer's are there before its manifest.
        let deadline = Instant::now() + PATIENCE;
        while !self.manifest().exists() {
            assert!(Instant::now() < deadline, "the producer does not begin");
            thread::sleep(LOOK_INTERVAL);
        }
        producing
    }

    fn produce(&self, orders: usize, seed: u64, arguments: &[&str]) -> Background {
        println!("{}: {orders} orders from seed {seed}", self.id);
        let mut command =
            self.python("broker/produce.py", &["--orders", &orders.to_string(), "--seed", &seed.to_string(), "--create-topics", "4"]);
        Background(command.args(arguments).spawn().unwrap())
    }

    /// Where each record is noted that was written as poison.
    pub fn manifest(&self) -> PathBuf {
        self.dir.join("poison.jsonl")
    }

    /// What must be served: a fold of the three topics as they stand in Kafka now, computed apart from Viewmill. Poison is left out.
    pub fn fold(&self) -> Fold {
        self.fold_at(&[])
    }

    /// As [`Run::fold`]; also what the dashboard had to be at each of these positions, none of which may be behind the one before.
    pub fn fold_at(&self, positions: &[&str]) -> Fold {
        let file = |name: &str| self.dir.join(name).to_str().unwrap().to_owned();
        let (orders, views, dashboards) = (file("orders.jsonl"), file("views.json"), file("dashboards.jsonl"));
        fs::write(file("positions"), positions.iter().map(|position| format!("{position}\n")).collect::<String>()).unwrap();
        let mut command = self.python("broker/fold.py", &["--out", &orders, "--views", &views]);
        command.args(["--positions", &file("positions"), "--dashboards", &dashboards]);
        if self.manifest().exists() {
            command.arg("--poison").arg(self.manifest());
        }
        let status = command.status().unwrap();
        assert!(status.success(), "fold.py failed: {status}");
        Fold {
            orders: fs::read_to_string(orders).unwrap().lines().map(Expected::from_line).collect(),
            views: ExpectedViews::from_json(&fs::read_to_string(views).unwrap()),
            dashboards: fs::read_to_string(dashboards).unwrap().lines().map(str::to_owned).collect(),
        }
    }

    /// Compares the dead-letter topics with the manifest; answers what dead_letters.py prints.
    pub fn dead_letters(&self, arguments: &[&str]) -> String {
        let output =
            self.python("broker/dead_letters.py", &["--manifest", self.manifest().to_str().unwrap()]).args(arguments).output().unwrap();
        assert!(output.status.success(), "dead_letters.py failed: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Deletes all records that a topic (full name) holds; answers how many offsets that were.
    pub fn delete_records(&self, topic: &str) -> u64 {
        let output = self.python("broker/delete_records.py", &["--topic", topic]).output().unwrap();
        assert!(output.status.success(), "delete_records.py failed: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    /// A script of `tests/`, told where this run's topics are.
    pub fn python(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(from_environment("VIEWMILL_TEST_PYTHON"));
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script));
        command.args(["--bootstrap", &self.bootstrap, "--prefix", &self.topic_prefix]).args(arguments).stdin(Stdio::null());
        command
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: kept {}", self.id, self.dir.display());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// A process at work, killed when dropped early.
pub struct Background(pub Child);

impl Background {
    /// True until it ends.
    pub fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// What it still has to write comes at once, however slowly it was to come: the faults are over.
    ///
    /// # Panics
    /// When it failed.
    pub fn finish_at_once(self) {
        // One that has ended has nothing left to write.
        send_signal(self.0.id(), "TERM");
        self.finish();
    }

    /// Waits for its end; it sets its own deadlines.
    ///
    /// # Panics
    /// When it failed.
    pub fn finish(mut self) {
        let status = self.0.wait().unwrap();
        assert!(status.success(), "the producer failed: {status}");
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
