//! Runs a topology record by record, on the same task and store code as in production: no broker, no threads, no clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::codec::{self, KeyCodec, Prefix, StoreKey, StoreValue};
use crate::processor::{Emitted, ProcessorError};
use crate::record::{Data, Headers, Offset, Record, Timestamp, TopicName, TopicPartition};
use crate::state::{Column, Direction, KeyRange, MemoryDisk, StateDirectory, TaskDatabase, TaskPosition};
use crate::task::{InputRecord, Output, Processed, Replay, Task, TaskError, TaskPlan};
use crate::topology::{Index, Names, Sink, SinkCodecs, Store, TaskId, Topology, TopologyBuilder, TopologyErrors};

/// A topology with one partition a topic. Each piped record goes through the true codecs and is committed before `pipe` returns.
pub struct TopologyTestDriver {
    topology: Topology,
    names: Names,
    tasks: Vec<Task>,
    next: BTreeMap<TopicName, Offset>,
    /// All that sources have brought.
    log: Vec<(TopicName, Offset, Emitted)>,
    /// The ends of the topics' logs: also of what waits to be processed.
    ends: BTreeMap<TopicName, Offset>,
    outputs: HashMap<TopicName, Vec<Emitted>>,
    now: Timestamp,
    /// The end of the log that markers and changelog records would have.
    log_end: i64,
}

impl TopologyTestDriver {
    /// Builds the topology and its tasks; gives back what the function gave back.
    pub fn new<H>(topology: impl FnOnce(&mut TopologyBuilder) -> H) -> Result<(Self, H), TopologyErrors> {
        let mut builder = TopologyBuilder::new();
        let handles = topology(&mut builder);
        let topology = builder.build()?;
        let directory = StateDirectory::unlocked(Box::new(MemoryDisk::default()));
        let names = Names::new("test", "");
        let make_task = |name: &Arc<str>| {
            let plan = TaskPlan::new(&topology, &names, &TaskId { subtopology: name.clone(), partition: 0 }, 1)
                .expect("the sub-topology is one of this topology's")
                .with_partitions_of(|_| Some(1));
            let lease = directory.lease(&plan.name(), &plan.columns()).expect("memory does not fail").expect("each task is made once");
            let beginning = vec![Offset(0); plan.sources.len()];
            Task::new(Arc::new(plan), lease, beginning, Uuid::nil()).expect("processors can be initialised")
        };
        let tasks = topology.subtopologies().iter().map(|subtopology| make_task(&subtopology.name)).collect();
        let (next, ends, outputs) = Default::default();
        let driver = TopologyTestDriver { tasks, topology, names, next, log: Vec::new(), ends, outputs, now: Timestamp(0), log_end: 0 };
        Ok((driver, handles))
    }

    /// Gives a record to a source topic, at the driver's time. An error is what the poison policy would get; nothing of the record
    /// remains.
    pub fn pipe(&mut self, topic: &str, key: &str, value: &str) -> Result<(), ProcessorError> {
        self.pipe_bytes(topic, Some(key.as_bytes()), Some(value.as_bytes()), self.now)
    }

    /// Gives a record as bytes with its time.
    pub fn pipe_bytes(
        &mut self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: Timestamp,
    ) -> Result<(), ProcessorError> {
        let record = Emitted {
            topic: TopicName::Declared(topic.into()),
            partition: None,
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            timestamp,
            headers: Headers::default(),
            is_held: false,
        };
        self.append(&record);
        let mut waiting = VecDeque::from([record]);
        while let Some(record) = waiting.pop_front() {
            waiting.extend(self.process(record)?);
        }
        Ok(())
    }

    /// Moves the wall clock, and calls the punctuations that are due.
    pub fn advance_wall_clock(&mut self, by: Duration) -> Result<(), ProcessorError> {
        self.now = Timestamp(self.now.0 + by.as_millis() as i64);
        let now = self.now;
        for at in 0..self.tasks.len() {
            let mut outputs = Vec::new();
            let (_, mut faults) = self.tasks[at].punctuate(now, &mut outputs).map_err(store_error)?;
            let mut waiting = VecDeque::from(self.keep(outputs));
            waiting.extend(self.commit(at)?);
            while let Some(record) = waiting.pop_front() {
                waiting.extend(self.process(record)?);
            }
            if let Some(fault) = faults.pop() {
                return Err(fault);
            }
        }
        Ok(())
    }

