//! Where commands come in: written to their topic, and answered when their outcome is in the log.
//!
//! ```text
//!  request ─► Commands::send ───► the command, into its topic ─► whoever has the task decides
//!                │ waits, no thread                                        │
//!                ▼                                                         ▼
//!          table of who waits ◄── deliver ◄── follower ◄── outcome, into the topic of results ◄── "pending", if it did not come in time
//!                                     ▲                                    │
//!                                     └──── once committed ◄── if it was decided on this instance
//! ```
//!
//! The outcome is read back from the log, so it makes no difference which instance decides, nor whether the task moves meanwhile. One that was
//! decided here is told as soon as its commit is known; the log then tells it once more, to nobody. What does
//! not come in time is not lost: the command is in the log, and its outcome will be under its id.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use uuid::Uuid;

use super::{CommandData, CommandJson, CommandRecord, CommandState, Outcome};
use crate::clock::Clock;
use crate::codec::{Codec as _, CodecError, Json};
use crate::metrics::{CommandMetrics, CommandResult};
use crate::ports::{FollowedRecord, PortErrorClass, RecordSender};
use crate::record::{Headers, OutputRecord, Timestamp};

/// So long it may take to note that a command is pending. Without that note its sender is told the same, and finds nothing under its id
/// until the outcome is there.
const NOTE_WITHIN: Duration = Duration::from_secs(2);

/// The header of an outcome that tells where its events came to lie.
pub const POSITION_HEADER: &str = "position";

/// Bounds of a gateway.
#[derive(Clone, Copy, Debug)]
pub struct GatewayLimits {
    /// So many commands may wait for their outcomes at a time; more are refused. Whoever is let in waits behind these.
    pub waiting: usize,
}

/// Sends commands and waits for what becomes of them. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    inner: Arc<Inner>,
}

struct Inner {
    results: String,
    prefix: Box<dyn Fn(&str) -> String + Send + Sync>,
    sender: OnceLock<Arc<dyn RecordSender>>,
    following: AtomicBool,
    waiting: Mutex<HashMap<String, Place>>,
    room: Arc<Semaphore>,
    metrics: CommandMetrics,
    clock: Arc<dyn Clock>,
}

/// An outcome, and where its events are.
#[derive(Clone, Debug)]
pub struct Told {
    /// What became of the command.
    pub outcome: Outcome,
    /// The positions that a view has reached which knows of it: `topic:partition=offset,…`. None where the command led to no event.
    pub position: Option<String>,
}

/// What can be said of a command that was written.
#[derive(Clone, Debug)]
pub enum Sent {
    /// What became of it.
    Told(Box<Told>),
    /// It is in the log, and its outcome has not come yet.
    Pending,
}

/// A command was not written, or nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The instance cannot hear of outcomes: it has not reached Kafka yet, or lost it.
    #[error("commands are not accepted until this instance hears of their outcomes")]
    NotReady,
    /// As many wait as may.
    #[error("{waiting} commands wait for their outcomes on this instance")]
    Overloaded {
        /// How many.
        waiting: usize,
    },
    /// Kafka takes no record of this size.
    #[error("the command is larger than a record may be: {0}")]
    TooLarge(String),
    /// The command cannot be written as JSON.
    #[error("the command cannot be written: {0}")]
    Faulty(String),
    /// Kafka did not say that it has it. It may have: sent again with the same key or id it is not carried out twice.
    #[error("Kafka has not confirmed the command: {0}")]
    Unconfirmed(String),
}

impl Commands {
    /// A gateway whose outcomes come through the topic `results`, without prefix; `full` makes full names of topics. Nothing is accepted before
    /// [`Commands::open`].
    pub fn new(
        results: &str,
        full: impl Fn(&str) -> String + Send + Sync + 'static,
        limits: GatewayLimits,
        metrics: CommandMetrics,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Commands {
            inner: Arc::new(Inner {
                results: full(results),
                prefix: Box::new(full),
                sender: OnceLock::new(),
                following: AtomicBool::new(false),
                waiting: Mutex::default(),
                room: Arc::new(Semaphore::new(limits.waiting)),
                metrics,
                clock,
            }),
        }
    }

