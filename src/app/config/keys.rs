//! The one table of keys: name, meaning, default, and how a value is read. File, environment, flags, `config show`,
//! `config default` and the messages about unknown keys are made from it.

use super::values::{self, Parsed};
use super::{Config, Fsync, Guarantee, LogFormat};

/// What holds when nothing is set.
pub(super) enum DefaultValue {
    /// This text.
    Text(&'static str),
    /// Depends on the machine; the words stand in the default file.
    Computed(&'static str, fn() -> String),
    /// Nothing; the words say what that means.
    Unset(&'static str),
}

/// One key.
pub(super) struct Key {
    /// `section.key`.
    pub name: &'static str,
    /// One line.
    pub doc: &'static str,
    pub default: DefaultValue,
    /// Reads a text into the configuration.
    pub set: fn(&mut Config, &str) -> Parsed<()>,
    /// Whether TOML writes the value in quotes.
    pub quoted: bool,
}

/// A section's heading in the default file.
pub(super) const SECTIONS: [(&str, &str); 8] = [
    ("application", "Who this is."),
    ("kafka", "The way to the cluster."),
    ("broker", "The embedded broker, for machines without Kafka."),
    ("topics", "How topics are made that are missing. Existing ones are never altered."),
    ("processing", "How records are processed."),
    ("state", "Databases."),
    ("http", "The server."),
    ("log", "The log, on standard error."),
];

/// The last part of `processing.sources.<topic>.poison_policy`.
pub(super) const POISON_POLICY: &str = "poison_policy";

use DefaultValue::{Computed, Text, Unset};

/// All keys but those whose names the user chooses, in the order of the sections.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "application.id",
        doc: "The consumer group, and the beginning of the names of internal topics and transactional ids.",
        default: Text("viewmill"),
        set: |c, v| values::application_id(v).map(|id| c.application.id = id),
        quoted: true,
    },
    Key {
        name: "application.instance_id",
        doc: "Names this instance; must differ from that of every other.",
        default: Unset("a UUID, made in the state directory and kept there"),
        set: |c, v| optional(v, values::id).map(|id| c.application.instance_id = id),
        quoted: true,
    },
    Key {
        name: "application.state_dir",
        doc: "Where databases lie. It belongs to one process.",
        default: Text("./viewmill-data/state"),
        set: |c, v| values::directory(v).map(|path| c.application.state_dir = path),
        quoted: true,
    },
    Key {
        name: "application.topic_prefix",
        doc: "Stands before the name of every topic, not before group and transactional ids.",
        default: Unset("none"),
        set: |c, v| values::topic_prefix(v).map(|prefix| c.application.topic_prefix = prefix),
        quoted: true,
    },
    Key {
        name: "kafka.bootstrap_servers",
        doc: "Brokers to begin with: host:port, with commas between.",
        default: Unset("the embedded broker"),
        set: |c, v| optional(v, values::servers).map(|servers| c.kafka.bootstrap_servers = servers),
        quoted: true,
    },
    Key {
        name: "broker.listen",
        doc: "Where the embedded broker listens.",
        default: Text("127.0.0.1:19092"),
        set: |c, v| values::address(v).map(|address| c.broker.listen = address),
        quoted: true,
    },
    Key {
        name: "broker.data_dir",
        doc: "Where the embedded broker keeps its logs.",
        default: Text("./viewmill-data/broker"),
        set: |c, v| values::directory(v).map(|path| c.broker.data_dir = path),
        quoted: true,
    },
    Key {
        name: "broker.fsync",
        doc: "When it writes to disk for good: interval (within a second; ends of transactions at once), always (before each answer) or never.",
        default: Text("interval"),
        set: |c, v| {
            let words = [("interval", Fsync::Interval), ("always", Fsync::Always), ("never", Fsync::Never)];
            values::one_of(v, &words).map(|fsync| c.broker.fsync = fsync)
        },
        quoted: true,
    },
    Key {
        name: "topics.create",
        doc: "Make missing topics; when off, a missing topic refuses the start.",
        default: Text("true"),
        set: |c, v| values::switch(v).map(|on| c.topics.create = on),
        quoted: false,
    },
    Key {
        name: "topics.partitions",
        doc: "Partitions of the source and output topics that are made.",
        default: Text("4"),
        set: |c, v| values::whole(v, 1..=10_000).map(|n| c.topics.partitions = n),
        quoted: false,
    },
    Key {
        name: "topics.replication_factor",
        doc: "Copies of each partition of the topics that are made.",
        default: Unset("the broker's default"),
        set: |c, v| optional(v, |v| values::whole(v, 1..=100)).map(|n| c.topics.replication_factor = n),
        quoted: false,
    },
    Key {
        name: "processing.guarantee",
        doc: "exactly_once, or at_least_once: without transactions; after a failure outputs may come twice.",
        default: Text("exactly_once"),
        set: |c, v| {
            let words = [("exactly_once", Guarantee::ExactlyOnce), ("at_least_once", Guarantee::AtLeastOnce)];
            values::one_of(v, &words).map(|guarantee| c.processing.guarantee = guarantee)
        },
        quoted: true,
    },
    Key {
        name: "processing.stream_threads",
        doc: "Threads that run tasks.",
        default: Computed("the number of cores", cores),
        set: |c, v| values::whole(v, 1..=256).map(|n| c.processing.stream_threads = n),
        quoted: false,
    },
    Key {
        name: "processing.commit_interval_ms",
        doc: "The longest time from the first record of a transaction to its commit.",
        default: Text("100"),
        set: |c, v| {
            let read = values::whole(v, 1..=HALF_OF_TRANSACTION_TIMEOUT_MS).map(|ms| c.processing.commit_interval_ms = ms);
            read.map_err(|must| format!("{must}, half of the transaction time-out"))
        },
        quoted: false,
    },
    Key {
        name: "processing.commit_min_interval_ms",
        doc: "The shortest time between two commits while nobody waits for one.",
        default: Text("20"),
        set: |c, v| values::whole(v, 0..=HALF_OF_TRANSACTION_TIMEOUT_MS).map(|ms| c.processing.commit_min_interval_ms = ms),
        quoted: false,
    },
    Key {
        name: "processing.max_task_idle_ms",
        doc: "How long a task waits for a partition that is empty though it may have records with earlier times.",
        default: Text("0"),
        set: |c, v| values::whole(v, 0..=600_000).map(|ms| c.processing.max_task_idle_ms = ms),
        quoted: false,
    },
    Key {
        name: "processing.poison_policy",
        doc: "What becomes of a record that cannot be processed: dead-letter, skip or stop.",
        default: Text("dead-letter"),
        set: |c, v| values::poison_policy(v).map(|policy| c.processing.poison_policy = policy),
        quoted: true,
    },
    Key {
        name: "state.standby_replicas",
        doc: "Copies of each task's state on other instances.",
        default: Text("1"),
        set: |c, v| values::whole(v, 0..=10).map(|n| c.state.standby_replicas = n),
        quoted: false,
    },
    Key {
        name: "state.memory_mib",
        doc: "Memory for all databases of the process together: caches and what is not yet written to disk.",
        default: Text("256"),
        set: |c, v| values::whole(v, 16..=1_048_576).map(|mib| c.state.memory_mib = mib),
        quoted: false,
    },
    Key {
        name: "http.listen",
        doc: "Where the server listens; port 0 takes a free one.",
        default: Text("127.0.0.1:8080"),
        set: |c, v| values::address(v).map(|address| c.http.listen = address),
        quoted: true,
    },
    Key {
        name: "http.advertised_url",
        doc: "How other instances reach this one.",
        default: Unset("made from http.listen"),
        set: |c, v| optional(v, values::url).map(|url| c.http.advertised_url = url),
        quoted: true,
    },
    Key {
        name: "http.max_connections",
        doc: "On more connections than these requests are refused at once, but for /livez, /readyz and /metrics.",
        default: Text("1024"),
        set: |c, v| values::whole(v, 1..=1_000_000).map(|count| c.http.max_connections = count),
        quoted: false,
    },
    Key {
        name: "http.max_waiting_commands",
        doc: "More commands than these do not wait for their outcomes at a time: the rest is refused at once.",
        default: Text("128"),
        set: |c, v| values::whole(v, 1..=1_000_000).map(|count| c.http.max_waiting_commands = count),
        quoted: false,
    },
    Key {
        name: "http.max_body_bytes",
        doc: "Larger request bodies are refused.",
        default: Text("1048576"),
        set: |c, v| values::whole(v, 1..=104_857_600).map(|bytes| c.http.max_body_bytes = bytes),
        quoted: false,
    },
    Key {
        name: "http.max_wait_ms",
        doc: "The longest that a read waits until a view has caught up with what the reader wrote.",
        default: Text("5000"),
        set: |c, v| values::whole(v, 0..=25_000).map(|ms| c.http.max_wait_ms = ms),
        quoted: false,
    },
    Key {
        name: "http.actor_header",
        doc: "The header by which a gateway in front says who acts; it must never let through one that a client sent.",
        default: Text("X-Actor"),
        set: |c, v| values::header_name(v).map(|name| c.http.actor_header = name),
        quoted: true,
    },
    Key {
        name: "http.actor_role_header",
        doc: "The header that says their roles, with commas between: operator may act on everything.",
        default: Text("X-Actor-Role"),
        set: |c, v| values::header_name(v).map(|name| c.http.actor_role_header = name),
        quoted: true,
    },
    Key {
        name: "http.actor_required",
        doc: "Commands and reads of one order without an actor are refused, and users see only their own orders.",
        default: Text("false"),
        set: |c, v| values::switch(v).map(|required| c.http.actor_required = required),
        quoted: false,
    },
    Key {
        name: "log.format",
        doc: "text or json.",
        default: Computed("text on a terminal, else json", log_format),
        set: |c, v| values::one_of(v, &[("text", LogFormat::Text), ("json", LogFormat::Json)]).map(|format| c.log.format = format),
        quoted: true,
    },
    Key {
        name: "log.level",
        doc: "off, error, warn, info, debug or trace; by module: info,viewmill::http=debug",
        default: Text("info"),
        set: |c, v| values::level(v).map(|level| c.log.level = level),
        quoted: true,
    },
];

/// The transaction time-out is 10 s; a commit that begins later than half of it could be too late.
const HALF_OF_TRANSACTION_TIMEOUT_MS: u64 = 5_000;

/// Whether it holds keys and is none itself.
pub(super) fn is_section(name: &str) -> bool {
    matches!(name, "kafka.properties" | "processing.sources") || SECTIONS.iter().any(|(section, _)| *section == name)
}

impl Key {
    pub(super) fn find(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The text that holds when nothing is set; empty: not set.
    pub(super) fn default_text(&self) -> String {
        match &self.default {
            Text(text) => text.to_string(),
            Computed(_, make) => make(),
            Unset(_) => String::new(),
        }
    }
}

/// An empty text is nothing.
fn optional<T>(text: &str, read: impl Fn(&str) -> Parsed<T>) -> Parsed<Option<T>> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

fn cores() -> String {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(256)).to_string()
}

fn log_format() -> String {
    use std::io::IsTerminal as _;
    if std::io::stderr().is_terminal() { "text" } else { "json" }.to_string()
}