    /// The committed row of a key.
    pub fn get<K: StoreKey, V: StoreValue, Of>(&self, store: Store<K, V, Of>, key: impl Into<K>) -> Option<V> {
        let (key_bytes, mut row) = (codec::encode_whole_key(&key.into()), None);
        let (task, column) = self.find(store.id);
        task.database().read(column, &key_bytes, &mut |bytes| row = Some(codec::decode_row::<V>(bytes))).expect("memory does not fail");
        row.map(|row| row.expect("the row was written with these types"))
    }

    /// All committed rows in key order.
    pub fn rows<K: StoreKey, V: StoreValue, Of>(&self, store: Store<K, V, Of>) -> Vec<(K, V)> {
        let (task, column) = self.find(store.id);
        rows_of(task.database(), column)
    }

    /// What a store would hold were it added to its task only now, and filled by a replay of the sources: the records that came so far,
    /// the oldest first, without outputs.
    pub fn replayed<K: StoreKey, V: StoreValue, Of>(&self, store: Store<K, V, Of>) -> Vec<(K, V)> {
        let (task, column) = self.find(store.id);
        let plan = task.plan();
        let directory = StateDirectory::unlocked(Box::new(MemoryDisk::default()));
        let lease = directory.lease(&plan.name(), &plan.columns()).expect("memory does not fail").expect("the directory is new");
        let beginning = vec![Offset(0); plan.sources.len()];
        let mut replay = Replay::new(plan.clone(), lease, beginning).expect("processors can be initialised");
        let mut sources: Vec<VecDeque<&(TopicName, Offset, Emitted)>> = plan.source_partitions().map(|_| VecDeque::new()).collect();
        for entry in &self.log {
            let full = self.names.full(&entry.0);
            let of = plan.sources.iter().position(|source| *source.partition.topic == *full);
            of.into_iter().for_each(|source| sources[source].push_back(entry));
        }
        let oldest = |sources: &[VecDeque<&(TopicName, Offset, Emitted)>]| {
            let heads = sources.iter().enumerate().filter_map(|(at, source)| Some((source.front()?.2.timestamp, at)));
            heads.min().map(|(_, at)| at)
        };
        while let Some(at) = oldest(&sources) {
            let Some((_, offset, record)) = sources[at].pop_front() else { break };
            replay.process(at, input(record, *offset)).expect("memory does not fail");
        }
        rows_of(&replay.finish().expect("memory does not fail"), column)
    }

    /// The committed rows that an index finds by a prefix, in its order.
    pub fn scan<I: KeyCodec, K: StoreKey, V: StoreValue>(&self, index: Index<I, K, V>, prefix: impl Prefix<I>) -> Vec<(K, V)> {
        let (task, column) = self.find(index.store);
        let planned = task.plan().stores.iter().find(|planned| planned.id == index.store).expect("found above");
        let snapshot = task.database().database().snapshot();
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let mut visit = |index_row: &[u8], _: &[u8]| {
            let mut rest = index_row;
            I::decode_key(&mut rest).expect("the index was written with these types");
            keys.push(rest.to_vec());
            true
        };
        let range = KeyRange::prefix(&prefix);
        snapshot.scan(planned.indexes[index.at], &range, Direction::Forward, &mut visit).expect("memory does not fail");
        let row = |key: Vec<u8>| {
            let mut row = None;
            let found =
                snapshot.get(column, &key, &mut |bytes| row = Some(codec::decode_row::<V>(bytes).expect("written with these types")));
            assert!(found.expect("memory does not fail"), "an index row has a row");
            (codec::decode_whole_key::<K>(&key).expect("written with these types"), row.expect("the row was found"))
        };
        keys.into_iter().map(row).collect()
    }

    /// Takes what a sink has written since the last call.
    pub fn read<K: Data, V: Data>(&mut self, sink: Sink<K, V>) -> Result<Vec<Record<K, V>>, codec::CodecError> {
        let node = &self.topology.parts().nodes[sink.sink];
        let codecs = node.codecs.as_ref().and_then(|codecs| codecs.downcast_ref::<SinkCodecs<K, V>>());
        let codecs = codecs.expect("a Sink carries the types it was declared with");
        let crate::topology::NodeKind::Sink(topic) = &node.kind else { return Ok(Vec::new()) };
        self.outputs
            .remove(topic)
            .unwrap_or_default()
            .into_iter()
            .map(|output| {
                let (key, value) = (codecs.key.decode(output.key.as_deref())?, codecs.value.decode(output.value.as_deref())?);
                Ok(Record { key, value, timestamp: output.timestamp, headers: output.headers })
            })
            .collect()
    }

