//! Reads the task log and changelogs on restore threads, and asks for stable offsets.
//!
//! It reads through the same queues as the data consumer. The true end of a log, with open transactions, is asked by a second
//! client under read_uncommitted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use rdkafka::{Offset as NativeOffset, TopicPartitionList};

use super::data_consumer::{KafkaDataConsumer, KafkaMessage, names};
use super::error::{from_code, from_kafka};
use super::ffi;
use super::settings::KafkaSettings;
use crate::ports::{
    ChangelogReader, Chunk, DataConsumer, EachRow, Fetched, InputMessage, Located, LogBounds, LogRecord, PortError, PortErrorClass, Reached,
};
use crate::record::{Offset, TopicPartition};

/// How long one question to Kafka may take.
const MAX_ASK: Duration = Duration::from_secs(5);
/// How long the same question about several partitions may take: one of which an offset is pending is waited for, and holds up the others.
const MAX_ASK_TOGETHER: Duration = Duration::from_millis(500);
/// How long a new client's first question may take; whoever asks next tells what went wrong.
const MAX_FIRST_ASK: Duration = Duration::from_secs(1);
/// How often the first question is asked.
const FIRST_ASKS: usize = 2;
/// How often is asked whether a transaction is still pending.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How many records are taken from a queue at once.
const BATCH_RECORDS: usize = 1024;
/// A chunk ends when it has so many bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Reads single partitions, read_committed.
pub struct KafkaChangelogReader {
    settings: KafkaSettings,
    open: HashMap<TopicPartition, Open>,
    taken: VecDeque<Fetched<KafkaMessage>>,
    reader: Asking,
    uncommitted: Option<Asking>,
}

/// A client, and whether it has asked anything yet.
struct Asking {
    client: KafkaDataConsumer,
    has_asked: bool,
}

/// How far a partition was read.
struct Open {
    position: Offset,
    /// True when nothing stable lies behind `position`, as far as was told.
    at_end: bool,
}

impl KafkaChangelogReader {
    /// A reader without open partitions.
    ///
    /// # Errors
    /// `Fatal` when librdkafka refuses the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, PortError> {
        let reader = KafkaDataConsumer::with_config(&settings.changelog_reader(), format!("{}/changelog", settings.member_name()))?;
        let mut reader = Self::with_reader(settings, reader);
        // It will be needed, and connects while other things are done.
        reader.uncommitted()?;
        Ok(reader)
    }

    /// A reader for the members topic, which is followed for as long as the instance runs.
    ///
    /// # Errors
    /// `Fatal` when librdkafka refuses the settings.
    pub fn for_members(settings: &KafkaSettings) -> Result<Self, PortError> {
        let reader = KafkaDataConsumer::with_config(&settings.members_reader(), format!("{}/members", settings.member_name()))?;
        Ok(Self::with_reader(settings, reader))
    }

    /// A reader of single records, wherever they stand.
    ///
    /// # Errors
    /// `Fatal` when librdkafka refuses the settings.
    pub fn for_records(settings: &KafkaSettings) -> Result<Self, PortError> {
        let reader = KafkaDataConsumer::with_config(&settings.record_reader(), format!("{}/records", settings.member_name()))?;
        Ok(Self::with_reader(settings, reader))
    }

    fn with_reader(settings: &KafkaSettings, reader: KafkaDataConsumer) -> Self {
        let reader = Asking { client: reader, has_asked: false };
        KafkaChangelogReader { settings: settings.clone(), open: HashMap::new(), taken: VecDeque::new(), reader, uncommitted: None }
    }

    fn uncommitted(&mut self) -> Result<&mut Asking, PortError> {
        if self.uncommitted.is_none() {
            let name = format!("{}/watermarks", self.settings.member_name());
            let client = KafkaDataConsumer::with_config(&self.settings.high_watermarks(), name)?;
            self.uncommitted = Some(Asking { client, has_asked: false });
        }
        Ok(self.uncommitted.as_mut().expect("it was just made"))
    }

    /// As [`ChangelogReader::committed`]; waits for transactions that are pending, which a broker gives up when they are overdue.
    pub fn committed_within(&mut self, partition: &TopicPartition, patience: Duration) -> Result<Option<Offset>, PortError> {
        let deadline = Instant::now() + patience;
        loop {
            match self.committed(partition) {
                Err(error) if error.is_retriable() && Instant::now() < deadline => std::thread::sleep(ASK_EVERY),
                answer => return answer,
            }
        }
    }
}

