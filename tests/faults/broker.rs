//! A Kafka of a test's own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// A Kafka that a test may kill; started again it has the same port and data.
pub struct Broker {
    dir: PathBuf,
    /// `host:port`
    pub address: String,
}

impl Broker {
    pub fn start() -> Broker {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("broker-{}-{}", std::process::id(), fastrand::u64(..)));
        std::fs::create_dir_all(&dir).unwrap();
        let mut broker = Broker { dir, address: String::new() };
        broker.address = broker.start_again();
        broker
    }

    /// Starts it where it was; answers its address.
    pub fn start_again(&self) -> String {
        self.script("start")
    }

    /// As a power cut would: nothing is said to anybody.
    pub fn kill(&self) {
        self.signal("KILL");
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.dir.join("pid")).unwrap();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", pid.trim())).status().unwrap();
        assert!(sent.success(), "cannot send SIG{name} to the broker");
    }

    fn script(&self, command: &str) -> String {
        let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka"));
        let output = script.arg(command).arg(&self.dir).env("VIEWMILL_KAFKA_HEAP", "512m").output().unwrap();
        assert!(output.status.success(), "scripts/kafka {command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.script("stop");
            let _ = std::fs::remove_dir_all(&self.dir);
        } else {
            let _ = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka")).arg("stop").arg(&self.dir).output();
        }
    }
}
