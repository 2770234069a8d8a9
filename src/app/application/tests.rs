//! What the command line makes of an application.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use super::*;
use crate::codec::Text;
use crate::processor::{ProcessorContext, StoreRef};
use crate::record::Record;

const KAFKA: &str = "--set kafka.bootstrap_servers=127.0.0.1:1";

fn counting(builder: &mut TopologyBuilder) {
    let words = builder.source::<String, String>("words", &["words"], Text, Text);
    let counts = builder.store::<String, u64>("counts", words);
    builder.each("count", words, move |wiring| {
        let counts: StoreRef<String, u64> = wiring.store(counts);
        move |context: &mut ProcessorContext<'_>, word: Record<String, String>| {
            context.store(counts).change(&word.value, |n| *n = Some(n.unwrap_or(0) + 1))?;
            Ok(())
        }
    });
}

fn faulty(builder: &mut TopologyBuilder) {
    builder.source::<String, String>("words", &["a topic"], Text, Text);
}

fn refusal() -> crate::ports::PortError {
    crate::ports::PortError::new(crate::ports::PortErrorClass::Fatal, "set a property", "unknown")
}

struct Ended {
    exit: Exit,
    out: String,
    err: String,
}

fn execute(application: Application<()>, args: &str, variables: &[(&str, &str)]) -> Ended {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let sources = Sources {
        directory: PathBuf::from("/nonexistent"),
        variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        reserved_property,
        ..Sources::none()
    };
    let surroundings =
        Surroundings { sources, out: &mut out, err: &mut err, start_log: None, terminal: Terminal::stderr(), log_is_started: false };
    let args = std::iter::once("viewmill").chain(args.split_whitespace()).map(OsString::from);
    let exit = application.execute(args, surroundings);
    Ended { exit, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

fn application(topology: fn(&mut TopologyBuilder)) -> Application<()> {
    Application::new(topology, |(), _| Routes::new())
}

#[test]
fn check_tells_the_faults_of_configuration_and_topology_together() {
    let ended = execute(application(faulty), "check --set topics.partitions=0", &[("VIEWMILL__LOG__LEVEL", "loud")]);
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Usage, ""));
    for told in ["VIEWMILL__LOG__LEVEL: log.level must be", "--set topics.partitions: ", "\"a topic\"", "has no reader"] {
        assert!(ended.err.contains(told), "{told}: {}", ended.err);
    }
}

#[test]
fn check_refuses_properties_that_librdkafka_does_not_know_or_that_are_ours() {
    for (flag, told) in [("linger.millis=1", "linger.millis"), ("transactional.id=x", "cannot be set")] {
        let ended = execute(application(counting), &format!("check {KAFKA} --set kafka.properties.{flag}"), &[]);
        assert_eq!(ended.exit, Exit::Usage, "{}", ended.err);
        assert!(ended.err.contains(told), "{}", ended.err);
    }
    let ended = execute(application(counting), &format!("check {KAFKA} --set kafka.properties.linger.ms=1"), &[]);
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Clean, "the configuration and the topology have no faults\n"));
}

#[test]
fn check_tells_what_run_would_refuse() {
    for command in ["check", "run"] {
        let ended = execute(application(counting), &format!("{command} --set kafka.properties.linger.millis=1"), &[]);
        assert_eq!((ended.exit, ended.err.contains("linger.millis")), (Exit::Usage, true), "{command}: {}", ended.err);
    }
}

#[test]
fn a_policy_for_a_topic_that_nobody_reads_is_a_fault() {
    for command in ["check", "run"] {
        let flag = "--set processing.sources.wrods.poison_policy=stop";
        let ended = execute(application(counting), &format!("{command} {KAFKA} {flag}"), &[]);
        let told = "--set processing.sources.wrods.poison_policy: no source reads topic wrods; did you mean words?";
        assert_eq!((ended.exit, ended.err.contains(told)), (Exit::Usage, true), "{}", ended.err);
    }
    let ended = execute(application(counting), &format!("check {KAFKA} --set processing.sources.words.poison_policy=stop"), &[]);
    assert_eq!(ended.exit, Exit::Clean, "{}", ended.err);
}

