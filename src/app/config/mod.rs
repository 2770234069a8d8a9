//! The configuration: what can be set, from where, and what was wrong with it.
//!
//! ```text
//!   defaults  <  config.toml  <  VIEWMILL__SECTION__KEY  <  --set section.key=value
//! ```
//!
//! `keys.rs` is the one table of keys; an application adds a section of its own. Every source is read to its end before anything is refused, so that a person sees all
//! faults at once, each with its place. Values of secrets are never printed.

mod default_file;
mod edit_distance;
mod environment;
mod fault;
mod file;
mod flags;
mod keys;
mod load;
mod own;
mod properties;
mod show;
mod source_topics;
mod values;

#[cfg(test)]
mod tests;

pub use fault::{ConfigFault, ConfigFaults, Origin};
pub use load::Sources;
pub use own::{OwnKey, OwnSection, OwnSettings};
pub use properties::Properties;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use crate::broker::Fsync;
pub use crate::runtime::step::Guarantee;
use crate::runtime::step::PoisonPolicy;

/// All settings of a process, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[application]`
    pub application: ApplicationConfig,
    /// `[kafka]`
    pub kafka: KafkaConfig,
    /// `[broker]`
    pub broker: BrokerConfig,
    /// `[topics]`
    pub topics: TopicsConfig,
    /// `[processing]`
    pub processing: ProcessingConfig,
    /// `[state]`
    pub state: StateConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[log]`
    pub log: LogConfig,
    /// The section of the application.
    pub own: OwnSettings,
    own_section: Option<&'static OwnSection>,
    /// Name, value fit for printing, and origin of everything that is set, in the order of the table.
    settings: Vec<Setting>,
}

/// `[application]`: who this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationConfig {
    /// The consumer group, and the beginning of the names of internal topics and transactional ids.
    pub id: String,
    /// Names this instance; `None`: the one that is kept in the state directory.
    pub instance_id: Option<String>,
    /// Where databases lie; of one process alone.
    pub state_dir: PathBuf,
    /// Before every topic name; may be empty.
    pub topic_prefix: String,
}

/// `[kafka]`: the way to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaConfig {
    /// `host:port,…`; `None`: the embedded broker.
    pub bootstrap_servers: Option<String>,
    /// Properties of librdkafka that are passed through.
    pub properties: Properties,
}

/// `[broker]`: the embedded broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it keeps its logs.
    pub data_dir: PathBuf,
    /// When what it takes is on disk.
    pub fsync: Fsync,
}

/// `[topics]`: how topics are made that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicsConfig {
    /// Make missing topics; else refuse to start.
    pub create: bool,
    /// Partitions of source and output topics that we make.
    pub partitions: i32,
    /// `None`: the broker's default.
    pub replication_factor: Option<i32>,
}

/// `[processing]`: how records are processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessingConfig {
    /// What a record is worth when something fails.
    pub guarantee: Guarantee,
    /// Threads that run tasks.
    pub stream_threads: usize,
    /// The longest time from the first record of a transaction to its commit.
    pub commit_interval_ms: u64,
    /// The shortest time between two commits while nobody waits.
    pub commit_min_interval_ms: u64,
    /// How long a task waits for a partition that is empty though it may have records with earlier times (`max.task.idle.ms`).
    pub max_task_idle_ms: u64,
    /// What becomes of records that cannot be processed.
    pub poison_policy: PoisonPolicy,
    /// The same for some source topics, by name without prefix.
    pub sources: BTreeMap<String, PoisonPolicy>,
}

/// `[state]`: databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateConfig {
    /// Copies of each task's state on other instances.
    pub standby_replicas: u32,
    /// Memory for all databases of the process together.
    pub memory_mib: u64,
}

/// `[http]`: the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How others reach it, without a slash at the end; `None`: made from the address that it listens on.
    pub advertised_url: Option<String>,
    /// Larger request bodies are refused.
    pub max_body_bytes: u64,
    /// On more connections than these requests are refused.
    pub max_connections: usize,
    /// So many commands may wait for their outcomes at a time.
    pub max_waiting_commands: usize,
    /// The longest that a read waits for a position.
    pub max_wait_ms: u64,
    /// The header that says who acts.
    pub actor_header: String,
    /// The header that says their roles.
    pub actor_role_header: String,
    /// Whether a command without an actor is refused.
    pub actor_required: bool,
}

impl HttpConfig {
    /// How others reach the server once it is bound. An address for all interfaces says nothing to others; it becomes the
    /// loopback address, so set `http.advertised_url` where there are other machines.
    pub fn advertised_url(&self, bound: SocketAddr) -> String {
        match (&self.advertised_url, bound) {
            (Some(url), _) => url.clone(),
            (None, SocketAddr::V4(v4)) if v4.ip().is_unspecified() => format!("http://127.0.0.1:{}", bound.port()),
            (None, SocketAddr::V6(v6)) if v6.ip().is_unspecified() => format!("http://[::1]:{}", bound.port()),
            (None, _) => format!("http://{bound}"),
        }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

/// `[log]`: the log, on standard error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// A level, or levels by module: `info,viewmill::http=debug`.
    pub level: String,
}

/// One value as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    /// With quotes where a part holds a dot: `kafka.properties."sasl.username"`.
    name: String,
    /// Empty: not set. A secret is not in here.
    shown: String,
    origin: Origin,
}

impl Config {
    /// Reads all sources, checks everything, and answers every fault if there is one.
    pub fn load(sources: &Sources) -> Result<Config, ConfigFaults> {
        load::load(sources)
    }

    /// What becomes of records of a source topic (without prefix) that cannot be processed.
    pub fn poison_policy(&self, topic: &str) -> PoisonPolicy {
        self.processing.sources.get(topic).copied().unwrap_or(self.processing.poison_policy)
    }

    /// Everything that is set as TOML, each line with its origin; secrets are hidden.
    pub fn to_toml_redacted(&self) -> String {
        show::toml(self)
    }

    /// The commented file with all keys and their defaults, those of the application last.
    pub fn default_file(own: Option<&OwnSection>) -> String {
        default_file::text(own)
    }
}
