//! `viewmill broker` as a process that is measured.

// Each bench needs a part of it.
#![allow(dead_code)]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::listening::wait_until_it_listens;
use super::{Fallible, proc};

const START_WITHIN: Duration = Duration::from_secs(10);

/// A broker with a directory of its own, which goes with it.
pub struct Embedded {
    /// `host:port`.
    pub address: String,
    process: Child,
    directory: tempfile::TempDir,
}

impl Embedded {
    pub fn start() -> Fallible<Embedded> {
        let directory = tempfile::Builder::new().prefix("viewmill-bench.").tempdir()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_viewmill"));
        command
            .args(["broker", "--set", "broker.listen=127.0.0.1:0", "--set"])
            .arg(format!("broker.data_dir={}", directory.path().join("data").display()))
            .current_dir(directory.path())
            .stderr(Stdio::null());
        let process = command.spawn()?;
        let mut embedded = Embedded { address: String::new(), process, directory };
        let address_file = embedded.directory.path().join("data/broker.addr");
        embedded.address = wait_until_it_listens(&address_file, START_WITHIN, || matches!(embedded.process.try_wait(), Ok(None)))?;
        Ok(embedded)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.process.id()))
    }

    /// User and system time of the process.
    pub fn cpu_seconds(&self) -> Fallible<f64> {
        proc::cpu_seconds(&self.proc("stat"))
    }

    /// A line of /proc's status in KiB.
    pub fn status_kib(&self, field: &str) -> Fallible<u64> {
        proc::status_kib(&self.proc("status"), field)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
