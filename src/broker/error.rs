//! Why a broker does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::journal::JournalError;
use super::log::LogError;

/// A broker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Its logs cannot be opened; another process may hold the directory.
    #[error("the broker's logs cannot be opened: {0}")]
    Logs(#[from] LogError),
    /// What its coordinators remember cannot be read.
    #[error("the broker's journal cannot be opened: {0}")]
    Journal(#[from] JournalError),
    /// The address is taken, or is none of this machine's.
    #[error("the broker cannot listen on {address} (broker.listen): {source}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Its id cannot be read or written.
    #[error("the broker's id in {path} cannot be read or written: {source}")]
    ClusterId {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The operating system gives no threads.
    #[error("the broker's threads cannot be started: {0}")]
    Threads(io::Error),
}
