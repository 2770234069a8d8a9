//! The thread `outcomes`: carries what became of commands from Kafka to whoever waits for it here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::command::Commands;
use crate::kafka::{KafkaRecordSender, KafkaSettings, KafkaTopicFollower};
use crate::ports::{PortError, TopicFollower as _};
use crate::runtime::InstanceStatus;

/// How long one wait for outcomes lasts: a stop is seen within it.
const TICK: Duration = Duration::from_millis(50);

/// Waits before the topic is followed again: the first and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How long the thread may take to end: a question to Kafka may be under way.
const STOP_WITHIN: Duration = Duration::from_secs(7);

/// The running thread.
pub(super) struct OutcomesThread {
    stop: Arc<AtomicBool>,
    handle: JoinHandle<()>,
}

impl OutcomesThread {
    /// Opens the gateway, and begins to follow the topic of results.
    pub(super) fn start(commands: Commands, settings: &KafkaSettings, status: InstanceStatus) -> Result<Self, String> {
        let settings = settings.for_thread("outcomes");
        commands.open(Arc::new(KafkaRecordSender::new(&settings).map_err(|e| e.to_string())?));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = move || {
            let mut pause = RETRY.0;
            while !stopped.load(Ordering::Acquire) {
                match follow(&commands, &settings, &stopped, &mut pause) {
                    Ok(()) => {}
                    Err(error) => tracing::warn!(%error, "outcomes of commands cannot be read; commands are refused until they can"),
                }
                commands.set_following(false);
                sleep(pause, &stopped);
                pause = (pause * 2).min(RETRY.1);
            }
        };
        let handle = thread::Builder::new().name("outcomes".into()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                status.set_error("thread outcomes panicked");
            }
        });
        Ok(OutcomesThread { stop, handle: handle.map_err(|e| e.to_string())? })
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

/// Follows until it fails or is told to stop.
fn follow(commands: &Commands, settings: &KafkaSettings, stopped: &AtomicBool, pause: &mut Duration) -> Result<(), PortError> {
    let mut follower = KafkaTopicFollower::new(settings, commands.results())?;
    commands.set_following(true);
    *pause = RETRY.0;
    while !stopped.load(Ordering::Acquire) {
        follower.follow(TICK, &mut |record| commands.deliver(record))?;
    }
    Ok(())
}

/// Sleeps, but not past a stop.
fn sleep(pause: Duration, stopped: &AtomicBool) {
    let slice = Duration::from_millis(20);
    let mut left = pause;
    while !left.is_zero() && !stopped.load(Ordering::Acquire) {
        thread::sleep(slice.min(left));
        left = left.saturating_sub(slice);
    }
}
