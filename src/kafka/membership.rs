//! The group consumer of one stream thread: it subscribes to the task log and reads nothing from it.
//!
//! librdkafka rejoins the group in the background, so everything that concerns ownership is fixed in the rebalance call-back, on
//! the polling thread: the generation is captured before the assignment is taken, also of an empty one, and what happened goes to
//! an ordered list. The call-back does nothing else.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tracing::debug;

use super::error::{class_of, from_code, from_kafka};
use super::exact_list::exact_list;
use super::ffi::{self, GroupMetadata, Queue};
use super::log::ClientLog;
use super::settings::KafkaSettings;
use crate::ports::{Generation, Membership, MembershipEvent, PortError, PortErrorClass};
use crate::record::{Offset as Position, TopicPartition};

/// One poll serves one event; so many are a queue that is never empty.
const MAX_EVENTS_A_POLL: usize = 10_000;

/// How long a member waits for each of the two answers that it begins with.
const MAX_CONNECT: Duration = Duration::from_millis(500);

const POLL: &str = "poll the group";

const JOIN: &str = "join the group";

/// A member of the application's group.
pub struct KafkaMembership {
    queue: Queue<BaseConsumer<Rebalances>>,
    consumer: Arc<BaseConsumer<Rebalances>>,
    group: String,
    task_log: String,
    leaving: bool,
    settings: KafkaSettings,
}

impl KafkaMembership {
    /// Begins to join the group, for the tokens of `task_log`.
    ///
    /// # Errors
    /// `Fatal` when librdkafka refuses the settings. Whether Kafka can be reached shows only in polls.
    pub fn join(settings: &KafkaSettings, task_log: &str) -> Result<Self, PortError> {
        Self::prepare(settings, task_log)?.begin()
    }

    /// Begins to connect and to look for the group's coordinator, but does not join yet.
    ///
    /// # Errors
    /// As [`KafkaMembership::join`].
    pub fn prepare(settings: &KafkaSettings, task_log: &str) -> Result<Self, PortError> {
        let group = settings.application_id.clone();
        let context = Rebalances::new(format!("{}/group", settings.member_name()));
        let made = settings.membership().create_with_context(context);
        let consumer: Arc<BaseConsumer<Rebalances>> = Arc::new(made.map_err(|error| from_kafka(JOIN, &group, &error))?);
        let queue = Queue::consumer(&consumer).ok_or_else(|| PortError::new(PortErrorClass::Fatal, JOIN, "the consumer has no queue"))?;
        Ok(KafkaMembership { queue, consumer, group, task_log: task_log.to_string(), leaving: false, settings: settings.clone() })
    }

    /// Waits a while until the group's coordinator can be spoken to, and the task log is known. Members that are connected and then begin
    /// at the same moment share out the tokens in one go; if one comes when another has just got them all, it waits for the other's
    /// next heartbeat.
    pub fn connect(&self) {
        // Whatever comes of it, polls tell. The coordinator is asked for a partition that nobody has, so that no transaction is waited for.
        let known = self.consumer.client().fetch_metadata(Some(&self.task_log), MAX_CONNECT);
        let mut nowhere = TopicPartitionList::with_capacity(1);
        nowhere.add_partition(&self.task_log, i32::MAX);
        let answered = self.consumer.committed_offsets(nowhere, MAX_CONNECT);
        debug!(group = self.group, known = known.is_ok(), answered = answered.is_ok(), "looked for the coordinator");
    }

    /// Begins to join.
    ///
    /// # Errors
    /// As [`KafkaMembership::join`].
    pub fn begin(self) -> Result<Self, PortError> {
        self.consumer.subscribe(&[&self.task_log]).map_err(|error| from_kafka(JOIN, &self.group, &error))?;
        Ok(self)
    }

    /// Refuses what is of another generation than the client is in now: it rejoins in the background.
    fn check_generation(&self, operation: &'static str, captured: &Generation) -> Result<(), PortError> {
        if self.is_current(captured) {
            return Ok(());
        }
        let detail = format!("{}: the member has left generation {captured:?}", self.group);
        Err(PortError::new(PortErrorClass::StaleGeneration, operation, detail))
    }

    /// What ended this member for good: said once by a poll, true ever after.
    fn fatal(&self) -> Option<PortError> {
        let (code, reason) = self.consumer.client().fatal_error()?;
        let class = match class_of(code) {
            PortErrorClass::FencedInstance => PortErrorClass::FencedInstance,
            _ => PortErrorClass::Fatal,
        };
        Some(PortError::new(class, POLL, format!("{}: {reason}", self.group)))
    }

    /// What must follow from an error that a poll brought; `None` for those that librdkafka gets over by itself.
    fn consequence(&self, error: &KafkaError) -> Option<PortError> {
        let error = from_kafka(POLL, &self.group, error);
        match error.class {
            PortErrorClass::Unauthorized | PortErrorClass::UnknownTopic => Some(error),
            // Among them having polled too late: the call-back tells that the tokens are lost, and librdkafka rejoins.
            _ => {
                debug!(group = self.group, "{error}");
                None
            }
        }
    }
}

