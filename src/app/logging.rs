//! The log: one line an event on standard error, for people or for machines.

use std::backtrace::Backtrace;
use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

use super::config::{LogConfig, LogFormat};
use super::restore_report::Terminal;

/// Starts the log of this process, and sends panics there too, so that a line of JSON is never broken up by one.
///
/// # Errors
/// When the level cannot be read, or the log was started before.
pub(super) fn init(config: &LogConfig, terminal: &Terminal) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&config.level)?;
    let terminal = terminal.clone();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || terminal.clone());
    let started = match config.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let cause = info.payload_as_str().unwrap_or("a value that is no text");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    tracing::error!(cause, place, thread = thread.name(), %backtrace, "panic");
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;
    use crate::kafka::{KafkaAdmin, KafkaSettings};

    const CHILD: &str = "VIEWMILL_TEST_LOG_CHILD";

    /// What a process of its own writes to its log.
    fn write_log() {
        init(&LogConfig { format: LogFormat::Json, level: "debug".to_string() }, &Terminal::stderr()).unwrap();
        tracing::info!(detail = "two\nlines", "an event");
        let panicked = std::thread::spawn(|| panic!("on\npurpose")).join();
        assert!(panicked.is_err());
        let mut settings = KafkaSettings::new("127.0.0.1:1", "app", "a");
        settings.properties.insert("debug".to_string(), "all".to_string());
        KafkaAdmin::new(&settings).unwrap().within(Duration::from_millis(300)).brokers().unwrap_err();
    }

    #[test]
    fn in_json_each_line_is_an_object_also_a_panic_and_what_librdkafka_says() {
        if std::env::var_os(CHILD).is_some() {
            return write_log();
        }
        // A log is started once a process.
        let name = std::thread::current().name().unwrap().to_string();
        let child = Command::new(std::env::current_exe().unwrap()).args([name.as_str(), "--exact", "--nocapture"]).env(CHILD, "1").output();
        let child = child.unwrap();
        assert!(child.status.success(), "{child:?}");
        let text = String::from_utf8(child.stderr).unwrap();
        let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let lines: Vec<_> = text.lines().map(parse).collect();
        let has = |name: &str, value: &str| lines.iter().any(|line| line[name].as_str().is_some_and(|text| text.contains(value)));
        assert!(has("detail", "two\nlines") && has("cause", "on\npurpose") && has("target", "librdkafka"), "{text}");
        assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{text}");
    }
}
