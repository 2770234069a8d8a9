//! The consumer of source partitions: assigned by us, one queue a partition, taken in batches.
//!
//! A partition's queue is cut off from the consumer's before the partition is assigned, so no record can go astray. Giving a
//! partition up raises a version in librdkafka before the call returns, and its queues skip whatever carries an older one; the
//! offset of the assignment is checked besides.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::sync::Parker;
use hashbrown::HashMap;
use rdkafka::client::Client as NativeClient;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset as NativeOffset, TopicPartitionList};

use super::error::{class_of, from_kafka, from_native};
use super::ffi::{self, NativeMessage, Pointers, Queue};
use super::log::ClientLog;
use super::readiness::Readiness;
use super::settings::KafkaSettings;
use crate::ports::{DataConsumer, Fetched, InputMessage, PortError, PortErrorClass, Wake};
use crate::record::{Headers, Offset, Timestamp, TopicPartition};

type Client = NativeClient<ClientLog>;

/// So many events of the client are served at once.
const MAX_EVENTS_A_WAIT: usize = 1_000;

/// A record in librdkafka's memory. Holding many of them holds the memory of whole fetch responses.
pub struct KafkaMessage(NativeMessage<Client>);

impl InputMessage for KafkaMessage {
    fn offset(&self) -> Offset {
        Offset(self.0.offset())
    }

    /// -1 when the record has no time, as Kafka's own clients say it.
    fn timestamp(&self) -> Timestamp {
        Timestamp(self.0.timestamp())
    }

    fn key(&self) -> Option<&[u8]> {
        self.0.key()
    }

    fn value(&self) -> Option<&[u8]> {
        self.0.payload()
    }

    fn headers(&self) -> Headers {
        self.0.headers()
    }
}

impl fmt::Debug for KafkaMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaMessage({})", self.0.offset())
    }
}

/// Reads partitions at offsets that it is given, read_committed.
pub struct KafkaDataConsumer {
    assigned: HashMap<TopicPartition, Assigned>,
    pointers: Pointers,
    parker: Parker,
    events: Queue<Client>,
    client: Arc<Client>,
}

/// One partition that is read.
struct Assigned {
    queue: Queue<Client>,
    readiness: Arc<Readiness>,
    /// Nothing below this offset is wanted.
    next: i64,
    /// The end of the stable log, as long as nothing was taken after it.
    end: Option<Offset>,
    /// What its reader has yet to be told.
    failure: Option<PortError>,
}

impl KafkaDataConsumer {
    /// A consumer without partitions.
    ///
    /// # Errors
    /// `Fatal` when librdkafka refuses the settings. Whether Kafka can be reached shows later.
    pub fn new(settings: &KafkaSettings) -> Result<Self, PortError> {
        Self::with_config(&settings.data_consumer(), format!("{}/data", settings.member_name()))
    }

    pub(super) fn with_config(config: &ClientConfig, name: String) -> Result<Self, PortError> {
        const OPERATION: &str = "make a consumer";
        let client = ffi::consumer_client(config, ClientLog::new(name.clone())).map_err(|error| from_kafka(OPERATION, &name, &error))?;
        let client = Arc::new(client);
        let mut events =
            Queue::consumer(&client).ok_or_else(|| PortError::new(PortErrorClass::Fatal, OPERATION, "the consumer has no queue"))?;
        let parker = Parker::new();
        events.wake(Arc::new(Readiness::new(parker.unparker().clone())));
        Ok(KafkaDataConsumer { assigned: HashMap::new(), pointers: Pointers::default(), parker, events, client })
    }

    pub(super) fn client(&self) -> &NativeClient<ClientLog> {
        &self.client
    }

    /// Runs what librdkafka has to tell about the client as a whole.
    pub(super) fn serve(&self) -> Result<(), PortError> {
        const OPERATION: &str = "serve the consumer";
        let mut served = 0;
        while served < MAX_EVENTS_A_WAIT
            && let Some(event) = self.events.next_event(Duration::ZERO)
        {
            // Every partition has a queue of its own; a record here would be one that its reader never sees.
            if event.is_record() {
                return Err(PortError::new(PortErrorClass::Fatal, OPERATION, "a record came outside of its partition's queue"));
            }
            event.tell(self.client.context());
            served += 1;
        }
        // What is not fatal librdkafka gets over by itself; its log has it.
        match (served > 0).then(|| self.client.fatal_error()).flatten() {
            Some((code, reason)) => Err(PortError::new(PortErrorClass::Fatal, OPERATION, format!("{reason} ({code})"))),
            None => Ok(()),
        }
    }
}

