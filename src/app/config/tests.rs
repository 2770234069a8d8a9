//! What the configuration promises.

mod own;

use std::ffi::OsString;
use std::path::PathBuf;

use super::*;

/// A directory of its own that is gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn with(config: &str) -> Self {
        let path = std::env::temp_dir().join(format!("viewmill-config-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("config.toml"), config).unwrap();
        Directory(path)
    }

    fn sources(&self) -> Sources {
        Sources { directory: self.0.clone(), ..Sources::none() }
    }

    /// Without the directory's own name.
    fn clean(&self, text: impl ToString) -> String {
        text.to_string().replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn flags(list: &[&str]) -> Vec<String> {
    list.iter().map(|flag| flag.to_string()).collect()
}

fn reserved(name: &str) -> Option<&'static str> {
    (name == "transactional.id").then_some("it is made of application, instance and thread")
}

#[test]
fn without_any_source_the_documented_defaults_hold() {
    let nowhere = std::env::temp_dir().join("viewmill-config-that-is-not-there");
    let config = Config::load(&Sources { directory: nowhere, ..Sources::none() }).unwrap();
    assert_eq!(config.application.id, "viewmill");
    assert_eq!(config.application.instance_id, None);
    assert_eq!(config.application.state_dir, PathBuf::from("./viewmill-data/state"));
    assert_eq!(config.application.topic_prefix, "");
    assert_eq!(config.kafka, KafkaConfig { bootstrap_servers: None, properties: Properties::default() });
    assert_eq!(config.broker.listen.to_string(), "127.0.0.1:19092");
    assert_eq!(config.broker.data_dir, PathBuf::from("./viewmill-data/broker"));
    assert_eq!(config.topics, TopicsConfig { create: true, partitions: 4, replication_factor: None });
    assert_eq!(config.processing.guarantee, Guarantee::ExactlyOnce);
    assert_eq!(config.processing.stream_threads, std::thread::available_parallelism().unwrap().get());
    assert_eq!((config.processing.commit_interval_ms, config.processing.commit_min_interval_ms), (100, 20));
    assert_eq!(config.processing.max_task_idle_ms, 0);
    assert_eq!(config.poison_policy("any"), PoisonPolicy::DeadLetter);
    assert_eq!(config.state, StateConfig { standby_replicas: 1, memory_mib: 256 });
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((config.http.max_body_bytes, config.http.max_wait_ms), (1_048_576, 5_000));
    assert_eq!((&*config.http.actor_header, &*config.http.actor_role_header), ("X-Actor", "X-Actor-Role"));
    assert!(!config.http.actor_required);
    assert_eq!(config.log.level, "info");
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let directory = Directory::with("[topics]\npartitions = 1\nreplication_factor = 3\ncreate = false\n");
    let config = Config::load(&Sources {
        variables: variables(&[
            ("VIEWMILL__TOPICS__PARTITIONS", "2"),
            ("VIEWMILL__TOPICS__REPLICATION_FACTOR", ""),
            ("VIEWMILL__LOG__LEVEL", "warn"),
            ("VIEWMILLX__LOG__LEVEL", "not ours"),
        ]),
        flags: flags(&["topics.partitions=3", "log.level=debug", "log.level="]),
        ..directory.sources()
    })
    .unwrap();
    assert_eq!(config.topics, TopicsConfig { create: false, partitions: 3, replication_factor: Some(3) });
    assert_eq!(config.log.level, "info");
}

#[test]
fn properties_and_topics_are_named_by_every_source() {
    let file = "
        [kafka.properties]
        \"security.protocol\" = \"SASL_SSL\"
        linger.ms = 7
        [processing.sources.\"order.events\"]
        poison_policy = \"stop\"
        [processing.sources.payments.v1]
        poison_policy = \"skip\"
    ";
    let directory = Directory::with(file);
    let config = Config::load(&Sources {
        variables: variables(&[
            ("VIEWMILL__KAFKA__PROPERTIES__SASL_USERNAME", "ann"),
            ("VIEWMILL__PROCESSING__SOURCES__ship-ments__POISON_POLICY", "stop"),
        ]),
        flags: flags(&["kafka.properties.sasl.password=a=b", "kafka.properties.\"ssl.ca.location\"=/ca"]),
        ..directory.sources()
    })
    .unwrap();
    let expected = [
        ("linger.ms", "7"),
        ("sasl.password", "a=b"),
        ("sasl.username", "ann"),
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.location", "/ca"),
    ];
    assert_eq!(config.kafka.properties.0, expected.map(|(name, value)| (name.to_string(), value.to_string())).into());
    assert_eq!(config.poison_policy("order.events"), PoisonPolicy::Stop);
    assert_eq!(config.poison_policy("payments.v1"), PoisonPolicy::Skip);
    assert_eq!(config.poison_policy("ship-ments"), PoisonPolicy::Stop);
    assert_eq!(config.poison_policy("others"), PoisonPolicy::DeadLetter);
}

#[test]
fn all_faults_are_told_at_once_each_with_its_place() {
    let file = "\
[aplication]
id = \"shop\"

[topics]
partitions = \"many\"
creat = true

[processing]
commit_interval_ms = 5001
commit_min_interval_ms = [1]
sources.orders.poison_polcy = \"skip\"

[processing.sources.\"order events\"]
poison_policy = \"skip\"

[kafka.properties]
\"transactional.id\" = \"mine\"

[web]

[state]
memory_mib = 1
";
    let directory = Directory::with(file);
    let faults = Config::load(&Sources {
        variables: variables(&[
            ("VIEWMILL__HTTP__LISTNE", "127.0.0.1:1"),
            ("VIEWMILL__HTTP__LISTEN", "8080"),
            ("VIEWMILL__HTTP", "x"),
            ("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", "localhost"),
        ]),
        flags: flags(&["http.level=debug", "secret", "log.level=inof", "nothing.like.it=1"]),
        instance: Some("../b".to_string()),
        reserved_property: reserved,
        ..directory.sources()
    })
    .unwrap_err();
    let expected = "\
the configuration has 19 faults:
  - config.toml:2: aplication.id is not a key; did you mean application.id?
  - config.toml:5: topics.partitions must be a whole number from 1 to 10000, not \"many\"
  - config.toml:6: topics.creat is not a key; did you mean topics.create?
  - config.toml:9: processing.commit_interval_ms must be a whole number from 1 to 5000, half of the transaction time-out, not \"5001\"
  - config.toml:10: processing.commit_min_interval_ms must be a text, a number, true or false
  - config.toml:11: processing.sources.orders.poison_polcy is not a key; did you mean processing.sources.<topic>.poison_policy?
  - config.toml:14: processing.sources.\"order events\".poison_policy: the topic must have 1 to 100 of the characters a-z, A-Z, 0-9, '.', '_' and '-', and not begin with '.'
  - config.toml:17: kafka.properties.\"transactional.id\" cannot be set: it is made of application, instance and thread
  - config.toml:19: web is not a section
  - config.toml:22: state.memory_mib must be a whole number from 16 to 1048576, not \"1\"
  - VIEWMILL__HTTP: http is a section, it takes no value
  - VIEWMILL__HTTP__LISTEN: http.listen must be an IP address and a port, such as 127.0.0.1:8080 or [::]:8080, not \"8080\"
  - VIEWMILL__HTTP__LISTNE: http.listne is not a key; did you mean VIEWMILL__HTTP__LISTEN?
  - VIEWMILL__KAFKA__BOOTSTRAP_SERVERS: kafka.bootstrap_servers must be host:port, or several of them with commas between, not \"localhost\"
  - --set, number 2: must be key=value, such as http.listen=127.0.0.1:0
  - --set http.level: http.level is not a key; did you mean log.level?
  - --set log.level: log.level must be one of off, error, warn, info, debug, trace, or such levels by module: info,viewmill::http=debug, not \"inof\"
  - --set nothing.like.it: nothing.like.it is not a key
  - --instance ../b: the name must have 1 to 100 of the characters a-z, A-Z, 0-9, '.', '_' and '-', and not begin with '.'
";
    assert_eq!(directory.clean(faults), expected.trim_end());
}

#[test]
fn broken_toml_is_told_with_its_line_and_without_its_content() {
    let directory = Directory::with("[kafka.properties]\n\"sasl.password\" = \"hunter2\nx = = 1\n[[[\n");
    let faults = Config::load(&directory.sources()).unwrap_err();
    let text = directory.clean(&faults);
    assert!(text.contains("config.toml:2: is not TOML: "), "{text}");
    assert!(faults.faults.len() > 1, "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn an_application_is_not_named_like_what_lies_in_the_state_directory() {
    let directory = Directory::with("[application]\nid = \"removed\"\n");
    let text = directory.clean(Config::load(&directory.sources()).unwrap_err());
    assert!(text.contains("config.toml:2: application.id must be another name than removed, lock, "), "{text}");
    assert!(text.ends_with("which are in use in the state directory, not \"removed\""), "{text}");
}

#[test]
fn a_named_file_must_exist() {
    let directory = Directory::with("");
    let missing = directory.0.join("other.toml");
    let faults = Config::load(&Sources { file: Some(missing), ..directory.sources() }).unwrap_err();
    assert_eq!(directory.clean(faults), "the configuration has 1 fault:\n  - other.toml: does not exist");
    let faults = Config::load(&Sources { file: Some(directory.0.clone()), ..directory.sources() }).unwrap_err();
    assert!(faults.to_string().contains("cannot be read"), "{faults}");
}

#[test]
fn no_secret_is_ever_shown() {
    let directory = Directory::with("[kafka.properties]\n\"sasl.password\" = \"hunter2\"\n\"sasl.username\" = \"ann\"\n");
    let config = Config::load(&Sources {
        variables: variables(&[("VIEWMILL__KAFKA__PROPERTIES__SSL_KEY_PASSWORD", "hunter2")]),
        flags: flags(&["kafka.properties.sasl.oauthbearer.client.secret=hunter2", "kafka.properties.sasl.jaas.config=hunter2"]),
        ..directory.sources()
    })
    .unwrap();
    assert_eq!(config.kafka.properties.0.values().filter(|value| *value == "hunter2").count(), 4);
    for shown in [config.to_toml_redacted(), format!("{config:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("ann"), "{shown}");
    }
    let refused = Config::load(&Sources { flags: flags(&["sasl.password=hunter2", "hunter2"]), ..directory.sources() }).unwrap_err();
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
}

#[test]
fn what_is_shown_tells_the_origin_and_is_a_configuration() {
    let directory = Directory::with("\n[topics]\npartitions = 8\n");
    let config = Config::load(&Sources {
        variables: variables(&[("VIEWMILL__LOG__FORMAT", "json"), ("VIEWMILL__PROCESSING__STREAM_THREADS", "3")]),
        flags: flags(&["kafka.properties.linger.ms=5", "processing.sources.\"a.b\".poison_policy=stop"]),
        ..directory.sources()
    })
    .unwrap();
    let shown = directory.clean(config.to_toml_redacted());
    let expected = "\
[application]
id = \"viewmill\"  # default
# instance_id is not set: a UUID, made in the state directory and kept there  # default
state_dir = \"./viewmill-data/state\"  # default
# topic_prefix is not set: none  # default

[kafka]
# bootstrap_servers is not set: the embedded broker  # default
properties.\"linger.ms\" = \"5\"  # --set kafka.properties.linger.ms

[broker]
listen = \"127.0.0.1:19092\"  # default
data_dir = \"./viewmill-data/broker\"  # default
fsync = \"interval\"  # default

[topics]
create = true  # default
partitions = 8  # config.toml:3
# replication_factor is not set: the broker's default  # default

[processing]
guarantee = \"exactly_once\"  # default
stream_threads = 3  # VIEWMILL__PROCESSING__STREAM_THREADS
commit_interval_ms = 100  # default
commit_min_interval_ms = 20  # default
max_task_idle_ms = 0  # default
poison_policy = \"dead-letter\"  # default
sources.\"a.b\".poison_policy = \"stop\"  # --set processing.sources.\"a.b\".poison_policy

[state]
standby_replicas = 1  # default
memory_mib = 256  # default

[http]
listen = \"127.0.0.1:8080\"  # default
# advertised_url is not set: made from http.listen  # default
max_connections = 1024  # default
max_waiting_commands = 128  # default
max_body_bytes = 1048576  # default
max_wait_ms = 5000  # default
actor_header = \"X-Actor\"  # default
actor_role_header = \"X-Actor-Role\"  # default
actor_required = false  # default

[log]
format = \"json\"  # VIEWMILL__LOG__FORMAT
level = \"info\"  # default
";
    assert_eq!(shown, expected);
    let again = Directory::with(&shown);
    let reread = Config::load(&again.sources()).unwrap();
    assert_eq!((reread.topics, reread.kafka, reread.processing), (config.topics, config.kafka, config.processing));
}

#[test]
fn the_default_file_holds_every_key_and_changes_nothing() {
    let text = Config::default_file(None);
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ") || rest.starts_with('[')).unwrap_or(line))
        .filter(|line| !line.starts_with('"') && !line.contains("order-events") && *line != "poison_policy = \"stop\"")
        .flat_map(|line| [line, "\n"])
        .collect();
    let directory = Directory::with(&uncommented);
    let config = Config::load(&directory.sources()).unwrap();
    let empty = Directory::with(&text);
    let default = Config::load(&empty.sources()).unwrap();
    assert!(default.settings.iter().all(|setting| setting.origin == Origin::Default));
    assert!(config.settings.iter().all(|setting| matches!(setting.origin, Origin::File { .. })), "{uncommented}");
    let values = |config: &Config| config.settings.iter().map(|s| (s.name.clone(), s.shown.clone())).collect::<Vec<_>>();
    assert_eq!(values(&config), values(&default));
}

#[test]
fn a_second_instance_gets_its_own_directory_id_and_port() {
    let directory = Directory::with("");
    let instance = |file: &str, list: &[&str]| {
        std::fs::write(directory.0.join("config.toml"), file).unwrap();
        Config::load(&Sources { instance: Some("b".into()), flags: flags(list), ..directory.sources() }).unwrap()
    };
    let config = instance("", &[]);
    assert_eq!(config.application.state_dir, PathBuf::from("./viewmill-data/state-b"));
    assert_eq!(config.application.instance_id, None);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:0");
    assert!(config.to_toml_redacted().contains("state_dir = \"./viewmill-data/state-b\"  # --instance b"));
    let config = instance("[application]\ninstance_id = \"a\"\nstate_dir = \"/data/vm/\"\n", &["http.listen=127.0.0.1:8081"]);
    assert_eq!(config.application.state_dir, PathBuf::from("/data/vm-b"));
    assert_eq!(config.application.instance_id.as_deref(), Some("a-b"));
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8081");
}

#[test]
fn commits_are_never_further_apart_at_least_than_at_most() {
    let directory = Directory::with("");
    let load = |list: &[&str]| Config::load(&Sources { flags: flags(list), ..directory.sources() });
    let config = load(&["processing.commit_interval_ms=5"]).unwrap();
    assert_eq!((config.processing.commit_interval_ms, config.processing.commit_min_interval_ms), (5, 5));
    let faults = load(&["processing.commit_min_interval_ms=200"]).unwrap_err();
    assert!(faults.to_string().contains("--set processing.commit_min_interval_ms: "), "{faults}");
}

#[test]
fn a_task_idles_for_ten_minutes_at_most() {
    let directory = Directory::with("[processing]\nmax_task_idle_ms = 600000\n");
    assert_eq!(Config::load(&directory.sources()).unwrap().processing.max_task_idle_ms, 600_000);
    for wrong in ["600001", "-1", "1.5", "long"] {
        let list = [format!("processing.max_task_idle_ms={wrong}")];
        let faults = Config::load(&Sources { flags: list.to_vec(), ..directory.sources() }).unwrap_err();
        let told = format!(
            "--set processing.max_task_idle_ms: processing.max_task_idle_ms must be a whole number from 0 to 600000, not {wrong:?}"
        );
        assert!(faults.to_string().ends_with(&told), "{faults}");
    }
    let directory = Directory::with("[processing]\nmax_task_idle = 1\n");
    let faults = Config::load(&directory.sources()).unwrap_err();
    let told = "config.toml:2: processing.max_task_idle is not a key; did you mean processing.max_task_idle_ms?";
    assert!(directory.clean(&faults).contains(told), "{faults}");
}

#[test]
fn the_advertised_url_comes_from_the_bound_address_unless_it_is_set() {
    let directory = Directory::with("");
    let http = |list: &[&str]| Config::load(&Sources { flags: flags(list), ..directory.sources() }).unwrap().http;
    let bound = |address: &str| http(&[]).advertised_url(address.parse().unwrap());
    assert_eq!(bound("10.0.0.7:81"), "http://10.0.0.7:81");
    assert_eq!(bound("0.0.0.0:81"), "http://127.0.0.1:81");
    assert_eq!(bound("[::]:81"), "http://[::1]:81");
    assert_eq!(http(&["http.advertised_url=https://vm.example/"]).advertised_url("1.2.3.4:5".parse().unwrap()), "https://vm.example");
}