    /// The full name of the topic of results.
    pub fn results(&self) -> &str {
        &self.inner.results
    }

    /// Commands are written with this from now on. A second one is not taken.
    pub fn open(&self, sender: Arc<dyn RecordSender>) {
        let _ = self.inner.sender.set(sender);
    }

    /// Whether outcomes are heard of. Commands that wait when they are not are answered by time.
    pub fn set_following(&self, following: bool) {
        self.inner.following.store(following, Ordering::Release);
    }

    /// Whether commands are accepted.
    pub fn is_ready(&self) -> bool {
        self.inner.following.load(Ordering::Acquire) && self.inner.sender.get().is_some()
    }

    /// The time by which deadlines are set.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// An id for something new: a UUID that sorts by time.
    pub fn new_id(&self) -> String {
        id_of(self.now()).to_string()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.inner.waiting().len()
    }

    /// Refuses a command of this type when as many wait as may: at once, before any work is done for it. What has room now may have none in
    /// [`Commands::send`].
    ///
    /// # Errors
    /// [`NotSent::Overloaded`], counted as the answer to the command.
    pub fn look_for_room(&self, type_name: &'static str) -> Result<(), NotSent> {
        if self.inner.room.available_permits() > 0 {
            return Ok(());
        }
        let refused = Err(NotSent::Overloaded { waiting: self.waiting() });
        self.inner.metrics.answered(type_name, CommandResult::Refused);
        refused
    }

    /// Writes a command to `topic` (without prefix) under the key of its aggregate, and waits for its outcome, at most so long. With no time
    /// at all it only waits until the command is in the log.
    ///
    /// # Errors
    /// The command was not written, or nobody knows whether it was.
    pub async fn send<C: CommandData + Clone + Send + 'static>(
        &self,
        topic: &str,
        key: &str,
        command: CommandRecord<C>,
        wait: Duration,
    ) -> Result<Sent, NotSent> {
        let type_name = command.command.as_ref().map_or("invalid", |command| command.type_name());
        let sent = self.write(topic, key, command, wait).await;
        self.inner.metrics.answered(type_name, counted(&sent));
        sent
    }

    async fn write<C: CommandData + Clone + Send + 'static>(
        &self,
        topic: &str,
        key: &str,
        mut command: CommandRecord<C>,
        wait: Duration,
    ) -> Result<Sent, NotSent> {
        let inner = &*self.inner;
        let sender = inner.sender.get().filter(|_| self.is_ready()).ok_or(NotSent::NotReady)?;
        let room = Arc::clone(&inner.room).try_acquire_owned().map_err(|_| NotSent::Overloaded { waiting: self.waiting() })?;
        let request_id = Uuid::new_v4().to_string();
        let now = inner.clock.now();
        let command_id = command.command_id.get_or_insert_with(|| id_of(now).to_string()).clone();
        command.request_id = Some(request_id.clone());
        let value = CommandJson.encode(&command).map_err(faulty)?;
        let (tell, mut told) = oneshot::channel();
        let _waiting = Waiting::enter(inner, request_id, Place { tell, _room: room });
        let written = deliver(&**sender, &(inner.prefix)(topic), key, value.as_deref());
        tokio::select! {
            biased;
            Ok(told) = &mut told => return Ok(Sent::Told(Box::new(told))),
            written = written => written?,
        }
        match tokio::time::timeout(wait, &mut told).await {
            Ok(Ok(told)) => return Ok(Sent::Told(Box::new(told))),
            // Nobody tells any more: the instance ends.
            Ok(Err(_)) => return Ok(Sent::Pending),
            Err(_) => {}
        }
        // Whoever is sent away must find something under the id. The store of outcomes takes a note that comes late for what it is.
        let noted = async {
            let note = Json.encode(&Outcome::pending(command_id.as_str(), key, now)).map_err(faulty)?;
            deliver(&**sender, &inner.results, &command_id, note.as_deref()).await
        };
        tokio::select! {
            biased;
            Ok(told) = &mut told => return Ok(Sent::Told(Box::new(told))),
            noted = tokio::time::timeout(NOTE_WITHIN, noted) => {
                if let Ok(Err(error)) = noted {
                    tracing::warn!(%error, command_id, "a command that waits could not be noted");
                }
            }
        }
        Ok(Sent::Pending)
    }

    /// Hands a committed outcome to whoever waits for it here; who has been told is told no more.
    pub fn deliver(&self, record: FollowedRecord<'_>) {
        // Most are told for the second time, or to other instances.
        if self.inner.waiting().is_empty() {
            return;
        }
        let Some(outcome) = record.value.and_then(|value| serde_json::from_slice::<Outcome>(value).ok()) else { return };
        let Some(place) = outcome.request_id.as_ref().and_then(|id| self.inner.leave(id)) else { return };
        let position = record.headers.last(POSITION_HEADER).and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        // Who does not wait any more has been answered.
        let _ = place.tell.send(Told { outcome, position });
    }
}

