//! What an embedded broker may be told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::coordinator::CoordinatorSettings;
use super::log::{Fsync, LogSettings};

/// Where a broker listens, where it keeps its data, and how it is bounded.
#[derive(Clone)]
pub struct BrokerSettings {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What it tells clients to connect to, as host and port; by default where it listens, and where that is all addresses of the machine, the
    /// one at which the client found it.
    pub advertised: Option<(String, u16)>,
    /// Everything it keeps.
    pub data_dir: PathBuf,
    /// When what was written is forced to the disk.
    pub fsync: Fsync,
    /// Partitions of topics that are made without saying how many (Kafka: `num.partitions`).
    pub default_partitions: i32,
    /// Whether a topic that a client asks for is made (Kafka: `auto.create.topics.enable`).
    pub auto_create_topics: bool,
    /// What clients may take.
    pub limits: Limits,
    /// Of the partitions' logs; its `fsync` is the one above.
    pub logs: LogSettings,
}

/// Bounds on what clients take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time; one more is closed at once.
    pub connections: usize,
    /// Bytes of one request with records (Kafka: `socket.request.max.bytes`); others have 16 MiB.
    pub request_bytes: usize,
    /// Bytes of all requests that are being received or answered, but for the first 64 KiB of each. A quarter is for those up to 1 MiB alone.
    pub requests_bytes: usize,
    /// Bytes of one fetch's answer, though one batch is always given (Kafka: `fetch.max.bytes`).
    pub fetch_bytes: usize,
    /// Bytes of records in all answers that are on their way, but for the first 64 KiB of each.
    pub answers_bytes: usize,
    /// A connection without requests is closed (Kafka: `connections.max.idle.ms`).
    pub idle: Duration,
    /// In which a request that began must have come, and a response gone; and in which there must be memory for a request.
    pub transfer: Duration,
    /// A request of which nothing came for so long is given up.
    pub stall: Duration,
    /// In which there must be memory for an answer's only batch.
    pub memory: Duration,
    /// In which requests at work may end when the broker stops.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1000,
            request_bytes: 100 << 20,
            requests_bytes: 256 << 20,
            fetch_bytes: 55 << 20,
            answers_bytes: 128 << 20,
            idle: Duration::from_secs(600),
            transfer: Duration::from_secs(60),
            stall: Duration::from_secs(10),
            memory: Duration::from_secs(10),
            stop: Duration::from_secs(5),
        }
    }
}

impl BrokerSettings {
    /// A broker on a free port of the loopback, with Kafka's defaults.
    pub fn new(data_dir: PathBuf) -> Self {
        BrokerSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertised: None,
            data_dir,
            fsync: Fsync::default(),
            default_partitions: 1,
            auto_create_topics: true,
            limits: Limits::default(),
            logs: LogSettings::default(),
        }
    }

    pub(super) fn log_settings(&self) -> LogSettings {
        LogSettings { fsync: self.fsync, ..self.logs.clone() }
    }

    pub(super) fn coordinator_settings(&self) -> CoordinatorSettings {
        CoordinatorSettings { fsync: self.fsync, fsync_interval: self.logs.fsync_interval, ..CoordinatorSettings::default() }
    }
}
