//! The embedded broker: `run` starts it where `kafka.bootstrap_servers` is not set; other commands look for the one that runs.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::Config;
use crate::broker::{Broker, BrokerError, BrokerSettings};

/// Holds the address of the broker that keeps its logs here: which port a free one was.
const ADDRESS_FILE: &str = "broker.addr";

/// A connection on this machine.
const LOOK_WITHIN: Duration = Duration::from_secs(1);

/// The embedded broker cannot be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum EmbeddedError {
    /// As the broker says; what to do when another process has it.
    #[error(
        "the embedded broker cannot start: {cause}. If another viewmill on this machine runs it, join that one with \
         --set kafka.bootstrap_servers={running}"
    )]
    Broker {
        /// Why.
        cause: BrokerError,
        /// Where one is, or would be.
        running: String,
    },
    /// Its address could not be left for others.
    #[error("{path}: {cause}")]
    Address {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
}

/// A broker of this process.
pub(super) struct Embedded {
    broker: Broker,
    address: SocketAddr,
}

impl Embedded {
    /// Starts it, and leaves its address in its directory.
    pub(super) fn start(config: &Config) -> Result<Embedded, EmbeddedError> {
        let (listen, data_dir) = (config.broker.listen, &config.broker.data_dir);
        let mut settings = BrokerSettings::new(data_dir.clone());
        settings.listen = listen;
        settings.fsync = config.broker.fsync;
        settings.default_partitions = config.topics.partitions;
        let broker = Broker::start(settings).map_err(|cause| EmbeddedError::Broker { cause, running: servers(config) })?;
        let address = broker.address();
        let path = data_dir.join(ADDRESS_FILE);
        fs::write(&path, format!("{address}\n")).map_err(|cause| EmbeddedError::Address { path, cause })?;
        tracing::info!(%address, data_dir = %data_dir.display(), "the embedded broker listens");
        Ok(Embedded { broker, address })
    }

    /// For a command that works on what it keeps: `None` where another process runs it, or none is needed.
    pub(super) fn start_if_none_runs(config: &Config) -> Result<Option<Embedded>, EmbeddedError> {
        is_missing(config).then(|| Embedded::start(config)).transpose()
    }

    /// The configuration with this broker as the cluster.
    pub(super) fn configure(&self, config: &Config) -> Config {
        let mut config = config.clone();
        config.kafka.bootstrap_servers = Some(self.address.to_string());
        config
    }

    /// Everything that it has acknowledged is on disk when it has stopped.
    pub(super) fn stop(self) {
        self.broker.stop();
    }
}

/// Where clients begin: `kafka.bootstrap_servers`, else the embedded broker that runs, or would run.
pub(super) fn servers(config: &Config) -> String {
    match &config.kafka.bootstrap_servers {
        Some(servers) => servers.clone(),
        None => address_in(&config.broker.data_dir).unwrap_or(config.broker.listen).to_string(),
    }
}

/// No Kafka is named, and no embedded broker runs: `run` would start one.
pub(super) fn is_missing(config: &Config) -> bool {
    if config.kafka.bootstrap_servers.is_some() {
        return false;
    }
    let address = address_in(&config.broker.data_dir).unwrap_or(config.broker.listen);
    address.port() == 0 || TcpStream::connect_timeout(&address, LOOK_WITHIN).is_err()
}

fn address_in(data_dir: &Path) -> Option<SocketAddr> {
    fs::read_to_string(data_dir.join(ADDRESS_FILE)).ok()?.trim().parse().ok()
}
