//! An application: a topology, routes, commands of its own, and what the command line makes of them.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches as _};

use super::beside::Beside;
use super::cli::{self, CheckArgs, Cli, Command, ConfigArgs, ConfigCommand};
use super::config::{Config, ConfigFaults, LogConfig, OwnSection, OwnSettings, Sources};
use super::embedded::{self, Embedded};
use super::exit::Exit;
use super::instance::{InstanceError, refusals};
use super::online_check::{OnlineFaults, check_online};
use super::reset::InUse;
use super::restore_report::Terminal;
use super::topic_feed::FeedError;
use super::{logging, malloc, open_files, reset, run};
use crate::command::Commands;
use crate::http::{ActorRule, Routes};
use crate::kafka::reserved_property;
use crate::query::Views;
use crate::topology::{Topology, TopologyBuilder, TopologyErrors};

type DeclareTopology<H> = Box<dyn FnOnce(&mut TopologyBuilder, &OwnSettings) -> H>;
type MakeRoutes<H> = Box<dyn FnOnce(&H, Views, Commands, ActorRule) -> Routes>;
type RunCommand = Box<dyn FnOnce(&ArgMatches, &Config) -> anyhow::Result<()>>;
type PrepareRun = Box<dyn FnOnce(&ArgMatches, &mut Config) -> anyhow::Result<Beside>>;

/// A command of the application.
enum OwnCommand {
    Alone(RunCommand),
    BesideInstance(PrepareRun),
}

