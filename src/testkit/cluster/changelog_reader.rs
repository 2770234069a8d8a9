//! The `ChangelogReader` port on the fake cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use super::FakeCluster;
use super::faults::FaultKind;
use super::log::Isolation;
use super::refusal::Refusal;
use crate::ports::{ChangelogReader, Chunk, EachRow, LogBounds, LogRecord, PortError, PortErrorClass, Reached};
use crate::record::{Offset, TopicPartition};

/// Records of one chunk, at most.
const CHUNK_RECORDS: usize = 64;

const OPEN: &str = "open a changelog";
const READ: &str = "read a changelog";

/// Reads committed records and the group's stable offsets.
pub struct FakeChangelogReader {
    cluster: FakeCluster,
    group: String,
    open: BTreeMap<TopicPartition, i64>,
}

impl FakeChangelogReader {
    pub(super) fn new(cluster: FakeCluster, group: &str) -> Self {
        FakeChangelogReader { cluster, group: group.into(), open: BTreeMap::new() }
    }
}

impl ChangelogReader for FakeChangelogReader {
    fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Offset>, PortError> {
        let mut broker = self.cluster.lock();
        let answer = broker.enter().and_then(|()| {
            if broker.dice.take(FaultKind::UnstableOffset, &partition.to_string()) {
                return Err(Refusal::UnstableOffset);
            }
            broker.group(&self.group).offsets.stable(partition)
        });
        answer.map_err(|refusal| refusal.at("read the committed offset", partition))
    }

    fn bounds(&mut self, partition: &TopicPartition) -> Result<LogBounds, PortError> {
        let mut broker = self.cluster.lock();
        let answer = broker.enter().and_then(|()| broker.delay(&partition.topic)).and_then(|()| broker.partition(partition));
        answer.map(|log| log.bounds()).map_err(|refusal| refusal.at("read the bounds of a log", partition))
    }

    fn open(&mut self, partition: &TopicPartition, from: Offset) -> Result<Offset, PortError> {
        let from = {
            let mut broker = self.cluster.lock();
            let log = broker.enter().and_then(|()| broker.delay(&partition.topic)).and_then(|()| broker.partition(partition));
            from.max(log.map_err(|refusal| refusal.at(OPEN, partition))?.bounds().start)
        };
        self.open_within(partition, from)?;
        Ok(from)
    }

    fn open_within(&mut self, partition: &TopicPartition, from: Offset) -> Result<(), PortError> {
        match self.open.insert(partition.clone(), from.0) {
            Some(_) => Err(PortError::new(PortErrorClass::Fatal, OPEN, format!("{partition} is open already"))),
            None => Ok(()),
        }
    }

    fn read(&mut self, partition: &TopicPartition, _wait: Duration) -> Result<Chunk, PortError> {
        let Some(position) = self.open.get_mut(partition) else {
            return Err(PortError::new(PortErrorClass::Fatal, READ, format!("{partition} is not open")));
        };
        let mut broker = self.cluster.lock();
        broker.enter().map_err(|refusal| refusal.at(READ, partition))?;
        if broker.dice.take(FaultKind::EmptyRead, &partition.to_string()) {
            return Ok(Chunk { records: Vec::new(), position: Offset(*position), at_end: false });
        }
        let most = if broker.dice.is_wild() { 1 + broker.dice.up_to(CHUNK_RECORDS - 1) } else { CHUNK_RECORDS };
        let slice = broker.partition(partition).and_then(|log| log.read(*position, most, Isolation::ReadCommitted));
        let slice = slice.map_err(|refusal| refusal.at(READ, format!("{partition} from {position}")))?;
        *position = slice.next;
        let records = slice.records.iter().map(|record| LogRecord {
            offset: record.offset,
            key: record.key.clone(),
            value: record.value.clone(),
            timestamp: record.timestamp,
            headers: record.headers.clone(),
        });
        Ok(Chunk { records: records.collect(), position: Offset(slice.next), at_end: slice.at_end })
    }

    fn read_rows(&mut self, partition: &TopicPartition, _max_bytes: usize, each: EachRow<'_>) -> Result<Reached, PortError> {
        let chunk = self.read(partition, Duration::ZERO)?;
        let mut bytes = 0;
        for record in &chunk.records {
            bytes += record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len);
            each(record.offset, record.key.as_deref(), record.value.as_deref());
        }
        Ok(Reached { position: chunk.position, at_end: chunk.at_end, records: chunk.records.len(), bytes })
    }

    /// No call waits here.
    fn wait(&mut self, _at_most: Duration) -> Result<(), PortError> {
        Ok(())
    }

    fn close(&mut self, partition: &TopicPartition) {
        self.open.remove(partition);
    }
}
