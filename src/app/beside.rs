//! What a command of the application does beside the instance that it runs.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;

use super::config::Config;
use super::restore_report::{StatusLine, Terminal};

/// Work that ends the instance when it ends; it is dropped when the instance ends first.
pub type Work = Pin<Box<dyn Future<Output = anyhow::Result<()>>>>;

/// What a command adds to `run`.
pub struct Beside {
    /// Begins when HTTP listens, which is before the instance is ready.
    pub work: Box<dyn FnOnce(Running) -> Work>,
    /// Dropped when everything has stopped.
    pub kept: Box<dyn Any>,
}

/// The instance beside which the work is done.
pub struct Running {
    /// Where it answers, without a slash at the end.
    pub url: String,
    /// What it runs with; `kafka.bootstrap_servers` is set.
    pub config: Config,
    line: StatusLine,
}

impl Running {
    pub(super) fn new(url: String, config: Config, terminal: &Terminal) -> Self {
        Running { url, config, line: terminal.status_line() }
    }

    /// Shows how things are: the last line of a terminal, elsewhere a line of the log every five seconds.
    pub fn tell(&mut self, text: &str) {
        self.line.tell(text);
    }

    /// Prints to standard output, without tearing the last line of a terminal.
    pub fn print(&self, text: &str) {
        self.line.print(text);
    }
}
