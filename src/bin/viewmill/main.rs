//! The order system: complete CQRS over Kafka, as a user of the engine.

mod commands;
mod demo;
mod events;
mod history;
mod money;
mod order_id;
mod routes;
mod sample;
mod sample_command;
mod settings;
mod topology;
mod views;

use std::process::ExitCode;

use clap::{ArgMatches, Args as _, FromArgMatches as _};
use viewmill::app::Application;
use viewmill::app::config::Config;

use demo::DemoOptions;
use sample_command::SampleOptions;

fn main() -> ExitCode {
    let sample = SampleOptions::augment_args(clap::Command::new("sample")).about("Writes believable order life cycles to the event topics");
    let demo = DemoOptions::augment_args(clap::Command::new("demo"))
        .about("Shows everything at work: the embedded broker, an instance, and sample orders that keep coming; prints what to open");
    Application::with_commands(topology::RESULT_TOPIC, topology::configured, routes::routes)
        .settings(&settings::SECTION)
        .subcommand(sample, |given: &ArgMatches, config: &Config| sample_command::run(config, SampleOptions::from_arg_matches(given)?))
        .running_subcommand(demo, |given: &ArgMatches, config: &mut Config| demo::prepare(DemoOptions::from_arg_matches(given)?, config))
        .main()
}