impl Inner {
    /// Gives a place in the table back, if it has not been given back yet.
    fn leave(&self, request_id: &str) -> Option<Place> {
        let place = self.waiting().remove(request_id);
        place.iter().for_each(|_| self.metrics.end_wait());
        place
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Place>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the table of who waits.
struct Place {
    tell: oneshot::Sender<Told>,
    /// Free for the next as soon as the outcome is told, not only when the thread that answers the client gets to it: in a flood of requests that
    /// takes as long as the decision.
    _room: OwnedSemaphorePermit,
}

/// Whoever waits; the place is left when this is dropped, also by a client that went away.
struct Waiting<'a> {
    inner: &'a Inner,
    request_id: String,
}

impl<'a> Waiting<'a> {
    fn enter(inner: &'a Inner, request_id: String, place: Place) -> Self {
        inner.waiting().insert(request_id.clone(), place);
        inner.metrics.wait();
        Waiting { inner, request_id }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.inner.leave(&self.request_id);
    }
}

fn faulty(error: CodecError) -> NotSent {
    NotSent::Faulty(error.to_string())
}

fn counted(sent: &Result<Sent, NotSent>) -> CommandResult {
    match sent {
        Ok(Sent::Told(told)) if told.outcome.replayed => CommandResult::Replayed,
        Ok(Sent::Told(told)) if told.outcome.state == CommandState::Succeeded => CommandResult::Succeeded,
        Ok(Sent::Told(_)) => CommandResult::Rejected,
        Ok(Sent::Pending) => CommandResult::Pending,
        Err(NotSent::Unconfirmed(_)) => CommandResult::Unconfirmed,
        Err(NotSent::NotReady | NotSent::Overloaded { .. } | NotSent::TooLarge(_) | NotSent::Faulty(_)) => CommandResult::Refused,
    }
}

/// A new id that sorts by time.
fn id_of(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, millis / 1_000, (millis % 1_000) as u32 * 1_000_000))
}

/// Sends one record at once; the future is there when Kafka has it.
fn deliver(sender: &dyn RecordSender, topic: &str, key: &str, value: Option<&[u8]>) -> impl Future<Output = Result<(), NotSent>> + use<> {
    let (done, delivered) = oneshot::channel();
    let record = OutputRecord { topic, partition: None, key: Some(key.as_bytes()), value, timestamp: None, headers: Headers::default() };
    sender.send(&record, Box::new(move |result| _ = done.send(result)));
    async move {
        match delivered.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.class == PortErrorClass::RecordTooLarge => Err(NotSent::TooLarge(error.to_string())),
            Ok(Err(error)) => Err(NotSent::Unconfirmed(error.to_string())),
            Err(_) => Err(NotSent::Unconfirmed("the producer has ended".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
