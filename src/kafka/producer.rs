//! The producer of one stream thread, in transactions or without them.
//!
//! Records go to librdkafka through a handle for each topic. Delivery reports are read as events on the calling thread, in every
//! call here, so that no lock and no allocation a record is needed; whether a connection was lost is told by an interceptor
//! (`log.rs`). A producer is made by [`replace`](TransactionalProducer::replace) and by nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;

use super::deliveries::Deliveries;
use super::error::{class_of, from_code, from_kafka, from_transaction, leaves_outcome_open};
use super::exact_list::exact_list;
use super::ffi::{self, GroupMetadata, NativeError, Queue, Step, Topic};
use super::log::ClientLog;
use super::settings::KafkaSettings;
use crate::ports::{Delivered, Generation, PortError, PortErrorClass, TransactionalProducer};
use crate::record::{Offset, OutputRecord, TopicPartition};

/// How long a record waits for room.
const MAX_SEND_WAIT: Duration = Duration::from_secs(5);
/// How long a new client waits for its first connection before it asks for its id.
const MAX_CONNECT: Duration = Duration::from_secs(1);
/// How long beginning may take, when the producer must be replaced for it.
const MAX_BEGIN_WAIT: Duration = Duration::from_secs(5);
/// So long after a flush began nothing lingers any more.
const MAX_HURRY: Duration = Duration::from_millis(20);
/// How long to look for why a transaction takes no more records.
const MAX_CAUSE_WAIT: Duration = Duration::from_millis(200);
/// How long a producer that is replaced may take to give up its records.
const MAX_PURGE_WAIT: Duration = Duration::from_millis(300);
/// Reports are read each time so many records were handed over: what is reported still fills the queue until it is read.
const SENDS_A_READ: u64 = 1024;
/// How long a call into librdkafka may keep reports from being read.
const SLICE: Duration = Duration::from_millis(20);

/// A producer with the thread's transactional id, or one without transactions.
pub struct KafkaProducer {
    settings: KafkaSettings,
    transactional: bool,
    name: String,
    deliveries: Deliveries,
    native: Option<Native>,
    /// True while `begin` is replacing a producer whose sequence has a gap.
    is_replacing: bool,
}

/// A client of librdkafka and what belongs to it.
struct Native {
    topics: HashMap<Arc<str>, Topic<Client<ClientLog>>>,
    names: HashMap<usize, Arc<str>>,
    events: Queue<Client<ClientLog>>,
    client: Arc<Client<ClientLog>>,
    /// False until the coordinator has given it an id.
    is_initialized: bool,
}

impl KafkaProducer {
    /// A producer that is not yet connected: [`replace`](TransactionalProducer::replace) comes first.
    pub fn new(settings: &KafkaSettings) -> Self {
        KafkaProducer {
            settings: settings.clone(),
            transactional: true,
            name: settings.member_name(),
            deliveries: Deliveries::default(),
            native: None,
            is_replacing: false,
        }
    }

    /// The same without transactions: idempotent, acknowledged by all replicas in sync.
    pub fn without_transactions(settings: &KafkaSettings) -> Self {
        let mut producer = KafkaProducer::new(settings);
        producer.transactional = false;
        producer
    }

    fn native(&self, operation: &'static str) -> Result<&Native, PortError> {
        match &self.native {
            Some(native) if native.is_initialized => Ok(native),
            _ => Err(PortError::new(PortErrorClass::Fatal, operation, format!("{}: no producer was made", self.name))),
        }
    }

    /// Reads events, waiting at most `wait` for the first. True when there was one.
    fn serve(&mut self, wait: Duration) -> bool {
        let Some(native) = &self.native else { return false };
        let mut served = false;
        let mut wait = wait;
        while let Some(event) = native.events.next_event(wait) {
            self.deliveries.absorb(&event);
            event.tell(native.client.context());
            served = true;
            wait = Duration::ZERO;
        }
        served
    }

