//! One test's place in the shared Kafka and on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Expected;

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

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Names that no other test uses, and a directory that goes when the test passed. Other runs wait until it is dropped.
pub struct Run {
    /// The application id.
    pub id: String,
    /// Before every topic.
    pub topic_prefix: String,
    /// Instances keep their state and logs in here.
    pub dir: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Run {
    /// Begins a run; its names begin with `name`.
    pub fn new(name: &str) -> Run {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        // Kafka outlives a test process, so a process id alone would meet older topics again.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let id = format!("{name}-{}-{:x}", std::process::id(), now.as_millis());
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&id);
        fs::create_dir_all(&dir).unwrap();
        Run { topic_prefix: format!("{id}-"), id, dir, _turn: turn }
    }

    /// Creates the three event topics with 4 partitions and begins to write the lives of orders into them, by a producer that shares no
    /// code with Viewmill, at `rate` records a second or as fast as it can. The same seed gives the same records; an order has about 6.
    pub fn begin_producing(&self, orders: usize, seed: u64, rate: Option<u32>) -> Background {
        println!("{}: {orders} orders from seed {seed}", self.id);
        let mut command =
            self.python("produce.py", &["--orders", &orders.to_string(), "--seed", &seed.to_string(), "--create-topics", "4"]);
        if let Some(rate) = rate {
            command.args(["--rate", &rate.to_string()]);
        }
        Background(command.spawn().unwrap())
    }

    /// What must be served: a fold of the three topics as they stand in Kafka now, computed apart from Viewmill.
    pub fn fold(&self) -> Vec<Expected> {
        let out = self.dir.join("expected.jsonl");
        let status = self.python("fold.py", &["--out", out.to_str().unwrap()]).status().unwrap();
        assert!(status.success(), "fold.py failed: {status}");
        fs::read_to_string(out).unwrap().lines().map(Expected::from_line).collect()
    }

    fn python(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(from_environment("VIEWMILL_TEST_PYTHON"));
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broker").join(script));
        command.args(["--bootstrap", &bootstrap(), "--prefix", &self.topic_prefix]).args(arguments).stdin(Stdio::null());
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
pub struct Background(Child);

impl Background {
    /// True until it ends.
    pub fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
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