#[test]
fn brokers_that_cannot_be_reached_are_all_named() {
    let closed = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (one, other) = (closed(), closed());
    let ended = execute(application(counting), &format!("check --online --set kafka.bootstrap_servers={one},{other}"), &[]);
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Usage, ""));
    for told in ["the cluster has 2 faults:", &format!("- {one} cannot be reached"), &format!("- {other} cannot be reached"), "refused"] {
        assert!(ended.err.contains(told), "{told}: {}", ended.err);
    }
}

#[test]
fn the_topology_is_printed_without_a_configuration() {
    let ended = execute(application(counting), "topology", &[("VIEWMILL__LOG__LEVEL", "loud")]);
    assert_eq!(ended.exit, Exit::Clean);
    assert!(ended.out.starts_with("Topology\n  Sub-topology: words\n"), "{}", ended.out);
    assert_eq!(execute(application(faulty), "topology", &[]).exit, Exit::Usage);
    for (format, begin) in [("text", "Topology\n"), ("json", "{"), ("mermaid", "flowchart LR\n"), ("dot", "digraph")] {
        let ended = execute(application(counting), &format!("topology --format {format}"), &[]);
        assert!(ended.exit == Exit::Clean && ended.out.starts_with(begin), "{}", ended.out);
    }
    assert_eq!(execute(application(counting), "topology --format svg", &[]).exit, Exit::Usage);
}

#[test]
fn the_configuration_is_printed() {
    let ended = execute(application(counting), "config show --instance b", &[("VIEWMILL__LOG__LEVEL", "warn")]);
    assert_eq!(ended.exit, Exit::Clean);
    assert!(ended.out.contains("level = \"warn\"  # VIEWMILL__LOG__LEVEL\n"), "{}", ended.out);
    assert!(ended.out.contains("listen = \"127.0.0.1:0\"  # --instance b\n"), "{}", ended.out);
    assert_eq!(execute(application(counting), "config default", &[]).out, Config::default_file(None));
}

#[test]
fn a_reset_says_what_it_means_and_changes_nothing_by_itself() {
    assert_eq!(execute(application(counting), "reset", &[]).exit, Exit::Usage, "what shall be reset must be said");
    assert_eq!(execute(application(counting), "reset --local --application", &[]).exit, Exit::Usage);
    assert_eq!(execute(application(counting), "reset --application --task words_0", &[]).exit, Exit::Usage);
    let ended = execute(application(counting), "reset --local --set application.state_dir=/nonexistent/state", &[]);
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Clean, "there is nothing to reset\n"), "{}", ended.err);
}

#[test]
fn run_is_refused_before_it_begins_when_there_are_faults() {
    let ended = execute(application(counting), "run --config /nonexistent/config.toml", &[]);
    assert_eq!((ended.exit, ended.err.contains("does not exist")), (Exit::Usage, true), "{}", ended.err);
    assert_eq!(execute(application(faulty), "run", &[]).exit, Exit::Usage);
}

#[test]
fn an_application_has_commands_of_its_own() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let with_command = |result: fn() -> anyhow::Result<()>| {
        let seen = seen.clone();
        let command = clap::Command::new("sample").arg(clap::Arg::new("orders").long("orders"));
        application(counting).subcommand(command, move |given, config| {
            seen.borrow_mut().push((given.get_one::<String>("orders").cloned(), config.topics.partitions));
            result()
        })
    };
    let ended = execute(with_command(|| Ok(())), "sample --orders 5 --set topics.partitions=2", &[]);
    assert_eq!(ended.exit, Exit::Clean, "{}", ended.err);
    assert_eq!(seen.take(), [(Some("5".to_string()), 2)]);
    let ended = execute(with_command(|| Err(anyhow::anyhow!("no").context("cannot write"))), "sample", &[]);
    assert_eq!((ended.exit, ended.err.as_str()), (Exit::Failure, "error: cannot write: no\n"));
    let refused = execute(with_command(|| Err(FeedError::Config(InstanceError::Properties(refusal())).into())), "sample", &[]);
    assert_eq!(refused.exit, Exit::Usage, "{}", refused.err);
    assert_eq!(execute(with_command(|| Ok(())), "sample --set x=1", &[]).exit, Exit::Usage);
    assert_eq!(execute(with_command(|| Ok(())), "smaple", &[]).exit, Exit::Usage);
    assert_eq!(execute(with_command(|| Ok(())), "--help", &[]).exit, Exit::Clean);
}