impl Membership for KafkaMembership {
    fn poll(&mut self, wait: Duration) -> Result<Vec<MembershipEvent>, PortError> {
        let context = self.consumer.context();
        let mut wait = wait;
        for _ in 0..MAX_EVENTS_A_POLL {
            let before = context.served();
            let polled = self.consumer.poll(wait);
            wait = Duration::ZERO;
            if let Some(Err(error)) = &polled
                && let Some(consequence) = self.consequence(error)
            {
                return Err(consequence);
            }
            // The poll serves one event and does not say whether there was one: ask all who could tell.
            if polled.is_none() && context.served() == before && self.queue.len() == 0 {
                break;
            }
        }
        if let Some(fatal) = self.fatal() {
            return Err(fatal);
        }
        let mut state = context.lock();
        if let Some(detail) = state.refused.take() {
            return Err(PortError::new(PortErrorClass::Fatal, "take an assignment", detail));
        }
        Ok(state.events.drain(..).collect())
    }

    fn commit_offsets(
        &mut self,
        offsets: &[(TopicPartition, Position)],
        generation: &Generation,
        timeout: Duration,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "commit offsets for the group";
        let list = exact_list(offsets).map_err(|detail| PortError::new(PortErrorClass::Fatal, OPERATION, detail))?;
        self.check_generation(OPERATION, generation)?;
        ffi::commit(&self.consumer, &list, timeout).map_err(|code| from_code(OPERATION, &self.group, code))?;
        // It may have gone out under a newer one.
        self.check_generation(OPERATION, generation)
    }

    fn leave(&mut self) {
        self.leaving = true;
        self.consumer.unsubscribe();
    }

    fn has_left(&self) -> bool {
        self.leaving && ffi::member_id(&*self.consumer).is_empty()
    }

    fn rejoin(&mut self) -> Result<(), PortError> {
        self.leaving = false;
        self.consumer.subscribe(&[&self.task_log]).map_err(|error| from_kafka("join the group again", &self.group, &error))
    }

    fn renew(&mut self) -> Result<(), PortError> {
        *self = KafkaMembership::join(&self.settings, &self.task_log)?;
        Ok(())
    }

    fn is_current(&self, generation: &Generation) -> bool {
        let now = GroupMetadata::capture(&*self.consumer);
        now.is_some_and(|now| now.generation_id() == generation.generation_id && *now.member_id() == *generation.member_id)
    }

    #[cfg(any(test, feature = "faults"))]
    fn fresh_generation(&self) -> Option<Generation> {
        GroupMetadata::capture(&*self.consumer).map(Generation::from)
    }
}

/// Hears of rebalances, on the thread that polls.
struct Rebalances {
    log: ClientLog,
    served: AtomicU64,
    state: Mutex<RebalanceState>,
}

#[derive(Default)]
struct RebalanceState {
    events: VecDeque<MembershipEvent>,
    /// librdkafka did not take an assignment: what the events say is not what it does.
    refused: Option<String>,
}

impl Rebalances {
    fn new(client: String) -> Self {
        Rebalances { log: ClientLog::new(client), served: AtomicU64::new(0), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, RebalanceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many call-backs ran until now.
    fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, partitions: &mut TopicPartitionList) {
        // Before the assignment is taken: after it, librdkafka may already be rejoining under a newer generation.
        let Some(metadata) = GroupMetadata::capture(consumer) else {
            self.lock().refused = Some("the consumer has no group".into());
            return;
        };
        self.lock().events.push_back(MembershipEvent::Assigned { tokens: tokens(partitions), generation: metadata.into() });
        // At the end and paused: without an offset librdkafka would ask for the committed one itself, and wait for transactions.
        let taken = partitions
            .set_all_offsets(Offset::End)
            .and_then(|()| consumer.incremental_assign(partitions))
            .and_then(|()| consumer.pause(partitions));
        self.note(taken);
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let tokens = tokens(partitions);
        // To be asked first: giving the partitions up resets it.
        let event = match consumer.assignment_lost() {
            true => MembershipEvent::Lost { tokens },
            false => MembershipEvent::Revoked { tokens },
        };
        self.lock().events.push_back(event);
        self.note(consumer.incremental_unassign(partitions));
    }

    fn note(&self, taken: KafkaResult<()>) {
        if let Err(error) = taken {
            self.lock().refused.get_or_insert(error.to_string());
        }
    }
}

impl From<GroupMetadata> for Generation {
    fn from(metadata: GroupMetadata) -> Self {
        Generation { member_id: metadata.member_id().into(), generation_id: metadata.generation_id(), handle: Arc::new(metadata) }
    }
}

fn tokens(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(|element| element.partition()).collect()
}

impl ClientContext for Rebalances {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        self.count();
        self.log.log(level, fac, log_message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.count();
        self.log.error(error, reason);
    }

    fn stats_raw(&self, _statistics: &[u8]) {
        self.count();
    }
}

impl ConsumerContext for Rebalances {
    fn rebalance(&self, base_consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, tpl: &mut TopicPartitionList) {
        self.count();
        match err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(base_consumer, tpl),
            _ => self.revoke(base_consumer, tpl),
        }
    }

    fn commit_callback(&self, _result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        self.count();
    }
}