impl DataConsumer for KafkaDataConsumer {
    type Message = KafkaMessage;

    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<(), PortError> {
        const OPERATION: &str = "assign partitions";
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        let mut added = Vec::with_capacity(partitions.len());
        for (partition, offset) in partitions {
            let fault = |detail| PortError::new(PortErrorClass::Fatal, OPERATION, format!("{partition}: {detail}"));
            if self.assigned.contains_key(partition) || added.iter().any(|(other, _)| other == partition) {
                return Err(fault("is assigned already"));
            }
            // Checks the name as well: librdkafka's lists take no nul.
            let mut queue =
                Queue::partition(&self.client, &partition.topic, partition.partition).ok_or_else(|| fault("is not a partition"))?;
            let readiness = Arc::new(Readiness::new(self.parker.unparker().clone()));
            queue.wake(readiness.clone());
            list.add_partition_offset(&partition.topic, partition.partition, NativeOffset::Offset(offset.0))
                .map_err(|error| from_kafka(OPERATION, &partition.to_string(), &error))?;
            added.push((partition.clone(), Assigned { queue, readiness, next: offset.0, end: None, failure: None }));
        }
        if added.is_empty() {
            return Ok(());
        }
        ffi::assign(&*self.client, &list).map_err(|error| from_native(OPERATION, &names(partitions.iter().map(|(p, _)| p)), &error))?;
        self.assigned.extend(added);
        Ok(())
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), PortError> {
        const OPERATION: &str = "unassign partitions";
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            if self.assigned.remove(partition).is_some() {
                list.add_partition(&partition.topic, partition.partition);
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        ffi::unassign(&*self.client, &list).map_err(|error| from_native(OPERATION, &names(partitions.iter()), &error))
    }

    fn fetch(&mut self, partition: &TopicPartition, max: usize, into: &mut VecDeque<Fetched<KafkaMessage>>) -> Result<usize, PortError> {
        let Some(assigned) = self.assigned.get_mut(partition) else {
            return Err(PortError::new(PortErrorClass::Fatal, "fetch records", format!("{partition}: is not assigned")));
        };
        if let Some(failure) = &assigned.failure {
            let failure = failure.clone();
            if failure.is_retriable() {
                assigned.failure = None;
            }
            return Err(failure);
        }
        if max == 0 || !assigned.readiness.take() {
            return Ok(0);
        }
        let before = into.len();
        let Assigned { queue, readiness, next, end, failure } = assigned;
        let taken = queue.take(max, &mut self.pointers, |message| {
            let offset = message.offset();
            // After a failure there may be a gap: nothing behind it is handed out.
            if failure.is_some() {
                return;
            }
            match message.error() {
                None if offset >= *next => {
                    *next = offset + 1;
                    *end = None;
                    into.push_back(Fetched::Message(KafkaMessage(message)));
                }
                Some(RDKafkaErrorCode::PartitionEOF) if offset >= *next => {
                    *next = offset;
                    *end = Some(Offset(offset));
                    into.push_back(Fetched::End(Offset(offset)));
                }
                None | Some(RDKafkaErrorCode::PartitionEOF) => {}
                Some(code) => *failure = failed(partition, *next, code, &message),
            }
        });
        if let Some((code, reason)) = self.client.context().take_queue_error() {
            failure.get_or_insert_with(|| fetch_failed(partition, *next, code, &reason));
        }
        if taken == max || failure.is_some() {
            readiness.raise();
        }
        match into.len() - before {
            0 if failure.is_some() => self.fetch(partition, max, into),
            count => Ok(count),
        }
    }

    fn wait(&mut self, timeout: Duration) -> Result<(), PortError> {
        self.serve()?;
        if !timeout.is_zero() {
            let started = Instant::now();
            self.parker.park_timeout(timeout);
            // Nothing called: look everywhere once, so that a call-back that librdkafka forgot costs a time-out at most.
            if started.elapsed() >= timeout {
                self.assigned.values().for_each(|assigned| assigned.readiness.mark());
            }
            self.serve()?;
        }
        Ok(())
    }

    fn wake(&self) -> Wake {
        let reader = self.parker.unparker().clone();
        Arc::new(move || reader.unpark())
    }

    /// While records wait in the queue this is the high watermark, which counts an open transaction at the very end as well; at the
    /// end it is exact.
    fn cached_end(&self, partition: &TopicPartition) -> Option<Offset> {
        let assigned = self.assigned.get(partition)?;
        match assigned.end {
            Some(end) if !assigned.readiness.is_raised() => Some(end),
            end => {
                let (_, high) = ffi::cached_watermarks(&*self.client, &partition.topic, partition.partition)?;
                (high >= 0).then_some(Offset(high)).max(end)
            }
        }
    }

    fn cached_start(&self, partition: &TopicPartition) -> Option<Offset> {
        self.assigned.get(partition)?;
        let (low, _) = ffi::cached_watermarks(&*self.client, &partition.topic, partition.partition)?;
        (low >= 0).then_some(Offset(low))
    }
}

/// `None` for the complaint of an assignment that was given up: the complaint about an offset carries no version.
fn failed(partition: &TopicPartition, next: i64, code: RDKafkaErrorCode, message: &NativeMessage<Client>) -> Option<PortError> {
    let offset = message.offset();
    if class_of(code) == PortErrorClass::OffsetOutOfRange && (0..next).contains(&offset) {
        return None;
    }
    Some(fetch_failed(partition, next, code, &message.payload().map(String::from_utf8_lossy).unwrap_or_default()))
}

fn fetch_failed(partition: &TopicPartition, next: i64, code: RDKafkaErrorCode, reason: &str) -> PortError {
    PortError::new(class_of(code), "fetch records", format!("{partition} at {next}: {reason} ({code})"))
}

pub(super) fn names<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> String {
    partitions.into_iter().map(TopicPartition::to_string).collect::<Vec<_>>().join(", ")
}