/// A program around a topology. `H` holds the handles of its stores, for its routes.
pub struct Application<H> {
    topology: DeclareTopology<H>,
    routes: MakeRoutes<H>,
    /// The topic of outcomes, where it takes commands.
    results: Option<&'static str>,
    section: Option<&'static OwnSection>,
    commands: Vec<(clap::Command, OwnCommand)>,
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
        let topology = move |builder: &mut TopologyBuilder, _: &OwnSettings| topology(builder);
        let routes = move |handles: &H, views, _, _| routes(handles, views);
        Application { topology: Box::new(topology), routes: Box::new(routes), results: None, section: None, commands: Vec::new() }
    }

    /// An application whose routes also take commands. Their outcomes come through the topic `results` (without prefix), to which the
    /// topology sends them; see [`crate::command::handler`]. The rule says who gives them. The topology is declared with the settings of the
    /// application's own section.
    pub fn with_commands(
        results: &'static str,
        topology: impl FnOnce(&mut TopologyBuilder, &OwnSettings) -> H + 'static,
        routes: impl FnOnce(&H, Views, Commands, ActorRule) -> Routes + 'static,
    ) -> Self {
        let (topology, routes) = (Box::new(topology), Box::new(routes));
        Application { topology, routes, results: Some(results), section: None, commands: Vec::new() }
    }

    /// Adds a section to the configuration.
    pub fn settings(self, section: &'static OwnSection) -> Self {
        Application { section: Some(section), ..self }
    }

    /// Adds a command beside `run`, `check`, `topology` and `config`. It takes `--config`, `--set` and `--instance` too, and is run
    /// with the configuration that they make and with the log started. An error ends the process with exit code 1.
    pub fn subcommand(mut self, command: clap::Command, run: impl FnOnce(&ArgMatches, &Config) -> anyhow::Result<()> + 'static) -> Self {
        self.commands.push((command, OwnCommand::Alone(Box::new(run))));
        self
    }

    /// Adds a command that does what `run` does, with something beside it. `prepare` may change the configuration first.
    pub fn running_subcommand(
        mut self,
        command: clap::Command,
        prepare: impl FnOnce(&ArgMatches, &mut Config) -> anyhow::Result<Beside> + 'static,
    ) -> Self {
        self.commands.push((command, OwnCommand::BesideInstance(Box::new(prepare))));
        self
    }

    /// Does what the command line says.
    pub fn main(self) -> ExitCode {
        malloc::limit_arenas();
        open_files::raise_limit();
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
        surroundings.sources.own = self.section;
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
            Some((OwnCommand::Alone(run), given)) => surroundings.run_own(run, given),
            Some((OwnCommand::BesideInstance(prepare), given)) => self.run_beside(prepare, given, &mut surroundings),
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
                self.run(&config, None, surroundings)
            }
            Command::Broker(args) => {
                let config = surroundings.load(args)?;
                surroundings.start_log(&config.log)?;
                run::run_broker(&config)
            }
            Command::Check(args) => self.check(args, surroundings),
            Command::Reset(args) => {
                let config = surroundings.load(args.config.clone())?;
                let (topology, _) = build(self.topology, &config.own)?;
                let embedded = if args.application { Embedded::start_if_none_runs(&config)? } else { None };
                let config = embedded.as_ref().map_or_else(|| config.clone(), |embedded| embedded.configure(&config));
                let done = reset::reset(&config, &topology, &args, surroundings.out);
                if let Some(embedded) = embedded {
                    embedded.stop();
                }
                done.map(|()| Exit::Clean)
            }
            Command::Topology(args) => {
                let own = OwnSettings::defaults_of(self.section);
                surroundings.print(&build(self.topology, &own)?.0.describe_as(args.format))
            }
            Command::Config(ConfigCommand::Show(args)) => {
                let config = surroundings.load(args)?;
                surroundings.print(&config.to_toml_redacted())
            }
            Command::Config(ConfigCommand::Default) => surroundings.print(&Config::default_file(self.section)),
        }
    }

    fn run(self, config: &Config, beside: Option<Beside>, surroundings: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
        let (topology, handles) = build(self.topology, &config.own)?;
        config.check_source_topics(&topology.source_topics())?;
        surroundings.start_log(&config.log)?;
        let routes = self.routes;
        let actors = ActorRule::new(&config.http.actor_header, &config.http.actor_role_header, config.http.actor_required);
        let routes = move |views, commands| routes(&handles, views, commands, actors);
        run::run(config, topology, self.results, surroundings.terminal.clone(), routes, beside)
    }

    fn run_beside(self, prepare: PrepareRun, given: &ArgMatches, surroundings: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
        let mut config = surroundings.load(ConfigArgs::from_arg_matches(given)?)?;
        let beside = prepare(given, &mut config)?;
        self.run(&config, Some(beside), surroundings)
    }

    /// Everything that can be wrong, not only the first; brokers are asked only when nothing else is.
    fn check(self, args: CheckArgs, surroundings: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
        let mut faults: Vec<anyhow::Error> = Vec::new();
        let config = surroundings.load(args.config).map_err(|error| faults.push(error)).ok();
        let own = config.as_ref().map_or_else(|| OwnSettings::defaults_of(self.section), |config| config.own.clone());
        let topology = build(self.topology, &own).map_err(|errors| faults.push(errors.into())).ok();
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
        if embedded::is_missing(&config) {
            let (listen, dir) = (config.broker.listen, config.broker.data_dir.display());
            return surroundings.print(&format!(
                "kafka.bootstrap_servers is not set: run starts the embedded broker on {listen}, with its logs in {dir}\n\
                 the configuration and the topology have no faults\n"
            ));
        }
        let report = check_online(&config, &topology, self.results);
        surroundings.print(&report.notes.iter().map(|note| format!("{note}\n")).collect::<String>())?;
        if !report.faults.is_empty() {
            return Err(OnlineFaults(report.faults).into());
        }
        surroundings.print("the configuration, the topology and the cluster have no faults\n")
    }
}

fn build<H>(declare: DeclareTopology<H>, own: &OwnSettings) -> Result<(Topology, H), TopologyErrors> {
    let mut builder = TopologyBuilder::new();
    let handles = declare(&mut builder, own);
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
    matches!(cause, Some(InstanceError::Properties(_)))
}

/// Runs an application without commands of its own; see [`Application`].
pub fn main<H: 'static>(
    topology: impl FnOnce(&mut TopologyBuilder) -> H + 'static,
    routes: impl FnOnce(&H, Views) -> Routes + 'static,
) -> ExitCode {
    Application::new(topology, routes).main()
}

#[cfg(test)]
mod tests;
