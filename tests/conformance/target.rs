//! The broker that the cases are run against.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::listening::wait_until_it_listens;

const STARTED_WITHIN: Duration = Duration::from_secs(20);

/// A broker and, where the test owns it, the directory in which it may be killed and started again.
pub struct Target {
    address: String,
    kind: Kind,
}

enum Kind {
    SharedKafka,
    OwnKafka(PathBuf),
    Embedded { dir: PathBuf, process: Child },
}

impl Target {
    /// The real Kafka that runs for all tests.
    pub fn shared_kafka() -> Target {
        let address = std::env::var("VIEWMILL_TEST_KAFKA").expect("VIEWMILL_TEST_KAFKA is not set. Run: scripts/test");
        Target { address, kind: Kind::SharedKafka }
    }

    /// A real Kafka of the test's own.
    pub fn own_kafka() -> Target {
        let dir = directory("kafka");
        Target { address: kafka("start", &dir), kind: Kind::OwnKafka(dir) }
    }

    /// The embedded broker, alone in a process: `viewmill broker`.
    pub fn embedded() -> Target {
        let dir = directory("embedded");
        let (address, process) = start_embedded(&dir, "127.0.0.1:0");
        Target { address, kind: Kind::Embedded { dir, process } }
    }

    /// `host:port`; the same after it was started again.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it is called in messages.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::SharedKafka | Kind::OwnKafka(_) => "Apache Kafka",
            Kind::Embedded { .. } => "the embedded broker",
        }
    }

    /// As by `kill -9`: nothing is said to anybody.
    pub fn kill(&mut self) {
        match &mut self.kind {
            Kind::SharedKafka => panic!("others use this one"),
            Kind::OwnKafka(dir) => {
                let pid = fs::read_to_string(dir.join("pid")).unwrap();
                let killed = Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap();
                assert!(killed.success(), "cannot kill Kafka");
            }
            Kind::Embedded { process, .. } => {
                process.kill().unwrap();
                process.wait().unwrap();
            }
        }
    }

    /// Starts it where it was, at the same address.
    pub fn start_again(&mut self) {
        match &mut self.kind {
            Kind::SharedKafka => panic!("others use this one"),
            Kind::OwnKafka(dir) => assert_eq!(kafka("start", dir), self.address),
            Kind::Embedded { dir, process } => {
                let (address, started) = start_embedded(dir, &self.address);
                assert_eq!(address, self.address);
                *process = started;
            }
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let dir = match &mut self.kind {
            Kind::SharedKafka => return,
            Kind::OwnKafka(dir) => {
                let _ = script("stop", dir).output();
                dir
            }
            Kind::Embedded { dir, process } => {
                let _ = process.kill();
                let _ = process.wait();
                if thread::panicking() {
                    println!("the embedded broker's log and data are kept in {}", dir.display());
                    return;
                }
                dir
            }
        };
        let _ = fs::remove_dir_all(dir);
    }
}

fn directory(kind: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("conformance-{kind}-{}-{:x}", std::process::id(), fastrand::u32(..)));
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn script(command: &str, dir: &Path) -> Command {
    let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka"));
    script.arg(command).arg(dir).env("VIEWMILL_KAFKA_HEAP", "512m");
    script
}

fn kafka(command: &str, dir: &Path) -> String {
    let output = script(command, dir).output().unwrap();
    assert!(output.status.success(), "scripts/kafka {command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Starts `viewmill broker` and waits until it listens.
fn start_embedded(dir: &Path, listen: &str) -> (String, Child) {
    let address_file = dir.join("data/broker.addr");
    let _ = fs::remove_file(&address_file);
    let log = File::options().create(true).append(true).open(dir.join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_viewmill"));
    command.arg("broker").arg("--set").arg(format!("broker.data_dir={}", dir.join("data").display()));
    command.arg("--set").arg(format!("broker.listen={listen}"));
    command.current_dir(dir).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let mut process = command.spawn().unwrap();
    let listening = wait_until_it_listens(&address_file, STARTED_WITHIN, || process.try_wait().unwrap().is_none());
    let address = listening.unwrap_or_else(|why| {
        let _ = process.kill();
        let _ = process.wait();
        let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(20).collect();
        panic!("{why}: {}", end.into_iter().rev().collect::<Vec<_>>().join("\n"));
    });
    (address, process)
}
