//! The order system: complete CQRS over Kafka, as a user of the engine.

mod events;
mod money;
mod order_id;
mod routes;
mod sample;
mod sample_command;
mod topology;
mod views;

use std::process::ExitCode;

use clap::{ArgMatches, Args as _, FromArgMatches as _};
use viewmill::app::Application;
use viewmill::app::config::Config;

use sample_command::SampleOptions;

fn main() -> ExitCode {
    let sample = SampleOptions::augment_args(clap::Command::new("sample")).about("Writes believable order life cycles to the event topics");
    Application::new(topology::topology, routes::routes)
        .subcommand(sample, |given: &ArgMatches, config: &Config| sample_command::run(config, SampleOptions::from_arg_matches(given)?))
        .main()
}
