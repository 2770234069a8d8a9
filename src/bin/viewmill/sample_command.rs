//! `viewmill sample`: writes believable order life cycles to the event topics.

// The rate is kept in real time.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use viewmill::app::TopicFeed;
use viewmill::app::config::Config;

use crate::sample::{SAMPLE_START_MS, SampleOrders};
use crate::topology::EVENT_TOPICS;

/// How many orders are named on standard output.
const NAMED: usize = 10;

/// Between two lines of the log where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// What to write.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct SampleOptions {
    /// How many orders.
    #[arg(long, default_value_t = 1_000)]
    pub count: u64,
    /// Events per second; 0: as fast as Kafka takes them.
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
    /// Which orders.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// Writes all events, and then names some of the orders: one line `order <id>` each.
pub fn run(config: &Config, options: SampleOptions) -> anyhow::Result<()> {
    let feed = TopicFeed::open(config, &EVENT_TOPICS)?;
    let progress = Progress::new(options);
    let started = Instant::now();
    let (mut events, mut named) = (0_u64, BTreeSet::new());
    for event in SampleOrders::new(options.seed, options.count, SAMPLE_START_MS) {
        if options.rate > 0 {
            let due = started + Duration::from_secs_f64(events as f64 / options.rate as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        // Written now: an order's own times are in its events.
        feed.write(event.topic, &event.key, &event.value, None)?;
        events += 1;
        if named.len() < NAMED && event.topic == EVENT_TOPICS[0] {
            named.insert(event.key);
        }
        progress.tell(events);
    }
    feed.flush()?;
    progress.end(events, started.elapsed());
    let mut out = std::io::stdout().lock();
    named.iter().try_for_each(|id| writeln!(out, "order {id}"))?;
    Ok(())
}

/// A bar on a terminal, a line now and then elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    told: std::cell::Cell<Instant>,
}

impl Progress {
    fn new(options: SampleOptions) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            // On average an order has 3.4 events; the bar grows if it are more.
            let bar = ProgressBar::new(options.count * 34 / 10);
            let style = ProgressStyle::with_template("{bar:40} {human_pos} events, {per_sec}, {eta} left");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress { bar, told: std::cell::Cell::new(Instant::now()) }
    }

    fn tell(&self, events: u64) {
        match &self.bar {
            Some(bar) if events.is_multiple_of(100) => bar.set_position(events),
            None if events.is_multiple_of(100) && self.told.get().elapsed() >= LOG_EVERY => {
                tracing::info!(events, "sample events written");
                self.told.set(Instant::now());
            }
            _ => {}
        }
    }

    fn end(&self, events: u64, took: Duration) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let rate = (events as f64 / took.as_secs_f64().max(0.001)) as u64;
        tracing::info!(events, seconds = took.as_secs(), events_per_second = rate, "sample written");
    }
}
