//! `viewmill demo`: one instance with the embedded broker, sample orders that come at a steady rate, and what to open.

// The rate is kept in real time.
#![allow(clippy::disallowed_methods)]

mod client;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use viewmill::app::config::Config;
use viewmill::app::{Beside, Running, TopicFeed};

use self::client::Client;
use crate::sample::{SAMPLE_START_MS, SampleOrders};
use crate::topology::EVENT_TOPICS;

/// More orders than anyone waits for.
const ORDERS: u64 = 10_000_000;

/// Written at once, so that there is something to see.
const FIRST_EVENTS: u64 = 20_000;

/// How long the instance may take to be ready, and an order to be served.
const READY_WITHIN: Duration = Duration::from_secs(60);

const LOOK: Duration = Duration::from_millis(100);

/// Between two looks at the views.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// How many events have been written, for the next time.
const EVENTS_FILE: &str = "demo-events";

/// What to show.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoOptions {
    /// Where the instance listens on 127.0.0.1; with 0 it and the broker take free ports.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Events per second, after the first 20,000.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub rate: u64,
    /// Which orders.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Keeps the broker's logs and the instance's state here, and goes on with them the next time.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Ends when an order is served and the metrics tell the lag.
    #[arg(long)]
    pub once: bool,
}

/// Puts everything into one directory, a temporary one unless told otherwise.
pub fn prepare(options: DemoOptions, config: &mut Config) -> anyhow::Result<Beside> {
    ensure!(config.kafka.bootstrap_servers.is_none(), "the demo has a broker of its own: unset kafka.bootstrap_servers");
    let (dir, temporary) = match &options.keep {
        Some(dir) => (dir.clone(), None),
        None => {
            let temporary = tempfile::Builder::new().prefix("viewmill-demo.").tempdir().context("no temporary directory")?;
            (temporary.path().to_path_buf(), Some(temporary))
        }
    };
    config.application.state_dir = dir.join("state");
    config.broker.data_dir = dir.join("broker");
    config.http.listen.set_port(options.port);
    if options.port == 0 {
        config.broker.listen.set_port(0);
    }
    // Above the last line of the terminal stands only what needs somebody's attention.
    if config.log.level == "info" {
        config.log.level = "warn,viewmill::app=info".to_string();
    }
    Ok(Beside { work: Box::new(move |running| Box::pin(show(options, dir, running))), kept: Box::new(temporary) })
}