/// What was taken from a partition's queue.
struct Taken {
    records: usize,
    position: Offset,
    at_end: bool,
    /// The end was told by this call.
    told_end: bool,
}

impl KafkaChangelogReader {
    /// Takes what is here, up to a bound; never waits.
    fn take(&mut self, partition: &TopicPartition, max_bytes: usize, each: &mut dyn FnMut(KafkaMessage)) -> Result<Taken, PortError> {
        let Some(open) = self.open.get_mut(partition) else {
            return Err(PortError::new(PortErrorClass::Fatal, "read a log", format!("{partition}: is not open")));
        };
        let (mut records, mut bytes, mut told_end) = (0, 0, false);
        while bytes < max_bytes {
            match self.reader.client.fetch(partition, BATCH_RECORDS, &mut self.taken) {
                Ok(0) => break,
                Ok(_) => {}
                // What was handed out counts; a failure that lasts comes again.
                Err(error) if error.is_retriable() && records > 0 => break,
                Err(error) => return Err(error),
            }
            for fetched in self.taken.drain(..) {
                open.at_end = match fetched {
                    Fetched::Message(message) => {
                        open.position = message.offset().next();
                        records += 1;
                        bytes += size_bytes(&message) + size_of::<LogRecord>();
                        each(message);
                        false
                    }
                    Fetched::End(end) => {
                        open.position = end;
                        told_end = true;
                        true
                    }
                };
            }
        }
        Ok(Taken { records, position: open.position, at_end: open.at_end, told_end })
    }
}

fn size_bytes(message: &KafkaMessage) -> usize {
    message.key().map_or(0, <[u8]>::len) + message.value().map_or(0, <[u8]>::len)
}

/// First and last offset as a client sees them: the last is the stable one under read_committed.
fn watermarks(asking: &mut Asking, partition: &TopicPartition) -> Result<(Offset, Offset), PortError> {
    const OPERATION: &str = "ask where a log begins and ends";
    checked(OPERATION, partition)?;
    let consumer = &asking.client;
    consumer.serve()?;
    if !asking.has_asked {
        // A new client drops its first connection, and what was asked through it, when it has learnt the brokers' ids. Watermarks would be
        // asked again half a second later.
        asking.has_asked = (0..FIRST_ASKS).any(|_| consumer.client().fetch_metadata(Some(&partition.topic), MAX_FIRST_ASK).is_ok());
    }
    consumer
        .client()
        .fetch_watermarks(&partition.topic, partition.partition, MAX_ASK / 2)
        .map(|(low, high)| (Offset(low), Offset(high)))
        .map_err(|error| explained(consumer, from_kafka(OPERATION, &partition.to_string(), &error)))
}

/// A failed question; a time-out also says what the client complained about last.
fn explained(consumer: &KafkaDataConsumer, mut error: PortError) -> PortError {
    if let Err(broken) = consumer.serve() {
        return broken;
    }
    if let (true, Some(last)) = (error.is_retriable(), consumer.client().context().last_error()) {
        error.detail = format!("{}; last: {last}", error.detail);
    }
    error
}

impl KafkaChangelogReader {
    /// The group's committed offsets, in the order of the partitions.
    fn committed_of(
        &mut self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Vec<Result<Option<Offset>, PortError>>, PortError> {
        const OPERATION: &str = "read the committed offset";
        self.reader.client.serve()?;
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(checked(OPERATION, partition)?, partition.partition);
        }
        ffi::committed(self.reader.client.client(), &mut list, timeout)
            .map_err(|code| explained(&self.reader.client, from_code(OPERATION, &names(partitions), code)))?;
        let answer = |partition: &TopicPartition| {
            let fault = |detail: String| PortError::new(PortErrorClass::Fatal, OPERATION, format!("{partition}: {detail}"));
            let element = list
                .find_partition(&partition.topic, partition.partition)
                .ok_or_else(|| fault("the answer does not mention it".to_owned()))?;
            // An offset that a pending transaction is about to change comes back as "invalid" with an error: that is not "none".
            element.error().map_err(|error| from_kafka(OPERATION, &partition.to_string(), &error))?;
            match element.offset() {
                NativeOffset::Offset(offset) => Ok(Some(Offset(offset))),
                NativeOffset::Invalid => Ok(None),
                other => Err(fault(format!("the answer is {other:?}"))),
            }
        };
        Ok(partitions.iter().map(answer).collect())
    }
}

