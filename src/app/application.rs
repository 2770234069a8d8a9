//! An application: a topology, routes, commands of its own, and what the command line makes of them.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches as _};

use super::cli::{self, CheckArgs, Cli, Command, ConfigArgs, ConfigCommand};
use super::config::{Config, ConfigFaults, LogConfig, Sources};
use super::exit::Exit;
use super::instance::{InstanceError, refusals};
use super::online_check::{OnlineFaults, check_online};
use super::reset::InUse;
use super::restore_report::Terminal;
use super::topic_feed::FeedError;
use super::{logging, malloc, reset, run};
use crate::http::Routes;
use crate::kafka::reserved_property;
use crate::query::Views;
use crate::topology::{Topology, TopologyBuilder, TopologyErrors};

type DeclareTopology<H> = Box<dyn FnOnce(&mut TopologyBuilder) -> H>;
type MakeRoutes<H> = Box<dyn FnOnce(&H, Views) -> Routes>;
type RunCommand = Box<dyn FnOnce(&ArgMatches, &Config) -> anyhow::Result<()>>;

/// A program around a topology. `H` holds the handles of its stores, for its routes.
pub struct Application<H> {
    topology: DeclareTopology<H>,
    routes: MakeRoutes<H>,
    commands: Vec<(clap::Command, RunCommand)>,
}

/// What a process has around it; a test has its own.
struct Surroundings<'a> {
    sources: Sources,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// `None`: everything is said on `err`.
    start_log: Option<fn(&LogConfig, &Terminal) -> anyhow::Result<()>>,
    terminal: Terminal,
    log_is_started: bool,
}

impl<H> Application<H> {
    /// An application without commands of its own.
    pub fn new(topology: impl FnOnce(&mut TopologyBuilder) -> H + 'static, routes: impl FnOnce(&H, Views) -> Routes + 'static) -> Self {
        Application { topology: Box::new(topology), routes: Box::new(routes), commands: Vec::new() }
    }

    /// Adds a command beside `run`, `check`, `topology` and `config`. It takes `--config`, `--set` and `--instance` too, and is run
    /// with the configuration that they make and with the log started. An error ends the process with exit code 1.
    pub fn subcommand(mut self, command: clap::Command, run: impl FnOnce(&ArgMatches, &Config) -> anyhow::Result<()> + 'static) -> Self {
        self.commands.push((command, Box::new(run)));
        self
    }

    /// Does what the command line says.
    pub fn main(self) -> ExitCode {
        malloc::limit_arenas();
        #[cfg(feature = "faults")]
        let _points = crate::faults::points_from_environment();
        let sources = Sources { variables: std::env::vars_os().collect(), reserved_property, ..Sources::none() };
        let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
        let surroundings = Surroundings {
            sources,
            out: &mut out,
            err: &mut err,
            start_log: Some(logging::init),
            terminal: Terminal::stderr(),
            log_is_started: false,
        };
        self.execute(std::env::args_os(), surroundings).into()
    }

    fn execute(mut self, args: impl IntoIterator<Item = OsString>, mut surroundings: Surroundings<'_>) -> Exit {
        let matches = match cli::command(self.commands.iter().map(|(command, _)| command.clone())).try_get_matches_from(args) {
            Ok(matches) => matches,
            Err(error) => {
                // Help and versions come this way too.
                let _ = error.print();
                return if error.use_stderr() { Exit::Usage } else { Exit::Clean };
            }
        };
        let own = matches.subcommand().and_then(|(name, given)| {
            let at = self.commands.iter().position(|(command, _)| command.get_name() == name)?;
            Some((self.commands.swap_remove(at).1, given))
        });
        let done = match own {
            Some((run, given)) => surroundings.run_own(run, given),
            None => match Cli::from_arg_matches(&matches) {
                Ok(cli) => self.run_command(cli.command, &mut surroundings),
                Err(error) => Err(error.into()),
            },
        };
        done.unwrap_or_else(|error| surroundings.tell(&error))
    }

    fn run_command(self, command: Command, surroundings: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
        match command {
            Command::Run(args) => {
                let config = surroundings.load(args)?;
                let (topology, handles) = build(self.topology)?;
                config.check_source_topics(&topology.source_topics())?;
                surroundings.start_log(&config.log)?;
                let routes = self.routes;
                run::run(&config, topology, surroundings.terminal.clone(), move |views| routes(&handles, views))
            }
            Command::Check(args) => self.check(args, surroundings),
            Command::Reset(args) => {
                let config = surroundings.load(args.config.clone())?;
                let (topology, _) = build(self.topology)?;
                reset::reset(&config, &topology, &args, surroundings.out).map(|()| Exit::Clean)
            }
            Command::Topology(args) => surroundings.print(&build(self.topology)?.0.describe_as(args.format)),
            Command::Config(ConfigCommand::Show(args)) => {
                let config = surroundings.load(args)?;
                surroundings.print(&config.to_toml_redacted())
            }
            Command::Config(ConfigCommand::Default) => surroundings.print(&Config::default_file()),
        }
    }

    /// Everything that can be wrong, not only the first; brokers are asked only when nothing else is.
    fn check(self, args: CheckArgs, surroundings: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
        let mut faults: Vec<anyhow::Error> = Vec::new();
        let config = surroundings.load(args.config).map_err(|error| faults.push(error)).ok();
        let topology = build(self.topology).map_err(|errors| faults.push(errors.into())).ok();
        if let Some(config) = &config {
            faults.extend(refusals(config).into_iter().map(Into::into));
        }
        if let (Some(config), Some((topology, _))) = (&config, &topology) {
            faults.extend(config.check_source_topics(&topology.source_topics()).err().map(Into::into));
        }
        let (Some(config), Some((topology, _)), true) = (config, topology, faults.is_empty()) else {
            for fault in &faults {
                surroundings.tell(fault);
            }
            return Ok(Exit::Usage);
        };
        if !args.online {
            return surroundings.print("the configuration and the topology have no faults\n");
        }
        let report = check_online(&config, &topology);
        surroundings.print(&report.notes.iter().map(|note| format!("{note}\n")).collect::<String>())?;
        if !report.faults.is_empty() {
            return Err(OnlineFaults(report.faults).into());
        }
        surroundings.print("the configuration, the topology and the cluster have no faults\n")
    }
}