async fn show(options: DemoOptions, dir: PathBuf, mut running: Running) -> anyhow::Result<()> {
    let client = Client::new(&running.url)?;
    running.tell("waiting until the instance is ready");
    until("the instance is ready", async || client.get("/readyz").await).await?;
    let mut feed = Feed::open(&options, &dir, &running.config)?;
    while feed.written < FIRST_EVENTS {
        feed.write_one()?;
    }
    feed.topics.flush()?;
    let order = feed.order.clone().context("there is no order among the first events")?;
    until("everything written is served", async || {
        let lag = client.get("/v1/lag").await?;
        let records = total_lag(&lag)?.0;
        ensure!(records == 0, "{records} records are not processed yet");
        client.get(&format!("/api/orders/{order}")).await
    })
    .await?;
    running.print(&introduction(&client, &running, &options, &dir, &order).await?);
    if options.once {
        client.get("/readyz?verbose").await?;
        let metrics = client.get("/metrics").await?;
        ensure!(metrics.contains("\nviewmill_consumer_lag_records{"), "the metrics tell no lag");
        running.print("\ndemo: checked\n");
        return Ok(());
    }
    running.print("\ndemo: running until Ctrl-C\n");
    let (began, before) = (Instant::now(), feed.written);
    let mut told = began;
    loop {
        let due = before + (began.elapsed().as_secs_f64() * options.rate as f64) as u64;
        while feed.written < due {
            feed.write_one()?;
        }
        if told.elapsed() >= LINE_EVERY {
            told = Instant::now();
            fs::write(dir.join(EVENTS_FILE), feed.written.to_string())?;
            running.tell(&match status(&client).await {
                Ok(status) => format!("{} events written; {status}", feed.written),
                Err(error) => format!("{error:#}"),
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Sample orders on their way into the topics.
struct Feed {
    topics: TopicFeed,
    orders: SampleOrders,
    written: u64,
    /// The first order of this run.
    order: Option<String>,
}

impl Feed {
    /// Goes on where the demo before it stopped.
    fn open(options: &DemoOptions, dir: &Path, config: &Config) -> anyhow::Result<Feed> {
        let written: u64 = fs::read_to_string(dir.join(EVENTS_FILE)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let mut orders = SampleOrders::new(options.seed, ORDERS, SAMPLE_START_MS);
        let before = orders.by_ref().take(written as usize);
        let order = before.fold(None, |first, event| first.or((event.topic == EVENT_TOPICS[0]).then_some(event.key)));
        Ok(Feed { topics: TopicFeed::open(config, &EVENT_TOPICS)?, orders, written, order })
    }

    fn write_one(&mut self) -> anyhow::Result<()> {
        let Some(event) = self.orders.next() else { bail!("all {ORDERS} orders are written") };
        self.topics.write(event.topic, &event.key, &event.value, None)?;
        self.written += 1;
        if self.order.is_none() && event.topic == EVENT_TOPICS[0] {
            self.order = Some(event.key);
        }
        Ok(())
    }
}

/// Asks until there is an answer.
async fn until(what: &str, ask: impl AsyncFn() -> anyhow::Result<String>) -> anyhow::Result<String> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() >= deadline => return Err(error).with_context(|| format!("waited {READY_WITHIN:?} until {what}")),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// What to open, with the answers of this moment.
async fn introduction(client: &Client, running: &Running, options: &DemoOptions, dir: &Path, order: &str) -> anyhow::Result<String> {
    let url = &running.url;
    let brokers = running.config.kafka.bootstrap_servers.as_deref().unwrap_or_default();
    let mut text = format!("demo: {url} serves what is in the topics of the embedded broker, {brokers}\n");
    match options.keep {
        Some(_) => text += &format!("demo: everything is kept in {}\n", dir.display()),
        None => text += &format!("demo: everything is in {}, which is removed at the end\n", dir.display()),
    }
    let questions = [
        ("one order", format!("/api/orders/{order}")),
        (
            "the newest delivered orders, page by page; each page names the cursor of the next",
            "/api/orders?status=DELIVERED&limit=2".into(),
        ),
        ("how many orders there are, and what they are worth", "/api/dashboard".into()),
    ];
    for (what, path) in questions {
        text += &format!("\n# {what}\ncurl '{url}{path}'\n{}\n", client.get(&path).await?.trim_end());
    }
    for (what, path) in [("may it take traffic, and why", "/readyz?verbose"), ("metrics, with lag in records and seconds", "/metrics")] {
        text += &format!("\n# {what}\ncurl '{url}{path}'\n");
    }
    text += &format!("\n# what is in the topics, with a tool of Kafka's world\nkcat -b {brokers} -t order-events -C -c 2\n");
    Ok(text)
}

/// The state of the views in one line.
async fn status(client: &Client) -> anyhow::Result<String> {
    let dashboard: Value = serde_json::from_str(&client.get("/api/dashboard").await?)?;
    let (records, seconds) = total_lag(&client.get("/v1/lag").await?)?;
    let counts = dashboard["byStatus"].as_object().into_iter().flatten();
    let counts: Vec<String> = counts.map(|(status, count)| format!("{} {count}", status.to_lowercase())).collect();
    Ok(format!("{} orders: {}; lag {records} records, {seconds:.1} s", dashboard["total"], counts.join(", ")))
}

/// Records and seconds behind, over all source partitions.
fn total_lag(answer: &str) -> anyhow::Result<(i64, f64)> {
    let lag: Value = serde_json::from_str(answer)?;
    let rows = lag["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let records = rows.iter().filter_map(|row| row["lagRecords"].as_i64()).sum();
    Ok((records, rows.iter().filter_map(|row| row["lagSeconds"].as_f64()).fold(0.0, f64::max)))
}