    /// What runs, as text.
    pub fn describe(&self) -> String {
        self.topology.describe()
    }

    /// Processes a record in each task that reads its topic; answers outputs that are input of this topology.
    fn process(&mut self, record: Emitted) -> Result<Vec<Emitted>, ProcessorError> {
        let offset = *self.next.entry(record.topic.clone()).or_default();
        let mut read_again = Vec::new();
        for at in 0..self.tasks.len() {
            let full = self.names.full(&record.topic);
            let sources = &self.tasks[at].plan().sources;
            let Some(source) = sources.iter().position(|source| *source.partition.topic == *full) else { continue };
            let mut outputs = Vec::new();
            match self.tasks[at].process(source, input(&record, offset), &mut outputs).map_err(store_error)? {
                Processed::Poisoned(error) => return Err(error),
                Processed::Done => read_again.extend(self.keep(outputs)),
            }
            read_again.extend(self.commit(at)?);
        }
        self.next.insert(record.topic.clone(), offset.next());
        self.log.push((record.topic.clone(), offset, record));
        Ok(read_again)
    }

    /// A record comes to the end of its topic.
    fn append(&mut self, record: &Emitted) {
        let end = self.ends.entry(record.topic.clone()).or_default();
        *end = end.next();
    }

    fn keep(&mut self, outputs: Vec<Output>) -> Vec<Emitted> {
        outputs.iter().for_each(|Output(output)| self.append(output));
        let sources: Vec<&TopicName> = self.topology.subtopologies().iter().flat_map(|s| s.topics.iter().map(|(topic, _)| topic)).collect();
        let (read_here, written): (Vec<Emitted>, Vec<Emitted>) =
            outputs.into_iter().map(|Output(output)| output).partition(|output| sources.contains(&&output.topic));
        for output in written.into_iter().chain(read_here.iter().cloned()) {
            self.outputs.entry(output.topic.clone()).or_default().push(output);
        }
        read_here
    }

    /// Answers held records that are input of this topology.
    fn commit(&mut self, at: usize) -> Result<Vec<Emitted>, ProcessorError> {
        let task = &mut self.tasks[at];
        let Some(mut prepared) = task.prepare().map_err(store_error)? else { return Ok(Vec::new()) };
        let mut delivered = HashMap::new();
        for (topic, end) in &self.ends {
            delivered.insert(TopicPartition::new(self.names.full(topic), 0), Offset(end.0 - 1));
        }
        for store in &task.plan().stores {
            let changed = prepared.batch.iter().filter(|entry| entry.column == store.column).count() as i64;
            self.log_end += changed;
            if changed > 0 {
                delivered.insert(store.changelog.clone(), Offset(self.log_end));
            }
        }
        self.log_end += 1;
        let marker = task.next_marker(&delivered);
        let mut held = std::mem::take(&mut prepared.held);
        let position = task.position_header(&delivered);
        held.iter_mut().for_each(|record| record.tell(&position));
        let position = TaskPosition { marker, marker_offset: Offset(self.log_end), applied_at: self.now };
        task.apply(prepared, position).map_err(store_error)?;
        Ok(self.keep(held.into_iter().map(Output).collect()))
    }

    fn find(&self, store: crate::processor::StoreId) -> (&Task, Column) {
        let of = |task: &Task| task.plan().stores.iter().find(|planned| planned.id == store).map(|planned| planned.column);
        self.tasks.iter().find_map(|task| Some((task, of(task)?))).expect("the store is one of this topology's")
    }
}

fn input(record: &Emitted, offset: Offset) -> InputRecord<'_> {
    InputRecord {
        offset,
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: record.headers.clone(),
    }
}

fn rows_of<K: StoreKey, V: StoreValue>(database: &TaskDatabase, column: Column) -> Vec<(K, V)> {
    let mut rows = Vec::new();
    let mut visit = |key: &[u8], row: &[u8]| {
        let key = codec::decode_whole_key::<K>(key).expect("the key was written with these types");
        rows.push((key, codec::decode_row::<V>(row).expect("the row was written with these types")));
        true
    };
    database.database().snapshot().scan(column, &KeyRange::all(), Direction::Forward, &mut visit).expect("memory does not fail");
    rows
}

/// What cannot happen to a record: memory failed, or a processor's `init` did.
fn store_error(error: TaskError) -> ProcessorError {
    match error {
        TaskError::Store(error) => ProcessorError::Store(error),
        other => ProcessorError::Panicked(other.to_string()),
    }
}
