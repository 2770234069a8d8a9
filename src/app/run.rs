//! `run`: an instance and its HTTP server, from the first byte of configuration to the last commit.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::beside::{Beside, Running, Work};
use super::config::Config;
use super::embedded::Embedded;
use super::exit::Exit;
use super::instance::{Instance, refusals};
use super::restore_report::{Terminal, report};
use crate::clock::SystemClock;
use crate::command::Commands;
use crate::http::{DiskCheck, Engine, Routes, Server, ServerSettings, TopologyText, engine_routes, with_document};
use crate::query::Views;
use crate::runtime::InstanceState;
use crate::topology::{Topology, TopologyFormat};

/// Signals so close together are one.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// How often it is looked whether the instance was fenced.
const LOOK: Duration = Duration::from_millis(200);

/// So many connections that have something to read are woken at a time. With tokio's 1,024 a flood of requests fills the queues of its threads, and whoever
/// hears of a command's outcome stands behind all of them; so they wait in the kernel.
const WOKEN_AT_ONCE: usize = 32;

/// Runs until a signal or a fence. `routes` are the application's, `results` the topic of outcomes where it takes commands.
pub(super) fn run(
    config: &Config,
    topology: Topology,
    results: Option<&str>,
    terminal: Terminal,
    routes: impl FnOnce(Views, Commands) -> Routes,
    beside: Option<Beside>,
) -> anyhow::Result<Exit> {
    let (beside, _kept) = beside.map(|beside| (beside.work, beside.kept)).unzip();
    refusals(config).into_iter().next().map_or(Ok(()), Err)?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.enable_all().thread_name("http").max_io_events_per_tick(WOKEN_AT_ONCE).build()?;
    if config.kafka.bootstrap_servers.is_some() {
        return runtime.block_on(serve(config, topology, results, terminal, routes, beside));
    }
    let embedded = Embedded::start(config)?;
    let exit = runtime.block_on(serve(&embedded.configure(config), topology, results, terminal, routes, beside));
    // Last: the instance has committed with its help.
    embedded.stop();
    exit
}

/// Runs the embedded broker alone, until a signal.
pub(super) fn run_broker(config: &Config) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let embedded = Embedded::start(config)?;
    runtime.block_on(signal());
    tracing::info!("signal: stopping the broker");
    embedded.stop();
    Ok(Exit::Clean)
}

async fn serve(
    config: &Config,
    topology: Topology,
    results: Option<&str>,
    terminal: Terminal,
    routes: impl FnOnce(Views, Commands) -> Routes,
    beside: Option<Box<dyn FnOnce(Running) -> Work>>,
) -> anyhow::Result<Exit> {
    let settings = ServerSettings {
        max_body_bytes: config.http.max_body_bytes,
        max_connections: config.http.max_connections,
        ..ServerSettings::default()
    };
    let (server, address) = Server::bind(config.http.listen, settings)?;
    let descriptions = TopologyFormat::ALL.map(|format| describe(&topology, format));
    let instance = Instance::start(config, topology, results, address)?;
    let state_dir = config.application.state_dir.clone();
    // For scripts and tests: which port a free one was.
    fs::write(state_dir.join("http.addr"), format!("{address}\n"))?;
    let engine = Engine {
        status: instance.status.clone(),
        metrics: instance.metrics.clone(),
        clock: Arc::new(SystemClock::default()),
        instance: instance.views.instance().clone(),
        views: instance.views.clone(),
        members: instance.members.clone(),
        topology: descriptions.into(),
        disk: DiskCheck::new(move || probe_disk(&state_dir)),
    };
    let routes = routes(instance.views.clone(), instance.commands.clone()).and(engine_routes(engine));
    let routes = with_document(routes, &config.application.id);
    tracing::info!(%address, url = config.http.advertised_url(address), "HTTP listens");

    let running = Running::new(config.http.advertised_url(address), config.clone(), &terminal);
    let reporting = tokio::spawn(report(terminal, instance.metrics.clone()));
    let metrics = instance.metrics.clone();
    let (stop_http, http_stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async {
        let _ = http_stopped.await;
    };
    let mut serving = tokio::spawn(server.serve(routes, metrics, shutdown));
    let (exit, served) = tokio::select! {
        exit = wait_for_end(&instance) => (exit, None),
        exit = work(beside, running) => (exit, None),
        // It ends by itself only when it cannot serve: then nothing else goes on.
        served = &mut serving => (Exit::Failure, Some(served)),
    };
    // A second signal does not wait for the first one's commit. Some senders tell a process and its group: that is one signal.
    tokio::spawn(async {
        tokio::time::sleep(SAME_SIGNAL).await;
        signal().await;
        tracing::warn!("second signal: exiting at once");
        std::process::exit(Exit::Failure.code().into());
    });
    // Reads are answered while the threads commit and leave.
    let in_error = matches!(instance.status.state(), InstanceState::Error(_));
    let stopped = tokio::task::spawn_blocking(move || instance.stop()).await?;
    reporting.abort();
    let _ = stop_http.send(());
    match served {
        Some(served) => served??,
        None => serving.await??,
    }
    Ok(match exit {
        Exit::Clean if !stopped => {
            tracing::error!("some threads did not stop in time");
            Exit::Failure
        }
        Exit::Clean if in_error => Exit::Failure,
        exit => exit,
    })
}

/// What a command does beside the instance; never ends where there is nothing.
async fn work(beside: Option<Box<dyn FnOnce(Running) -> Work>>, running: Running) -> Exit {
    let Some(begin) = beside else { return std::future::pending().await };
    match begin(running).await {
        Ok(()) => Exit::Clean,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "cannot go on");
            Exit::Failure
        }
    }
}

fn describe(topology: &Topology, format: TopologyFormat) -> TopologyText {
    let content_type = match format {
        TopologyFormat::Json => "application/json",
        TopologyFormat::Text | TopologyFormat::Mermaid => "text/plain; charset=utf-8",
        TopologyFormat::Dot => "text/vnd.graphviz; charset=utf-8",
    };
    TopologyText { format: format.name(), content_type, text: topology.describe_as(format) }
}

async fn wait_for_end(instance: &Instance) -> Exit {
    tokio::select! {
        () = signal() => {
            tracing::info!("signal: committing and leaving the group");
            Exit::Clean
        }
        () = fenced(instance) => Exit::Fenced,
    }
}

async fn fenced(instance: &Instance) {
    while !instance.is_fenced() {
        tokio::time::sleep(LOOK).await;
    }
}

/// SIGTERM or SIGINT.
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        _ => {
            tracing::error!("signals cannot be received; stop this process with SIGKILL");
            std::future::pending::<()>().await;
        }
    }
}

/// Whether the state directory takes writes.
fn probe_disk(state_dir: &Path) -> Result<String, String> {
    let probe = state_dir.join("probe");
    fs::write(&probe, b"viewmill").and_then(|()| fs::remove_file(&probe)).map_err(|e| format!("{}: {e}", state_dir.display()))?;
    Ok(format!("{} takes writes", state_dir.display()))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
