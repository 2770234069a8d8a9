//! Shows how far restores are while they last: bars on a terminal, elsewhere a line a task every five seconds.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::metrics::{Metrics, RestoreFigures};

/// How often figures are read.
const LOOK: Duration = Duration::from_millis(200);

/// How many looks lie between two lines: five seconds.
const LOOKS_A_LINE: u32 = 25;

/// Standard error: what the log and the bars have in common, so that neither writes into the other.
#[derive(Clone)]
pub(super) struct Terminal {
    /// `None` where nobody looks.
    bars: Option<MultiProgress>,
}

impl Terminal {
    /// Standard error as it is.
    pub(super) fn stderr() -> Self {
        let bars = || MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        Terminal { bars: io::stderr().is_terminal().then(bars) }
    }

    /// A line that is written anew again and again.
    pub(super) fn status_line(&self) -> StatusLine {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            bar.with_style(ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        StatusLine { terminal: self.clone(), bar, told: None }
    }
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.bars {
            Some(bars) => bars.suspend(|| io::stderr().write_all(bytes)),
            None => io::stderr().write_all(bytes),
        }
        .map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// See [`Terminal::status_line`].
pub(super) struct StatusLine {
    terminal: Terminal,
    bar: Option<ProgressBar>,
    /// When the log was last told, where there is no terminal.
    told: Option<tokio::time::Instant>,
}

impl StatusLine {
    pub(super) fn tell(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(text.to_string());
                bar.tick();
            }
            None if self.told.is_none_or(|told| told.elapsed() >= LOOK * LOOKS_A_LINE) => {
                self.told = Some(tokio::time::Instant::now());
                tracing::info!("{text}");
            }
            None => {}
        }
    }

    pub(super) fn print(&self, text: &str) {
        // Nobody reads it any more: nothing is lost.
        let write = || _ = io::stdout().write_all(text.as_bytes());
        match &self.terminal.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Reports until it is dropped with the runtime.
pub(super) async fn report(terminal: Terminal, metrics: Metrics) {
    let mut bars: BTreeMap<String, ProgressBar> = BTreeMap::new();
    let mut looks = 0_u32;
    loop {
        tokio::time::sleep(LOOK).await;
        let figures = metrics.restore.figures();
        match &terminal.bars {
            Some(shown) => draw(shown, &mut bars, &figures),
            None => {
                looks = if figures.is_empty() { 0 } else { looks + 1 };
                if looks == LOOKS_A_LINE {
                    figures.iter().for_each(line);
                    looks = 0;
                }
            }
        }
    }
}

fn line(figures: &RestoreFigures) {
    let RestoreFigures { task, remaining, records, bytes, rate, eta_seconds } = figures;
    let whole = |number: &Option<f64>| number.map(|number| number.round() as u64);
    let (records_per_second, eta_seconds) = (whole(rate), whole(eta_seconds));
    tracing::info!(task, records, bytes, remaining, records_per_second, eta_seconds, "restoring");
}

fn draw(shown: &MultiProgress, bars: &mut BTreeMap<String, ProgressBar>, figures: &[RestoreFigures]) {
    bars.retain(|task, bar| {
        let lasts = figures.iter().any(|figures| figures.task == *task);
        if !lasts {
            bar.finish_and_clear();
        }
        lasts
    });
    for figures in figures {
        let bar = bars.entry(figures.task.clone()).or_insert_with(|| shown.add(ProgressBar::no_length().with_style(style())));
        bar.set_length(figures.records + figures.remaining.max(0) as u64);
        bar.set_position(figures.records);
        bar.set_prefix(figures.task.clone());
        let text = |eta: f64| format!("{:.0}/s, {eta:.0} s left", figures.rate.unwrap_or_default());
        bar.set_message(figures.eta_seconds.map_or_else(String::new, text));
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("restoring {prefix} {wide_bar} {human_pos}/{human_len} {msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}
