//! The thread `outcomes`: carries what became of commands from Kafka to whoever waits for it here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::own_thread::{OwnThread, sleep_unless};
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
pub(super) struct OutcomesThread(OwnThread);

impl OutcomesThread {
    /// Opens the gateway, and begins to follow the topic of results.
    pub(super) fn start(commands: Commands, settings: &KafkaSettings, status: InstanceStatus) -> Result<Self, String> {
        let settings = settings.for_thread("outcomes");
        commands.open(Arc::new(KafkaRecordSender::new(&settings).map_err(|e| e.to_string())?));
        let work = move |stopped: &AtomicBool| {
            let mut pause = RETRY.0;
            while !stopped.load(Ordering::Acquire) {
                match follow(&commands, &settings, stopped, &mut pause) {
                    Ok(()) => {}
                    Err(error) => tracing::warn!(%error, "outcomes of commands cannot be read; commands are refused until they can"),
                }
                commands.set_following(false);
                sleep_unless(stopped, pause);
                pause = (pause * 2).min(RETRY.1);
            }
        };
        OwnThread::start("outcomes", status, work).map(OutcomesThread).map_err(|e| e.to_string())
    }

    /// Ends the thread; false when that took too long.
    pub(super) fn stop(self) -> bool {
        self.0.stop(STOP_WITHIN)
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
