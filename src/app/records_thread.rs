//! The thread `records`: reads records of the log that rows name, for whoever asks over HTTP.
//!
//! Its client is made for the first request and kept; after a failure the next request gets another one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::own_thread::OwnThread;
use crate::kafka::{KafkaChangelogReader, KafkaSettings};
use crate::query::{NoMoreRequests, RecordReader, RecordRequests};
use crate::runtime::InstanceStatus;

/// How long one wait for requests lasts: a stop is seen within it.
const TICK: Duration = Duration::from_millis(200);

/// How long whoever wants records waits for them.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How long the thread may take to end: a question to Kafka may be under way.
const STOP_WITHIN: Duration = Duration::from_secs(7);

/// The running thread.
pub(super) struct RecordsThread(OwnThread);

impl RecordsThread {
    /// Serves the requests of the reader that it gives.
    pub(super) fn start(settings: &KafkaSettings, status: InstanceStatus) -> std::io::Result<(RecordReader, Self)> {
        let (reader, requests) = RecordReader::new(ANSWER_WITHIN);
        let settings = settings.for_thread("records");
        let thread = OwnThread::start("records", status, move |stopped| serve(&requests, &settings, stopped))?;
        Ok((reader, RecordsThread(thread)))
    }

    /// Ends the thread; false when that took too long.
    pub(super) fn stop(self) -> bool {
        self.0.stop(STOP_WITHIN)
    }
}

fn serve(requests: &RecordRequests, settings: &KafkaSettings, stopped: &AtomicBool) {
    let mut reader = None;
    while !stopped.load(Ordering::Acquire) {
        let request = match requests.next(TICK) {
            Ok(Some(request)) if !request.is_abandoned() => request,
            Ok(_) => continue,
            Err(NoMoreRequests) => return,
        };
        let served = match reader.take().map_or_else(|| KafkaChangelogReader::for_records(settings), Ok) {
            Ok(client) => request.serve(reader.insert(client)),
            Err(error) => {
                request.fail(&error);
                Err(error)
            }
        };
        if let Err(error) = served {
            tracing::warn!(%error, "records of the log cannot be read");
            reader = None;
        }
    }
}
