//! Puts the sources together, weakest first, and checks what they say.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::fault::{ConfigFault, ConfigFaults, Origin};
use super::file::{self, Given};
use super::keys::{KEYS, Key, POISON_POLICY, is_section};
use super::{
    ApplicationConfig, BrokerConfig, Config, Fsync, Guarantee, HttpConfig, KafkaConfig, LogConfig, LogFormat, OwnKey, OwnSection,
    OwnSettings, ProcessingConfig, Properties, Setting, StateConfig, TopicsConfig, edit_distance, environment, flags, properties, values,
};
use crate::runtime::step::PoisonPolicy;

/// Where a configuration is read from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// A file that must exist; `None`: `config.toml` in `directory`, if it is there.
    pub file: Option<PathBuf>,
    /// Where the process runs.
    pub directory: PathBuf,
    /// The environment; only names that begin with `VIEWMILL__` count.
    pub variables: Vec<(OsString, OsString)>,
    /// `key=value`, in order.
    pub flags: Vec<String>,
    /// Names a second process on one machine: it gets its own state directory, instance id and port.
    pub instance: Option<String>,
    /// Why a property of librdkafka cannot be set; `None` when it can.
    pub reserved_property: fn(&str) -> Option<&'static str>,
    /// The section of the application, if it has one.
    pub own: Option<&'static OwnSection>,
}

impl Sources {
    /// Nothing is set.
    pub fn none() -> Self {
        Sources {
            file: None,
            directory: PathBuf::from("."),
            variables: Vec::new(),
            flags: Vec::new(),
            instance: None,
            reserved_property: |_| None,
            own: None,
        }
    }
}