    /// Takes a step of the transaction, then reads what was reported meanwhile.
    fn step(&mut self, operation: &'static str, step: Step<'_>, timeout: Duration) -> Result<(), NativeFailure> {
        let client = self.native(operation).map_err(|error| NativeFailure { error, code: RDKafkaErrorCode::State })?.client.clone();
        if !self.transactional {
            self.serve(Duration::ZERO);
            return Ok(());
        }
        let answer = ffi::transaction(&*client, step, timeout);
        self.serve(Duration::ZERO);
        answer.map_err(|error| NativeFailure { code: error.code, error: self.classify(operation, error, &client) })
    }

    fn classify(&self, operation: &'static str, mut error: NativeError, client: &Client<ClientLog>) -> PortError {
        // The first fatal error says why; all later calls only say that there was one.
        if let Some((code, reason)) = client.fatal_error() {
            error = NativeError { code, text: reason, is_fatal: true, ..error };
        }
        from_transaction(operation, &self.name, &error)
    }

    /// Drops the client. Nothing that it still holds is waited for beyond [`MAX_PURGE_WAIT`].
    fn discard(&mut self) {
        if let Some(native) = &self.native {
            ffi::purge(&*native.client);
            let deadline = Instant::now() + MAX_PURGE_WAIT;
            while self.deliveries.pending() > 0 && Instant::now() < deadline {
                self.serve(SLICE);
            }
        }
        self.native = None;
        self.deliveries.clear();
    }

    fn make(&self) -> Result<Native, PortError> {
        const OPERATION: &str = "make a producer";
        let config = if self.transactional { self.settings.producer() } else { self.settings.plain_producer() };
        let client = ffi::producer_client(&config, ClientLog::new(format!("{}/producer", self.name)))
            .map_err(|error| from_kafka(OPERATION, &self.name, &error))?;
        let client = Arc::new(client);
        let events = Queue::main(&client).ok_or_else(|| PortError::new(PortErrorClass::Fatal, OPERATION, "the producer has no queue"))?;
        Ok(Native { topics: HashMap::new(), names: HashMap::new(), events, client, is_initialized: false })
    }
}

/// What a step failed with; the code tells whether the outcome is open.
struct NativeFailure {
    error: PortError,
    code: RDKafkaErrorCode,
}

impl From<NativeFailure> for PortError {
    fn from(failure: NativeFailure) -> Self {
        failure.error
    }
}

impl Native {
    fn topic(&mut self, name: &str) -> Option<&Topic<Client<ClientLog>>> {
        if !self.topics.contains_key(name) {
            let topic = Topic::new(&self.client, name)?;
            let name: Arc<str> = name.into();
            self.names.insert(topic.identity(), name.clone());
            self.topics.insert(name, topic);
        }
        self.topics.get(name)
    }
}

impl TransactionalProducer for KafkaProducer {
    fn replace(&mut self, timeout: Duration) -> Result<(), PortError> {
        const OPERATION: &str = "make a producer ready for transactions";
        let deadline = Instant::now() + timeout;
        // A client that is still waiting for its id goes on waiting: making another would begin again.
        if self.native.as_ref().is_none_or(|native| native.is_initialized) {
            self.discard();
            let made = self.make()?;
            // Whatever comes of it, the next call tells.
            ffi::connect(&*made.client, timeout.min(MAX_CONNECT));
            self.native = Some(made);
        }
        let Some(native) = &self.native else { return Ok(()) };
        let client = native.client.clone();
        let answer = match self.transactional {
            true => ffi::transaction(&*client, Step::Init, deadline.saturating_duration_since(Instant::now())),
            false => Ok(()),
        };
        self.serve(Duration::ZERO);
        if let Err(error) = answer {
            let mut error = self.classify(OPERATION, error, &client);
            if error.is_retriable() {
                if let Some(last) = client.context().last_error() {
                    error.detail = format!("{}; last: {last}", error.detail);
                }
            } else {
                self.discard();
            }
            return Err(error);
        }
        if let Some(native) = &mut self.native {
            native.is_initialized = true;
        }
        self.is_replacing = false;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), PortError> {
        const OPERATION: &str = "begin a transaction";
        self.serve(Duration::ZERO);
        // Also while a replacement from here is still under way.
        if self.deliveries.is_gapped() || self.is_replacing {
            // Who was fenced must hear of it, and not fence the other in return.
            let ended = self.native.as_ref().filter(|_| !self.is_replacing);
            if let Some(fatal) = ended.and_then(|native| fatal(OPERATION, &self.name, &native.client)) {
                return Err(fatal);
            }
            self.is_replacing = true;
            self.replace(MAX_BEGIN_WAIT)?;
        }
        self.native(OPERATION)?.client.context().connections().reset();
        self.step(OPERATION, Step::Begin, SLICE)?;
        self.deliveries.reset();
        Ok(())
    }