/// A topic's name; librdkafka's lists take no nul.
fn checked<'a>(operation: &'static str, partition: &'a TopicPartition) -> Result<&'a str, PortError> {
    match partition.topic.contains('\0') {
        true => Err(PortError::new(PortErrorClass::UnknownTopic, operation, format!("{partition}: is not a partition"))),
        false => Ok(&partition.topic),
    }
}

impl ChangelogReader for KafkaChangelogReader {
    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Offset>, PortError> {
        self.committed_of(std::slice::from_ref(partition), MAX_ASK)?.pop().expect("an answer for each partition")
    }

    fn bounds(&mut self, partition: &TopicPartition) -> Result<LogBounds, PortError> {
        let (start, stable_end) = watermarks(&mut self.reader, partition)?;
        // Asked last, so that it lies behind the stable end.
        let (_, end) = watermarks(self.uncommitted()?, partition)?;
        Ok(LogBounds { start, stable_end, end: end.max(stable_end) })
    }

    /// The offsets are asked for together.
    fn locate(&mut self, partitions: &[TopicPartition]) -> Vec<Result<Located, PortError>> {
        let timeout = if partitions.len() > 1 { MAX_ASK_TOGETHER } else { MAX_ASK };
        let committed = match self.committed_of(partitions, timeout) {
            Ok(answers) => answers,
            // One fails the whole question, for example an offset that is pending: the first is asked about alone, the others when their turn comes.
            Err(error) => {
                let mut alone = |at, one| if at == 0 && partitions.len() > 1 { self.committed(one) } else { Err(error.clone()) };
                partitions.iter().enumerate().map(|(at, one)| alone(at, one)).collect()
            }
        };
        let located = |(committed, partition)| Ok(Located { committed: committed?, bounds: self.bounds(partition)? });
        committed.into_iter().zip(partitions).map(located).collect()
    }

    fn open(&mut self, partition: &TopicPartition, from: Offset) -> Result<Offset, PortError> {
        let (start, _) = watermarks(&mut self.reader, partition)?;
        let from = from.max(start);
        self.open_within(partition, from)?;
        Ok(from)
    }

    fn open_within(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), PortError> {
        self.reader.client.assign(&[(partition.clone(), from)])?;
        self.open.insert(partition.clone(), Open { position: from, at_end: false });
        Ok(())
    }

    fn read(&mut self, partition: &TopicPartition, wait: Duration) -> Result<Chunk, PortError> {
        let deadline = Instant::now() + wait;
        let mut records = Vec::new();
        loop {
            let mut each = |message: KafkaMessage| {
                records.push(LogRecord {
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.value().map(<[u8]>::to_vec),
                    timestamp: message.timestamp(),
                    headers: message.headers(),
                });
            };
            let reached = self.take(partition, CHUNK_BYTES, &mut each)?;
            let remaining = deadline.saturating_duration_since(Instant::now());
            if reached.records > 0 || reached.told_end || remaining.is_zero() {
                return Ok(Chunk { records, position: reached.position, at_end: reached.at_end });
            }
            self.reader.client.wait(remaining)?;
        }
    }

    fn read_rows(&mut self, partition: &TopicPartition, max_bytes: usize, each: EachRow<'_>) -> Result<Reached, PortError> {
        let mut bytes = 0;
        let taken = self.take(partition, max_bytes, &mut |message: KafkaMessage| {
            bytes += size_bytes(&message);
            each(message.offset(), message.key(), message.value());
        })?;
        Ok(Reached { position: taken.position, at_end: taken.at_end, records: taken.records, bytes })
    }

    fn wait(&mut self, at_most: Duration) -> Result<(), PortError> {
        self.reader.client.wait(at_most)
    }

    fn close(&mut self, partition: &TopicPartition) {
        if self.open.remove(partition).is_some()
            && let Err(error) = self.reader.client.unassign(std::slice::from_ref(partition))
        {
            // Only a broken client refuses; its next call says so.
            tracing::warn!("{error}");
        }
    }
}
