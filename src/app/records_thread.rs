//! The thread `records`: reads records of the log that rows name, for whoever asks over HTTP.
//!
//! Its client is made for the first request and kept; after a failure the next request gets another one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

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
pub(super) struct RecordsThread {
    stop: Arc<AtomicBool>,
    handle: JoinHandle<()>,
}

impl RecordsThread {
    /// Serves the requests of the reader that it gives.
    pub(super) fn start(settings: &KafkaSettings, status: InstanceStatus) -> std::io::Result<(RecordReader, Self)> {
        let (reader, requests) = RecordReader::new(ANSWER_WITHIN);
        let settings = settings.for_thread("records");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let handle = thread::Builder::new().name("records".into()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| serve(&requests, &settings, &stopped))).is_err() {
                status.set_error("thread records panicked");
            }
        })?;
        Ok((reader, RecordsThread { stop, handle }))
    }

    /// Ends the thread; false when that took too long.
    pub(super) fn stop(self) -> bool {
        self.stop.store(true, Ordering::Release);
        let mut left = STOP_WITHIN;
        while !self.handle.is_finished() {
            if left.is_zero() {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
            left = left.saturating_sub(Duration::from_millis(5));
        }
        // A panic was caught inside.
        let _ = self.handle.join();
        true
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