    fn send(&mut self, record: &OutputRecord<'_>) -> Result<(), PortError> {
        const OPERATION: &str = "send a record";
        self.native(OPERATION)?;
        // For librdkafka 0 means "now", and Kafka takes no time before 1970: such a record gets the producer's time, like one
        // without any; the first millisecond is moved by one.
        let timestamp = record.timestamp.map_or(0, |timestamp| if timestamp.0 == 0 { 1 } else { timestamp.0.max(0) });
        let mut deadline = None;
        loop {
            let Some(topic) = self.native.as_mut().and_then(|native| native.topic(record.topic)) else {
                return Err(PortError::new(PortErrorClass::UnknownTopic, OPERATION, format!("{}: is not a name", record.topic)));
            };
            match topic.produce(record.partition.unwrap_or(-1), record.key, record.value, timestamp, &record.headers) {
                Ok(()) => break,
                Err(RDKafkaErrorCode::QueueFull) => {
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + MAX_SEND_WAIT);
                    if Instant::now() >= deadline {
                        return Err(from_code(OPERATION, record.topic, RDKafkaErrorCode::QueueFull));
                    }
                    self.serve(SLICE);
                }
                Err(code) => return Err(self.send_failed(OPERATION, record.topic, code)),
            }
        }
        if self.deliveries.note_sent().is_multiple_of(SENDS_A_READ) {
            self.serve(Duration::ZERO);
        }
        Ok(())
    }

    fn flush(&mut self, timeout: Duration) -> Result<Delivered, PortError> {
        const OPERATION: &str = "deliver the records of the transaction";
        let client = self.native(OPERATION)?.client.clone();
        let started = Instant::now();
        loop {
            self.serve(Duration::ZERO);
            if let Some(fatal) = fatal(OPERATION, &self.name, &client) {
                return Err(fatal);
            }
            if self.deliveries.pending() == 0 || self.deliveries.has_failed() {
                return self.deliveries.delivered(&self.native(OPERATION)?.names);
            }
            let waited = started.elapsed();
            if waited >= timeout {
                let detail = format!("{}: {} records have no report yet", self.name, self.deliveries.pending());
                return Err(PortError::new(PortErrorClass::Retriable, OPERATION, detail));
            }
            if waited < MAX_HURRY {
                // Records linger unless librdkafka is being told to hurry at the moment when it looks at them, which it does once
                // their partition has been added to the transaction.
                ffi::send_now(&*client, Duration::from_millis(1));
            } else {
                self.serve((timeout - waited).min(Duration::from_millis(100)));
            }
        }
    }

    fn send_offsets(&mut self, offsets: &[(TopicPartition, Offset)], generation: &Generation, timeout: Duration) -> Result<(), PortError> {
        const OPERATION: &str = "add offsets to the transaction";
        let fault = |detail: String| PortError::new(PortErrorClass::Fatal, OPERATION, detail);
        if !self.transactional {
            return Err(fault(format!("{}: has no transactions", self.name)));
        }
        let Some(group) = generation.handle.downcast_ref::<GroupMetadata>() else {
            return Err(fault(format!("the generation {generation:?} is of another client")));
        };
        if generation.generation_id < 0 {
            let detail = format!("the generation {generation:?} was captured outside of the group");
            return Err(PortError::new(PortErrorClass::StaleGeneration, OPERATION, detail));
        }
        let list = exact_list(offsets).map_err(fault)?;
        self.step(OPERATION, Step::SendOffsets(&list, group), timeout).map_err(|failure| match failure {
            // Kafka may have taken the offsets, and a late copy of the request may still be under way.
            NativeFailure { error, code } if leaves_outcome_open(code) && error.class != PortErrorClass::FencedProducer => {
                PortError { class: PortErrorClass::Indefinite, ..error }
            }
            other => other.error,
        })
    }

    fn commit(&mut self, timeout: Duration) -> Result<(), PortError> {
        self.step("commit the transaction", Step::Commit, timeout).map_err(|failure| match failure {
            // Only failed deliveries are known to be found before anything is sent to the coordinator.
            NativeFailure { error, code } if error.class == PortErrorClass::RequiresAbort && code != RDKafkaErrorCode::Inconsistent => {
                PortError { class: PortErrorClass::Indefinite, ..error }
            }
            other => other.error,
        })
    }

    fn abort(&mut self, timeout: Duration) -> Result<(), PortError> {
        const OPERATION: &str = "abort the transaction";
        if !self.transactional {
            // What was handed over may still be on its way: only a new producer has nothing to do with it.
            self.discard();
            return Ok(());
        }
        let deadline = Instant::now() + timeout;
        loop {
            self.serve(Duration::ZERO);
            let remaining = deadline.saturating_duration_since(Instant::now());
            // librdkafka waits for reports to be read but does not read them: a short slice purges, then they are read here.
            let slice = if self.deliveries.pending() == 0 { remaining } else { remaining.min(SLICE) };
            match self.step(OPERATION, Step::Abort, slice.max(Duration::from_millis(1))) {
                Ok(()) => {
                    self.deliveries.reset();
                    return Ok(());
                }
                Err(NativeFailure { error, .. }) if error.is_retriable() && Instant::now() < deadline => {
                    self.serve(SLICE);
                }
                Err(failure) => return Err(failure.error),
            }
        }
    }

    fn connection_lost(&self) -> bool {
        self.native.as_ref().is_some_and(|native| native.client.context().connections().lost())
    }
}

