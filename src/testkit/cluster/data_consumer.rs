//! The `DataConsumer` port on the fake cluster: one queue a partition, filled by fetch responses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::FakeCluster;
use super::broker::Broker;
use super::faults::FaultKind;
use super::log::{Isolation, StoredRecord};
use super::refusal::Refusal;
use crate::ports::{DataConsumer, Fetched, InputMessage, PortError, PortErrorClass, Wake};
use crate::record::{Headers, Offset, Timestamp, TopicPartition};

/// Records of one fetch response for one partition, at most; a queue with as many is not filled further.
const FETCH_RECORDS: usize = 64;

const FETCH: &str = "fetch";

/// A fetched record.
#[derive(Clone, Debug)]
pub struct FakeMessage(Arc<StoredRecord>);

impl InputMessage for FakeMessage {
    fn offset(&self) -> Offset {
        self.0.offset
    }

    fn timestamp(&self) -> Timestamp {
        self.0.timestamp
    }

    fn key(&self) -> Option<&[u8]> {
        self.0.key.as_deref()
    }

    fn value(&self) -> Option<&[u8]> {
        self.0.value.as_deref()
    }

    fn headers(&self) -> Headers {
        self.0.headers.clone()
    }
}

/// One assigned partition.
struct Queue {
    position: i64,
    fetched: VecDeque<Fetched<FakeMessage>>,
    stable_end: Option<i64>,
    start: Option<Offset>,
    /// The end that was told last: each is told once.
    end_told: Option<i64>,
    /// Told once, as librdkafka does under `auto.offset.reset=error`; afterwards the queue stays silent.
    refusal: Option<Refusal>,
    silent: bool,
}

impl Queue {
    /// Takes one fetch response.
    fn fill(&mut self, broker: &mut Broker, partition: &TopicPartition) {
        if self.silent || self.fetched.len() >= FETCH_RECORDS || broker.dice.take(FaultKind::EmptyRead, &partition.to_string()) {
            return;
        }
        let most = if broker.dice.is_wild() { 1 + broker.dice.up_to(FETCH_RECORDS - 1) } else { FETCH_RECORDS };
        match broker.partition(partition).and_then(|log| log.read(self.position, most, Isolation::ReadCommitted)) {
            Ok(slice) => {
                self.fetched.extend(slice.records.into_iter().map(|record| Fetched::Message(FakeMessage(record))));
                self.position = slice.next;
                self.stable_end = Some(slice.stable_end);
                self.start = broker.partition(partition).ok().map(|log| log.bounds().start);
                if slice.at_end && self.end_told != Some(slice.next) {
                    self.end_told = Some(slice.next);
                    self.fetched.push_back(Fetched::End(Offset(slice.next)));
                }
            }
            Err(refusal) => {
                self.refusal = Some(refusal);
                self.silent = true;
            }
        }
    }
}

/// Reads assigned partitions under read_committed.
pub struct FakeDataConsumer {
    cluster: FakeCluster,
    assigned: BTreeMap<TopicPartition, Queue>,
    woken: Arc<AtomicBool>,
    broken: bool,
}

impl FakeDataConsumer {
    pub(super) fn new(cluster: FakeCluster) -> Self {
        FakeDataConsumer { cluster, assigned: BTreeMap::new(), woken: Arc::new(AtomicBool::new(false)), broken: false }
    }

    /// True when [`DataConsumer::wake`] was called since the last `wait`.
    pub fn is_woken(&self) -> bool {
        self.woken.load(Ordering::SeqCst)
    }

    fn whole(&mut self, operation: &'static str) -> Result<(), PortError> {
        self.broken |= self.cluster.lock().dice.take(FaultKind::ConsumerBroken, operation);
        if self.broken {
            return Err(PortError::new(PortErrorClass::Fatal, operation, "the data consumer is broken"));
        }
        Ok(())
    }
}

impl DataConsumer for FakeDataConsumer {
    type Message = FakeMessage;

    fn assign(&mut self, partitions: &[(TopicPartition, Offset)]) -> Result<(), PortError> {
        const ASSIGN: &str = "assign source partitions";
        self.whole(ASSIGN)?;
        if let Some((partition, _)) = partitions.iter().find(|(partition, _)| self.assigned.contains_key(partition)) {
            return Err(PortError::new(PortErrorClass::Fatal, ASSIGN, format!("{partition} is assigned already")));
        }
        self.assigned.extend(partitions.iter().map(|(partition, from)| {
            let queue = Queue {
                position: from.0,
                fetched: VecDeque::new(),
                stable_end: None,
                start: None,
                end_told: None,
                refusal: None,
                silent: false,
            };
            (partition.clone(), queue)
        }));
        Ok(())
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), PortError> {
        self.whole("unassign source partitions")?;
        partitions.iter().for_each(|partition| _ = self.assigned.remove(partition));
        Ok(())
    }

    fn fetch(&mut self, partition: &TopicPartition, max: usize, into: &mut VecDeque<Fetched<FakeMessage>>) -> Result<usize, PortError> {
        self.whole(FETCH)?;
        let Some(queue) = self.assigned.get_mut(partition) else {
            return Err(PortError::new(PortErrorClass::Fatal, FETCH, format!("{partition} is not assigned")));
        };
        let mut broker = self.cluster.lock();
        // A broker that does not answer is silence, not an error: what was fetched is there all the same.
        if broker.enter().is_ok() {
            queue.fill(&mut broker, partition);
        }
        let count = max.min(queue.fetched.len());
        into.extend(queue.fetched.drain(..count));
        match queue.refusal {
            Some(refusal) if count == 0 => {
                queue.refusal = None;
                Err(refusal.at(FETCH, format!("{partition} at {}", queue.position)))
            }
            _ => Ok(count),
        }
    }

    fn wait(&mut self, _timeout: Duration) -> Result<(), PortError> {
        self.woken.store(false, Ordering::SeqCst);
        self.whole("wait for records")
    }

    fn wake(&self) -> Wake {
        let woken = self.woken.clone();
        Arc::new(move || woken.store(true, Ordering::SeqCst))
    }

    fn cached_end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.assigned.get(partition)?.stable_end.map(Offset)
    }

    fn cached_start(&self, partition: &TopicPartition) -> Option<Offset> {
        self.assigned.get(partition)?.start
    }
}
