//! What a task's input makes, computed from the input alone: the state after each record, and all outputs in order.

use std::collections::BTreeMap;

use super::application::{Grouped, PARTITIONS, Running, by_group, forgets, group_of, is_poison, partition_of};
use crate::codec::{self, KeyCodec as _, StoreValue};
use crate::record::{Offset, Timestamp, TopicPartition};
use crate::state::Column;
use crate::task::TaskPlan;
use crate::testkit::cluster::{Look, StoredRecord};
use crate::topology::{Names, TaskId, Topology};

/// Rows as a database holds them, by column and key.
pub(super) type Rows = BTreeMap<(u16, Vec<u8>), Vec<u8>>;

/// A record of an output topic.
pub(super) type Line = (String, String);

/// The state of a task after so many records of its input.
#[derive(Clone, Default)]
pub(super) struct State {
    pub rows: Rows,
    pub stream_time: Option<Timestamp>,
    /// Of the first sub-topology.
    pub sums: BTreeMap<String, i64>,
    counts: BTreeMap<String, i64>,
    /// Of the second.
    pub totals: BTreeMap<String, i64>,
    /// How many records of each output there are by now.
    pub running: usize,
    pub letters: usize,
    pub routed: [usize; PARTITIONS as usize],
}

/// One task.
pub(super) struct Model {
    pub task: TaskId,
    pub plan: TaskPlan,
    pub input: TopicPartition,
    read_to: Offset,
    offsets: Vec<Offset>,
    /// The state after as many records as its index says.
    states: Vec<State>,
    pub running: Vec<Line>,
    /// The offset of each record at fault, as its dead letter tells it.
    pub letters: Vec<Line>,
    /// By partition of the repartition topic.
    pub routed: Vec<Vec<Line>>,
}

impl Model {
    pub(super) fn new(topology: &Topology, names: &Names, task: TaskId) -> Self {
        Self::of(TaskPlan::new(topology, names, &task, PARTITIONS).expect("the topology has this task"))
    }

    /// One that has read nothing.
    pub(super) fn anew(&self) -> Self {
        Self::of(self.plan.clone())
    }

    fn of(plan: TaskPlan) -> Self {
        Model {
            input: plan.sources[0].partition.clone(),
            task: plan.id.clone(),
            plan,
            read_to: Offset(0),
            offsets: Vec::new(),
            states: vec![State::default()],
            running: Vec::new(),
            letters: Vec::new(),
            routed: vec![Vec::new(); PARTITIONS as usize],
        }
    }

    /// Folds what is new in the input.
    pub(super) fn read(&mut self, look: &mut Look<'_>) {
        let input = self.input.clone();
        self.read_to = look.read(&input.topic, input.partition, self.read_to, |record| self.fold(record));
    }

    /// The state when this offset is the next one to be processed.
    pub(super) fn at(&self, next: Offset) -> &State {
        &self.states[self.offsets.partition_point(|offset| *offset < next)]
    }

    pub(super) fn last(&self) -> &State {
        &self.states[self.offsets.len()]
    }

    /// Whether a task can stand there: at the beginning, or after a record.
    pub(super) fn is_a_place(&self, next: Offset) -> bool {
        next == Offset(0) || self.offsets.binary_search(&Offset(next.0 - 1)).is_ok()
    }

    /// True when nothing of the input lies at or after this offset.
    pub(super) fn ends_at(&self, next: Offset) -> bool {
        self.offsets.last().is_none_or(|last| *last < next)
    }

    /// How many records of the input were read.
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    fn fold(&mut self, record: &StoredRecord) {
        let mut state = self.states[self.offsets.len()].clone();
        let (key, value) = (text(&record.key), text(&record.value));
        if *self.task.subtopology == *"numbers" {
            self.fold_number(&mut state, record, key, value.parse().expect("numbers are numbers"));
        } else {
            let (_, _, number): Grouped = serde_json::from_str(&value).expect("what was grouped is written by a processor");
            *state.totals.entry(key.clone()).or_default() += number;
            put(&mut state.rows, self.plan.stores[0].column, &key, state.totals.get(&key));
            state.stream_time = state.stream_time.max(Some(record.timestamp));
        }
        self.offsets.push(record.offset);
        self.states.push(state);
    }

    fn fold_number(&mut self, state: &mut State, record: &StoredRecord, key: String, number: i64) {
        if is_poison(number) {
            self.letters.push((String::new(), record.offset.0.to_string()));
            state.letters += 1;
            return;
        }
        let (sums, index) = (self.plan.stores[0].column, self.plan.stores[0].indexes[0]);
        if let Some(old) = state.sums.get(&key) {
            state.rows.remove(&(index.0, index_row(*old, &key)));
        }
        match forgets(number) {
            true => _ = state.sums.remove(&key),
            false => *state.sums.entry(key.clone()).or_default() += number,
        }
        if let Some(new) = state.sums.get(&key) {
            state.rows.insert((index.0, index_row(*new, &key)), Vec::new());
        }
        *state.counts.entry(key.clone()).or_default() += 1;
        let (sum, count) = (state.sums.get(&key).copied(), state.counts[&key]);
        put(&mut state.rows, sums, &key, sum.as_ref());
        put(&mut state.rows, self.plan.stores[1].column, &key, Some(&(count as u64)));
        for (what, value) in [("sum", sum.unwrap_or(0)), ("count", count)] {
            let output: Running = (record.offset.0, what.to_string(), value);
            self.running.push((key.clone(), serde_json::to_string(&output).expect("plain numbers")));
        }
        state.running = self.running.len();
        let group = group_of(&key);
        let (at, grouped): (_, Grouped) = (partition_of(&group) as usize, (self.task.partition, record.offset.0, number));
        self.routed[at].push((group, serde_json::to_string(&grouped).expect("plain numbers")));
        state.routed[at] = self.routed[at].len();
        state.stream_time = state.stream_time.max(Some(record.timestamp));
    }
}

fn put<V: StoreValue>(rows: &mut Rows, column: Column, key: &str, row: Option<&V>) {
    let key = (column.0, codec::encode_whole_key(&key.to_string()));
    match row {
        Some(row) => {
            let mut bytes = Vec::new();
            codec::encode_row(row, &mut bytes).expect("numbers can be written");
            rows.insert(key, bytes);
        }
        None => _ = rows.remove(&key),
    }
}

fn index_row(sum: i64, key: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    sum.encode_key(&mut bytes);
    key.to_string().encode_key(&mut bytes);
    bytes
}

pub(super) fn text(bytes: &Option<Vec<u8>>) -> String {
    String::from_utf8(bytes.clone().unwrap_or_default()).expect("all that is written is text")
}

/// All topics that the application reads and writes, but those of its state.
pub(super) fn data_topics(names: &Names) -> [String; 5] {
    let [numbers, letters, running, told] = ["numbers", "numbers-dlq", "running", "told"].map(String::from);
    [numbers, letters, running, told, by_group(names)]
}