impl KafkaProducer {
    /// Why librdkafka did not take a record.
    fn send_failed(&mut self, operation: &'static str, topic: &str, code: RDKafkaErrorCode) -> PortError {
        let deadline = Instant::now() + MAX_CAUSE_WAIT;
        loop {
            self.serve(Duration::ZERO);
            let Some(native) = &self.native else { return from_code(operation, topic, code) };
            if let Some(fatal) = fatal(operation, topic, &native.client) {
                return fatal;
            }
            if code != RDKafkaErrorCode::State {
                return from_code(operation, topic, code);
            }
            // The transaction failed by an earlier record, whose report says why.
            if self.deliveries.has_failed()
                && let Err(cause) = self.deliveries.delivered(&native.names)
            {
                return cause;
            }
            if self.deliveries.pending() == 0 || Instant::now() >= deadline {
                let detail = format!("{topic}: no transaction takes records now");
                return PortError::new(PortErrorClass::RequiresAbort, operation, detail);
            }
            self.serve(SLICE);
        }
    }
}

/// What ended a producer for good, if anything did.
fn fatal(operation: &'static str, resource: &str, client: &Client<ClientLog>) -> Option<PortError> {
    let (code, reason) = client.fatal_error()?;
    let class = match class_of(code) {
        PortErrorClass::FencedProducer => PortErrorClass::FencedProducer,
        _ => PortErrorClass::Fatal,
    };
    Some(PortError::new(class, operation, format!("{resource}: {reason} ({code})")))
}

impl Drop for KafkaProducer {
    fn drop(&mut self) {
        self.discard();
    }
}