/// What a key's path means.
enum Meaning {
    Key(&'static Key),
    Property(String),
    SourcePolicy(String),
    Own(&'static OwnKey),
}

pub(super) fn load(sources: &Sources) -> Result<Config, ConfigFaults> {
    let mut faults = Vec::new();
    let mut given = read_file(sources, &mut faults);
    given.extend(environment::read(&sources.variables, &mut faults));
    given.extend(flags::read(&sources.flags, &mut faults));
    let config = Config { own: OwnSettings::defaults_of(sources.own), own_section: sources.own, ..blank() };
    let mut loader = Loader { config, settings: BTreeMap::new(), faults };
    loader.defaults();
    given.into_iter().for_each(|given| loader.take(given, sources.reserved_property));
    loader.commit_intervals_fit();
    if let Some(instance) = &sources.instance {
        loader.separate(instance);
    }
    loader.finish()
}

fn read_file(sources: &Sources, faults: &mut Vec<ConfigFault>) -> Vec<Given> {
    let Some(path) = &sources.file else {
        let name = Path::new("config.toml");
        let path = if sources.directory == Path::new(".") { name.to_path_buf() } else { sources.directory.join(name) };
        return file::read(&path, sources.own, faults).unwrap_or_default();
    };
    file::read(path, sources.own, faults).unwrap_or_else(|| {
        let place = Origin::File { path: path.clone(), line: 0 };
        faults.push(ConfigFault { place, what: "does not exist".to_string() });
        Vec::new()
    })
}

struct Loader {
    config: Config,
    /// By the name that is shown.
    settings: BTreeMap<String, Setting>,
    faults: Vec<ConfigFault>,
}

impl Loader {
    fn defaults(&mut self) {
        for key in KEYS {
            let text = key.default_text();
            (key.set)(&mut self.config, &text).expect("the table's defaults are valid");
            self.note(key.name.to_string(), text, Origin::Default);
        }
        for key in self.config.own_section.into_iter().flat_map(|own| own.keys) {
            self.note(key.name.to_string(), key.default.to_string(), Origin::Default);
        }
    }

    fn take(&mut self, given: Given, reserved_property: fn(&str) -> Option<&'static str>) {
        let Given { path, text, origin } = given;
        match meaning(&path, self.config.own_section) {
            Some(Meaning::Key(key)) => self.set(key, text, origin),
            Some(Meaning::Own(key)) => self.set_own(key, text, origin),
            Some(Meaning::Property(name)) => match reserved_property(&name) {
                None => {
                    self.note(format!("kafka.properties.{name:?}"), properties::shown(&name, &text), origin);
                    self.config.kafka.properties.0.insert(name, text);
                }
                Some(reason) => self.fault(origin, format!("kafka.properties.{name:?} cannot be set: {reason}")),
            },
            Some(Meaning::SourcePolicy(topic)) => {
                let name = format!("processing.sources.{topic:?}.{POISON_POLICY}");
                let read = values::id(&topic).map_err(|must| format!("{name}: the topic {must}"));
                let read = read.and_then(|_| values::poison_policy(&text).map_err(|must| format!("{name} {must}, not {text:?}")));
                match read {
                    Ok(policy) => {
                        self.note(name, text, origin);
                        self.config.processing.sources.insert(topic, policy);
                    }
                    Err(what) => self.fault(origin, what),
                }
            }
            None => {
                let what = unknown(&path.join("."), &origin, self.config.own_section);
                self.fault(origin, what);
            }
        }
    }

    /// An empty text takes back what a weaker source has set.
    fn set(&mut self, key: &Key, text: String, origin: Origin) {
        let text = if text.is_empty() { key.default_text() } else { text };
        match (key.set)(&mut self.config, &text) {
            Ok(()) => self.note(key.name.to_string(), text, origin),
            Err(must) => self.fault(origin, format!("{} {must}, not {text:?}", key.name)),
        }
    }

    fn set_own(&mut self, key: &OwnKey, text: String, origin: Origin) {
        let text = if text.is_empty() { key.default.to_string() } else { text };
        match (key.check)(&text) {
            Ok(()) => {
                self.config.own.0.insert(key.name, text.clone());
                self.note(key.name.to_string(), text, origin);
            }
            Err(must) => self.fault(origin, format!("{} {must}, not {text:?}", key.name)),
        }
    }

    /// The shortest time between commits must not exceed the longest; where only the longest was set, the default follows it.
    fn commit_intervals_fit(&mut self) {
        const MIN: &str = "processing.commit_min_interval_ms";
        let processing = &mut self.config.processing;
        let (min, max) = (processing.commit_min_interval_ms, processing.commit_interval_ms);
        if min <= max {
            return;
        }
        match self.settings[MIN].origin.clone() {
            Origin::Default => {
                processing.commit_min_interval_ms = max;
                self.note(MIN.to_string(), max.to_string(), Origin::Default);
            }
            origin => self.fault(origin, format!("{MIN} is {min}, more than processing.commit_interval_ms, which is {max}")),
        }
    }

    /// Makes room for a second process beside one with the same configuration.
    fn separate(&mut self, instance: &str) {
        let origin = Origin::Flag(format!("--instance {instance}"));
        if let Err(must) = values::id(instance) {
            return self.fault(origin, format!("the name {must}"));
        }
        let application = &mut self.config.application;
        let mut name = application.state_dir.file_name().unwrap_or("state".as_ref()).to_os_string();
        name.push(format!("-{instance}"));
        application.state_dir.set_file_name(name);
        let state_dir = application.state_dir.display().to_string();
        if let Some(id) = &mut application.instance_id {
            id.push_str(&format!("-{instance}"));
            let id = id.clone();
            self.note("application.instance_id".to_string(), id, origin.clone());
        }
        self.note("application.state_dir".to_string(), state_dir, origin.clone());
        if self.settings["http.listen"].origin == Origin::Default {
            self.config.http.listen.set_port(0);
            let listen = self.config.http.listen.to_string();
            self.note("http.listen".to_string(), listen, origin);
        }
    }

    fn note(&mut self, name: String, shown: String, origin: Origin) {
        self.settings.insert(name.clone(), Setting { name, shown, origin });
    }

    fn fault(&mut self, place: Origin, what: String) {
        self.faults.push(ConfigFault { place, what });
    }

    fn finish(mut self) -> Result<Config, ConfigFaults> {
        if !self.faults.is_empty() {
            // As a person would go through them.
            self.faults.sort_by_key(|fault| match fault.place {
                Origin::Default => (0, 0),
                Origin::File { line, .. } => (1, line),
                Origin::Variable(_) => (2, 0),
                Origin::Flag(_) => (3, 0),
            });
            return Err(ConfigFaults { faults: self.faults });
        }
        // In the order of the table; what has no place there comes last in its section.
        let place = |name: &str| KEYS.iter().position(|key| key.name == name).unwrap_or(KEYS.len());
        let mut settings: Vec<Setting> = self.settings.into_values().collect();
        settings.sort_by_key(|setting| place(&setting.name));
        self.config.settings = settings;
        Ok(self.config)
    }
}

fn meaning(path: &[String], own: Option<&'static OwnSection>) -> Option<Meaning> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts[..] {
        ["kafka", "properties", ref name @ ..] if !name.is_empty() => Some(Meaning::Property(name.join("."))),
        ["processing", "sources", ref topic @ .., POISON_POLICY] if !topic.is_empty() => Some(Meaning::SourcePolicy(topic.join("."))),
        _ => {
            let name = path.join(".");
            let own = || own.and_then(|own| own.find(&name)).map(Meaning::Own);
            Key::find(&name).map(Meaning::Key).or_else(own)
        }
    }
}

fn unknown(name: &str, origin: &Origin, own: Option<&OwnSection>) -> String {
    if is_section(name) || own.is_some_and(|own| own.name == name) {
        return format!("{name} is a section, it takes no value");
    }
    let own = own.into_iter().flat_map(|own| own.keys);
    let known = KEYS.iter().map(|key| key.name).chain(own.map(|key| key.name));
    let meant = match name.starts_with("processing.sources.") {
        true => Some(format!("processing.sources.<topic>.{POISON_POLICY}")),
        false => edit_distance::nearest(name, known).map(|key| match origin {
            Origin::Variable(_) => environment::variable(key),
            _ => key.to_string(),
        }),
    };
    let hint = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    format!("{name} is not a key{hint}")
}

/// Every field is set from the table before anybody sees it.
fn blank() -> Config {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config {
        application: ApplicationConfig { id: String::new(), instance_id: None, state_dir: PathBuf::new(), topic_prefix: String::new() },
        kafka: KafkaConfig { bootstrap_servers: None, properties: Properties::default() },
        broker: BrokerConfig { listen: nowhere, data_dir: PathBuf::new(), fsync: Fsync::Interval },
        topics: TopicsConfig { create: true, partitions: 0, replication_factor: None },
        processing: ProcessingConfig {
            guarantee: Guarantee::ExactlyOnce,
            stream_threads: 0,
            commit_interval_ms: 0,
            commit_min_interval_ms: 0,
            max_task_idle_ms: 0,
            poison_policy: PoisonPolicy::DeadLetter,
            sources: BTreeMap::new(),
        },
        state: StateConfig { standby_replicas: 0, memory_mib: 0 },
        http: HttpConfig {
            listen: nowhere,
            advertised_url: None,
            max_body_bytes: 0,
            max_connections: 0,
            max_waiting_commands: 0,
            max_wait_ms: 0,
            actor_header: String::new(),
            actor_role_header: String::new(),
            actor_required: false,
        },
        log: LogConfig { format: LogFormat::Text, level: String::new() },
        own: OwnSettings::default(),
        own_section: None,
        settings: Vec::new(),
    }
}
