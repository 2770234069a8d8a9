//! What librdkafka has to say outside of replies: its log lines, its errors, and the fate of its connections.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, error, info, warn};

/// Passes a client's log lines and errors on to `tracing`, under the target `librdkafka`.
pub(super) struct ClientLog {
    /// The client's name in log lines, such as `viewmill-a-1/producer`.
    client: String,
    /// What the client last complained about: a time-out alone would not tell why.
    last_error: Mutex<Option<(RDKafkaErrorCode, String)>>,
    queue_error: Mutex<Option<(RDKafkaErrorCode, String)>>,
    connections: Arc<Connections>,
}

impl ClientLog {
    pub(super) fn new(client: String) -> Self {
        ClientLog { client, last_error: Mutex::default(), queue_error: Mutex::default(), connections: Arc::default() }
    }

    /// An error that came out of the queue that is being read.
    pub(super) fn note_queue_error(&self, code: RDKafkaErrorCode, text: String) {
        *self.queue_error.lock().unwrap_or_else(PoisonError::into_inner) = Some((code, text));
    }

    /// The error that the last read of a queue brought, if any.
    pub(super) fn take_queue_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.queue_error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The client's connections, as far as they are watched.
    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// The last error that the client reported by itself.
    pub(super) fn last_error(&self) -> Option<String> {
        self.last_complaint().map(|(_, text)| text)
    }

    /// The same with its code.
    pub(super) fn last_complaint(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A log line with a syslog level, as events carry it.
    pub(super) fn line(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let client = self.client.as_str();
        match level {
            // Properties of the other role (consumer, producer) in a shared configuration are harmless.
            _ if facility == "CONFWARN" => debug!(target: "librdkafka", client, facility, "{text}"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", client, facility, "{text}")
            }
            // Its errors are a broker that is away or a transaction that is refused: whoever called is told, and decides.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => warn!(target: "librdkafka", client, facility, "{text}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(target: "librdkafka", client, facility, "{text}"),
            RDKafkaLogLevel::Debug => debug!(target: "librdkafka", client, facility, "{text}"),
        }
    }

    /// An error that concerns the whole client. librdkafka has already written it to its log where it matters.
    pub(super) fn complaint(&self, code: RDKafkaErrorCode, text: &str) {
        debug!(target: "librdkafka", client = self.client.as_str(), "{text}");
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        // That all brokers are down says less than why the last one is.
        if code != RDKafkaErrorCode::AllBrokersDown || last.is_none() {
            *last = Some((code, text.to_owned()));
        }
    }
}

impl ClientContext for ClientLog {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        self.line(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.complaint(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail), reason);
    }

    // The properties allow `statistics.interval.ms`; nobody reads the result, so it is not parsed either.
    fn stats_raw(&self, _statistics: &[u8]) {}
}

/// Which connections are up, and whether one went down since last asked.
///
/// It is told of every change of state on the connection's own thread, before librdkafka sends any request again; its log is no
/// substitute, since it leaves out the same failure within 30 s.
#[derive(Debug, Default)]
pub(super) struct Connections {
    up: Mutex<HashSet<(i32, String, i32)>>,
    lost: AtomicBool,
}

impl Connections {
    /// A broker's connection changed its state; the names of states are librdkafka's.
    pub(super) fn changed(&self, broker_id: i32, host: &str, port: i32, state: &str) {
        let mut up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        match state {
            "UP" => {
                up.insert((broker_id, host.to_owned(), port));
            }
            // A failed attempt to connect also ends here; only a connection that carried requests counts.
            "DOWN" if up.remove(&(broker_id, host.to_owned(), port)) => self.lost.store(true, Ordering::SeqCst),
            _ => {}
        }
    }

    /// Forgets past losses.
    pub(super) fn reset(&self) {
        self.lost.store(false, Ordering::SeqCst);
    }

    /// True when a connection was lost since the last reset.
    pub(super) fn lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connection_that_was_up_can_be_lost() {
        let connections = Connections::default();
        connections.changed(1, "a", 9092, "CONNECT");
        connections.changed(1, "a", 9092, "DOWN");
        assert!(!connections.lost());
        connections.changed(1, "a", 9092, "UP");
        connections.changed(1, "a", 9092, "UPDATE");
        connections.changed(1, "a", 9092, "UP");
        assert!(!connections.lost());
        connections.changed(1, "a", 9092, "DOWN");
        assert!(connections.lost());
        connections.reset();
        assert!(!connections.lost());
    }
}
