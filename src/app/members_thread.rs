//! The thread `members`: carries records of the members topic between Kafka and the table in `runtime/members/`.
//!
//! It never gives up: while Kafka is away, what is known of the others runs out by itself, and readers are told so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::own_thread::OwnThread;
use crate::clock::Clock;
use crate::kafka::{KafkaChangelogReader, KafkaSettings, RecordWriter};
use crate::ports::{ChangelogReader as _, PortError};
use crate::record::{Headers, Offset, OutputRecord, TopicPartition};
use crate::runtime::{InstanceState, InstanceStatus, Members, Orphans};

/// How long a change of the tasks may wait until it is published.
const TICK: Duration = Duration::from_millis(50);

/// Waits before the topic is opened again: the first and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// How long the last word may take to reach Kafka.
const FAREWELL: Duration = Duration::from_secs(2);

/// The running thread.
pub(super) struct MembersThread(OwnThread);

impl MembersThread {
    /// Begins to publish this instance under its id, and to read what others publish.
    pub(super) fn start(
        members: Members,
        orphans: Orphans,
        topic: &str,
        settings: &KafkaSettings,
        status: InstanceStatus,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let mut courier = Courier {
            members,
            orphans,
            status: status.clone(),
            key: settings.instance_id.as_bytes().to_vec(),
            partition: TopicPartition::new(topic, 0),
            settings: settings.for_thread("members"),
            clock,
            writer: None,
            reader: None,
            pause: RETRY.0,
            retry_at: Duration::ZERO,
        };
        let work = move |stopped: &AtomicBool| {
            while !stopped.load(Ordering::Acquire) {
                courier.step();
            }
            courier.say_farewell();
        };
        OwnThread::start("members", status, work).map(MembersThread)
    }

    /// Tells the others that this instance leaves, and ends the thread; false when that took too long.
    pub(super) fn stop(self) -> bool {
        // A question to Kafka may be under way, and the farewell takes its time.
        self.0.stop(FAREWELL + Duration::from_secs(6))
    }
}

struct Courier {
    members: Members,
    orphans: Orphans,
    status: InstanceStatus,
    key: Vec<u8>,
    partition: TopicPartition,
    settings: KafkaSettings,
    clock: Arc<dyn Clock>,
    /// Made anew after a failure.
    writer: Option<RecordWriter>,
    reader: Option<KafkaChangelogReader>,
    pause: Duration,
    retry_at: Duration,
}

impl Courier {
    /// Publishes what is due, and reads for one tick.
    fn step(&mut self) {
        if let Some(value) = self.members.due()
            && let Err(error) = self.publish(Some(&value))
        {
            // The next heartbeat is the next attempt.
            tracing::warn!(%error, "this instance cannot tell the others what it has");
            self.writer = None;
        }
        if self.reader.is_none() && self.clock.monotonic() < self.retry_at {
            return thread::sleep(TICK);
        }
        match self.read() {
            Ok(()) => {
                self.pause = RETRY.0;
                self.status.set_rival(self.members.has_rival());
                let settled = self.status.state() == InstanceState::Running;
                if self.orphans.look(settled, &self.members.rows(), self.clock.monotonic()) {
                    self.status.request_rejoin();
                }
            }
            Err(error) => {
                tracing::warn!(%error, retry_in_ms = self.pause.as_millis() as u64, "members topic cannot be read");
                self.reader = None;
                self.retry_at = self.clock.monotonic() + self.pause;
                self.pause = (self.pause * 2).min(RETRY.1);
            }
        }
    }

    fn read(&mut self) -> Result<(), PortError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => {
                let mut reader = KafkaChangelogReader::for_members(&self.settings)?;
                reader.open(&self.partition, Offset(0))?;
                none.insert(reader)
            }
        };
        for record in reader.read(&self.partition, TICK)?.records {
            if let Some(key) = &record.key {
                if *key == self.key {
                    self.status.heard_from_kafka();
                }
                self.members.receive(record.offset.0, key, record.value.as_deref());
            }
        }
        Ok(())
    }

    fn publish(&mut self, value: Option<&[u8]>) -> Result<(), PortError> {
        let writer = match &self.writer {
            Some(writer) => writer,
            None => self.writer.insert(RecordWriter::for_members(&self.settings)?),
        };
        writer.write(&OutputRecord {
            topic: &self.partition.topic,
            partition: Some(self.partition.partition),
            key: Some(&self.key),
            value,
            timestamp: None,
            headers: Headers::default(),
        })
    }

    fn say_farewell(&mut self) {
        if let Some(writer) = &self.writer {
            // What was refused before does not matter any more.
            let _ = writer.flush(Duration::ZERO);
        }
        let said = self.publish(None).and_then(|()| self.writer.as_ref().map_or(Ok(()), |writer| writer.flush(FAREWELL)));
        if let Err(error) = said {
            tracing::warn!(%error, "the others were not told that this instance leaves; they will miss its heartbeats");
        }
    }
}