fn build<H>(declare: DeclareTopology<H>) -> Result<(Topology, H), TopologyErrors> {
    let mut builder = TopologyBuilder::new();
    let handles = declare(&mut builder);
    Ok((builder.build()?, handles))
}

impl Surroundings<'_> {
    fn load(&self, args: ConfigArgs) -> anyhow::Result<Config> {
        Ok(Config::load(&args.sources(self.sources.clone()))?)
    }

    fn start_log(&mut self, config: &LogConfig) -> anyhow::Result<()> {
        if let Some(start) = self.start_log {
            start(config, &self.terminal)?;
            self.log_is_started = true;
        }
        Ok(())
    }

    fn run_own(&mut self, run: RunCommand, given: &ArgMatches) -> anyhow::Result<Exit> {
        let config = self.load(ConfigArgs::from_arg_matches(given)?)?;
        self.start_log(&config.log)?;
        run(given, &config)?;
        Ok(Exit::Clean)
    }

    fn print(&mut self, text: &str) -> anyhow::Result<Exit> {
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            // Whoever read it has seen enough.
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(Exit::Clean),
        }
    }

    /// Says what ended the command, and answers how the process ends.
    fn tell(&mut self, error: &anyhow::Error) -> Exit {
        if self.log_is_started {
            tracing::error!(error = format!("{error:#}"), "cannot go on");
        } else {
            // There is no other place to say it.
            let _ = writeln!(self.err, "error: {error:#}");
        }
        let is_fault = error.is::<ConfigFaults>() || error.is::<TopologyErrors>() || error.is::<OnlineFaults>();
        let is_fault = is_fault || error.is::<clap::Error>() || is_refused(error);
        match error.is::<InUse>() {
            true => Exit::InUse,
            false if is_fault => Exit::Usage,
            false => Exit::Failure,
        }
    }
}

/// Whether the configuration asks for what an instance cannot do.
fn is_refused(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref().or_else(|| match error.downcast_ref() {
        Some(FeedError::Config(cause)) => Some(cause),
        _ => None,
    });
    matches!(cause, Some(InstanceError::NoBroker | InstanceError::Properties(_)))
}

/// Runs an application without commands of its own; see [`Application`].
pub fn main<H: 'static>(
    topology: impl FnOnce(&mut TopologyBuilder) -> H + 'static,
    routes: impl FnOnce(&H, Views) -> Routes + 'static,
) -> ExitCode {
    Application::new(topology, routes).main()
}

#[cfg(test)]
mod tests {
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
        let ended = execute(application(counting), "check --set kafka.properties.linger.millis=1", &[]);
        assert_eq!(ended.exit, Exit::Usage);
        for told in ["kafka.bootstrap_servers is not set", "linger.millis"] {
            assert!(ended.err.contains(told), "{told}: {}", ended.err);
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
        for told in ["the cluster has 2 faults:", &format!("- {one} cannot be reached"), &format!("- {other} cannot be reached"), "refused"]
        {
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
        assert_eq!(execute(application(counting), "config default", &[]).out, Config::default_file());
    }

    #[test]
    fn a_reset_says_what_it_means_and_changes_nothing_by_itself() {
        assert_eq!(execute(application(counting), "reset", &[]).exit, Exit::Usage, "what shall be reset must be said");
        assert_eq!(execute(application(counting), "reset --local --application", &[]).exit, Exit::Usage);
        assert_eq!(execute(application(counting), "reset --application --task words_0", &[]).exit, Exit::Usage);
        let ended = execute(application(counting), "reset --local --set application.state_dir=/nonexistent/state", &[]);
        assert_eq!((ended.exit, ended.out.as_str()), (Exit::Clean, "there is nothing to reset\n"), "{}", ended.err);
        let ended = execute(application(counting), "reset --application", &[]);
        assert_eq!((ended.exit, ended.err.contains("kafka.bootstrap_servers")), (Exit::Usage, true), "{}", ended.err);
    }

    #[test]
    fn run_is_refused_before_it_begins_when_there_are_faults() {
        let ended = execute(application(counting), "run --config /nonexistent/config.toml", &[]);
        assert_eq!((ended.exit, ended.err.contains("does not exist")), (Exit::Usage, true), "{}", ended.err);
        assert_eq!(execute(application(faulty), "run", &[]).exit, Exit::Usage);
        let ended = execute(application(counting), "run --set http.listen=127.0.0.1:0", &[]);
        assert_eq!((ended.exit, ended.err.contains("kafka.bootstrap_servers")), (Exit::Usage, true), "{}", ended.err);
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
        let refused = execute(with_command(|| Err(FeedError::Config(InstanceError::NoBroker).into())), "sample", &[]);
        assert_eq!(refused.exit, Exit::Usage, "{}", refused.err);
        assert_eq!(execute(with_command(|| Ok(())), "sample --set x=1", &[]).exit, Exit::Usage);
        assert_eq!(execute(with_command(|| Ok(())), "smaple", &[]).exit, Exit::Usage);
        assert_eq!(execute(with_command(|| Ok(())), "--help", &[]).exit, Exit::Clean);
    }
}
