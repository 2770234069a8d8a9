//! The command line: what can be said, not what follows from it.

use std::path::PathBuf;

use clap::{ArgGroup, Args, CommandFactory as _, Parser, Subcommand};

use super::config::Sources;
use crate::topology::TopologyFormat;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, without faults; or stopped by a signal with everything committed
  1  something failed; the log says what
  2  the command line, the configuration, the topology or (check --online) the cluster has faults
  3  another process runs with this instance's id; do not start this one again
  4  (reset) an instance uses what would be reset; nothing was changed";

/// Materialized views over Kafka.
#[derive(Debug, Parser)]
#[command(name = "viewmill", version, subcommand_required = true, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Processes records and answers HTTP until it is told to stop
    Run(ConfigArgs),
    /// Runs the embedded broker alone: a single Kafka node on this machine, until it is told to stop
    Broker(ConfigArgs),
    /// Tells all that is wrong with the configuration and the topology, and changes nothing
    Check(CheckArgs),
    /// Removes state, where a start is refused or an application shall begin anew; says what it would do, and does it with --yes
    Reset(ResetArgs),
    /// Prints the sub-topologies with their sources, processors, sinks and stores
    Topology(TopologyArgs),
    /// Prints the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Prints what holds and where it came from, without secrets
    Show(ConfigArgs),
    /// Prints the commented file with all keys and their defaults
    Default,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Asks the brokers too: whether they answer, topics, partitions, permissions; makes nothing and joins nothing
    #[arg(long)]
    pub online: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(group(ArgGroup::new("scope").required(true).args(["local", "application"])))]
pub(super) struct ResetArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The databases in this instance's state directory: the next run restores them from Kafka
    #[arg(long)]
    pub local: bool,
    /// The whole application: its group with all offsets, its changelogs, repartition topics, members topic and task log, and the databases
    /// in this instance's state directory. The next run begins at the sources' beginning, and writes its outputs again. Sources, output
    /// topics and dead letters stay, and so does the place in topics of commands: these are not decided again
    #[arg(long)]
    pub application: bool,
    /// With --local: only this task; can be repeated
    #[arg(long, value_name = "ID", conflicts_with = "application")]
    pub task: Vec<String>,
    /// With --application: commands are read again from the beginning of their topics, and decided again
    #[arg(long, conflicts_with = "local")]
    pub redo_commands: bool,
    /// Does it
    #[arg(long, visible_alias = "execute")]
    pub yes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct TopologyArgs {
    /// text, json, mermaid or dot
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TopologyFormat,
}

// What decides the configuration; every command that reads it takes these. No doc comment: clap would make it the description of
// every command that it is added to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(super) struct ConfigArgs {
    /// Reads this file [default: config.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Runs beside another process on this machine: with its own state directory, and a free port unless http.listen is set
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// Sets a key, over file and environment; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl ConfigArgs {
    /// The sources of the configuration, with these flags and what surrounds the process.
    pub(super) fn sources(self, surroundings: Sources) -> Sources {
        Sources { file: self.config, flags: self.set, instance: self.instance, ..surroundings }
    }
}

/// The whole command line, with the commands of the application.
pub(super) fn command(own: impl IntoIterator<Item = clap::Command>) -> clap::Command {
    let command = Cli::command().subcommands(own.into_iter().map(ConfigArgs::augment_args));
    command.mut_subcommands(|command| command.after_help(EXIT_CODES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command([clap::Command::new("sample")]).debug_assert();
    }

    #[test]
    fn every_help_tells_the_exit_codes() {
        let mut command = command([clap::Command::new("sample")]);
        assert!(command.render_help().to_string().contains(EXIT_CODES));
        for command in command.get_subcommands_mut().filter(|command| command.get_name() != "help") {
            assert!(command.render_help().to_string().contains(EXIT_CODES), "{}", command.get_name());
        }
    }

    #[test]
    fn commands_of_the_application_keep_their_description() {
        let command = command([clap::Command::new("sample").about("Writes sample orders")]);
        assert_eq!(command.find_subcommand("sample").unwrap().get_about().unwrap().to_string(), "Writes sample orders");
    }

    #[test]
    fn every_command_that_reads_the_configuration_takes_its_flags() {
        for words in ["run", "check", "reset --local", "config show"] {
            let args = format!("viewmill {words} --config a.toml --set x=1 --instance b --set y=2");
            let cli = Cli::try_parse_from(args.split(' ')).unwrap();
            let given = match cli.command {
                Command::Run(given) | Command::Config(ConfigCommand::Show(given)) => given,
                Command::Check(given) => given.config,
                Command::Reset(given) => given.config,
                _ => panic!("{words} reads the configuration"),
            };
            let expected = ConfigArgs { config: Some("a.toml".into()), instance: Some("b".into()), set: vec!["x=1".into(), "y=2".into()] };
            assert_eq!(given, expected, "{words}");
        }
    }
}
