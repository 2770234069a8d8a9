//! An active task: processes records one by one, each all or nothing, and prepares what a commit consists of.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use uuid::Uuid;

use super::outgoing::Outgoing;
use super::punctuation::Schedule;
use super::records::{Counts, Dropped, InputRecord, MAX_RECORD_BYTES, OutputBuffer, Prepared, Processed, size_bytes};
use super::{Fill, LogTail, TaskError, TaskPlan};
use crate::faults::{Sabotage, Sabotaged};
use crate::metrics::StoreTally;
use crate::processor::{Emitted, ErasedNode, ProcessResult, ProcessorError, PunctuationId, PunctuationType, RecordContext, SourceRecord};
use crate::record::{Offset, Timestamp};
use crate::state::{Batch, ErasedStore, TaskLease, TaskPosition};

/// An active task.
pub struct Task {
    pub(super) plan: Arc<TaskPlan>,
    pub(super) lease: TaskLease,
    /// By the topology's node index; `None` for nodes of other sub-topologies, and for one that is running.
    pub(super) nodes: Vec<Option<Box<dyn ErasedNode>>>,
    /// By the topology's store index.
    pub(super) stores: Vec<Option<Box<dyn ErasedStore>>>,
    schedules: Vec<Schedule>,
    pub(super) record: Option<RecordContext>,
    pub(super) stream_time: Option<Timestamp>,
    pub(super) emitted: Vec<Emitted>,
    /// What the records of this commit gave out.
    pub(super) outgoing: Outgoing,
    /// What processors counted in the current record.
    pub(super) record_counts: Vec<&'static str>,
    counts: Counts,
    /// A processor failed, whatever the one before it made of that.
    pub(super) failed: bool,
    /// The next offset of each source partition.
    pub(super) next: Vec<Offset>,
    /// Something moved since the last commit.
    pub(super) moved: bool,
    pub(super) lineage: Uuid,
    pub(super) committed: Option<TaskPosition>,
    /// Where to begin when nothing was ever committed.
    beginning: Vec<Offset>,
    /// Set after a commit failed because of a row too large: from then on the rows of each record are measured.
    pub(super) measures_rows: bool,
    /// Stores that were added to the task and are not whole yet; it processes nothing meanwhile.
    pub(super) fill: Option<Fill>,
    /// It processes records once more, for stores that are new.
    pub(super) is_replay: bool,
    pub(super) sabotaged: Sabotaged,
    /// What stands behind the last marker; nothing under transactions.
    pub(super) tail: LogTail,
}

impl Task {
    /// Makes a task on its database, which holds the state of the last commit. `next` has the next offset of each source
    /// partition; `lineage` is used if the task never committed.
    pub fn new(plan: Arc<TaskPlan>, lease: TaskLease, next: Vec<Offset>, lineage: Uuid) -> Result<Self, TaskError> {
        let parts = plan.topology.parts();
        let committed = lease.database().position();
        let mut stores: Vec<Option<Box<dyn ErasedStore>>> = parts.stores.iter().map(|_| None).collect();
        for store in &plan.stores {
            let types = &plan.topology.store(store.id).types;
            stores[store.id.0] = Some(types.make(&store.name, store.column, &plan.indexes_of(store), lease.database().clone()));
        }
        let mut task = Task {
            lineage: committed.as_ref().map_or(lineage, |position| position.marker.lineage),
            stream_time: committed.as_ref().and_then(|position| position.marker.stream_time),
            beginning: next.clone(),
            nodes: Vec::new(),
            schedules: Vec::new(),
            record: None,
            emitted: Vec::new(),
            outgoing: Outgoing::default(),
            record_counts: Vec::new(),
            counts: Counts::default(),
            failed: false,
            moved: false,
            measures_rows: false,
            fill: None,
            is_replay: false,
            sabotaged: Sabotaged::default(),
            tail: LogTail::default(),
            committed,
            stores,
            next,
            lease,
            plan,
        };
        task.make_nodes()?;
        Ok(task)
    }

    /// What it consists of.
    pub fn plan(&self) -> &Arc<TaskPlan> {
        &self.plan
    }

    /// Its database, for readers.
    pub fn database(&self) -> &Arc<crate::state::TaskDatabase> {
        self.lease.database()
    }

    /// The next offset of each source partition, in the plan's order.
    pub fn next_offsets(&self) -> &[Offset] {
        &self.next
    }

    /// The position of the last commit.
    pub fn committed(&self) -> Option<&TaskPosition> {
        self.committed.as_ref()
    }

    /// True when a commit would move it.
    pub fn has_moved(&self) -> bool {
        self.moved
    }

    /// How many rows wait for the commit; held records count too.
    pub fn dirty_rows(&self) -> usize {
        let filled = self.fill.as_ref().map_or(0, |fill| fill.rows().len());
        self.stores.iter().flatten().map(|store| store.dirty_rows()).sum::<usize>() + filled + self.outgoing.held_rows()
    }

    /// Processes a record of the source partition at this index of the plan, all or nothing. Its outputs are appended.
    pub fn process(&mut self, source: usize, input: InputRecord<'_>, outputs: &mut OutputBuffer) -> Result<Processed, TaskError> {
        let time_before = self.stream_time;
        self.enter(source, &input);
        let result = match self.plan.sources[source].misplaced(input.key) {
            Some(error) => Err(error),
            None => {
                let node = self.plan.source_node(source);
                let InputRecord { key, value, timestamp, headers, .. } = input;
                self.run(|task| node.dispatch(task, SourceRecord { key, value, timestamp, headers }))
            }
        };
        self.settle_record(result, time_before, outputs).map(|processed| {
            if matches!(processed, Processed::Done) {
                (self.next[source], self.moved) = (input.offset.next(), true);
            }
            processed
        })
    }

    /// Moves past a record without processing it: the poison policy said so, and what becomes of the record.
    pub fn pass(&mut self, source: usize, offset: Offset, dropped: Dropped) {
        (self.next[source], self.moved) = (offset.next(), true);
        *self.counts.dropped.entry(dropped).or_default() += 1;
    }

    /// Calls the processors whose time has come, each all or nothing; answers whether any was called. One that fails is logged by
    /// the caller and called again at its next time.
    pub fn punctuate(&mut self, wall_clock: Timestamp, outputs: &mut OutputBuffer) -> Result<(usize, Vec<ProcessorError>), TaskError> {
        let (mut calls, mut faults) = (0, Vec::new());
        for at in 0..self.schedules.len() {
            let schedule = &mut self.schedules[at];
            let now = match schedule.kind {
                PunctuationType::WallClockTime => Some(wall_clock),
                PunctuationType::StreamTime => self.stream_time,
            };
            let Some(now) = now.filter(|now| schedule.take_due(*now)) else { continue };
            let (node, id) = (schedule.node, schedule.id);
            self.record = None;
            let result = self.run(|task| task.punctuate_node(node, id, now));
            let schedules = self.schedules.clone();
            if let Processed::Poisoned(error) = self.settle_record(result, self.stream_time, outputs)? {
                // The processors were made anew; the times asked for stay.
                self.schedules = schedules;
                faults.push(error);
            }
            calls += 1;
            self.moved = true;
        }
        Ok((calls, faults))
    }

    /// The rows of the next commit; `None` when nothing moved.
    pub fn prepare(&mut self) -> Result<Option<Prepared>, TaskError> {
        if !self.moved && !self.must_announce() {
            return Ok(None);
        }
        let mut batch = Batch::default();
        for store in self.stores.iter().flatten() {
            store.collect(&mut batch)?;
        }
        if let Some(fill) = &self.fill {
            batch.append(fill.rows());
        }
        self.tail.write_again(self.lease.database(), &mut batch)?;
        let changelog_rows = batch.len();
        if let Some(fill) = &self.fill {
            batch.append(fill.index_rows());
        }
        for store in self.stores.iter_mut().flatten().filter(|_| !self.sabotaged.is(Sabotage::ForgetIndexes)) {
            store.collect_indexes(&mut batch)?;
        }
        Ok(Some(Prepared { batch, changelog_rows, held: self.outgoing.take_held() }))
    }

    /// Kafka has committed: rows and position go into the database, all or nothing.
    pub fn apply(&mut self, prepared: Prepared, position: TaskPosition) -> Result<(), TaskError> {
        self.lease.database().apply(prepared.batch, position.clone())?;
        self.stores.iter_mut().flatten().for_each(|store| store.settle());
        if self.fill.as_mut().is_some_and(Fill::settle) {
            tracing::info!(task = self.plan.name(), "added stores are filled");
            self.fill = None;
        }
        self.tail.applied(&position);
        self.outgoing.clear();
        self.committed = Some(position);
        self.moved = false;
        Ok(())
    }

    /// What was counted in committed records since the last call.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// What was done with each store, by its place in the plan, since the last call.
    pub fn take_store_tallies(&mut self) -> impl Iterator<Item = (usize, StoreTally)> + '_ {
        let Task { plan, stores, .. } = self;
        plan.stores.iter().enumerate().filter_map(|(at, planned)| Some((at, stores[planned.id.0].as_mut()?.take_tally())))
    }

    /// Goes back to the last commit: everything since is forgotten, the processors are made anew.
    pub fn abort(&mut self) -> Result<(), TaskError> {
        self.stores.iter_mut().flatten().for_each(|store| store.discard());
        if let Some(fill) = &mut self.fill {
            fill.discard();
        }
        self.emitted.clear();
        self.outgoing.clear();
        self.record_counts.clear();
        self.counts = Counts::default();
        self.moved = false;
        let marker = self.committed.as_ref().map(|position| &position.marker);
        if !self.sabotaged.is(Sabotage::KeepStreamTimeOnAbort) {
            self.stream_time = marker.and_then(|marker| marker.stream_time);
        }
        for (at, source) in self.plan.sources.iter().enumerate() {
            let committed = marker.and_then(|marker| marker.sources.get(&source.partition).copied());
            self.next[at] = committed.unwrap_or(self.beginning[at]);
        }
        self.make_nodes()
    }

    /// From now on a rule is broken on purpose, if the tests say so.
    pub(crate) fn sabotage(&mut self, sabotaged: Sabotaged) {
        self.sabotaged = sabotaged;
    }

    /// A fault on purpose: rows of an aborted transaction survive as if they had been committed.
    pub(crate) fn sabotage_keep_rows(&mut self) {
        self.stores.iter_mut().flatten().for_each(|store| {
            let mut batch = Batch::default();
            let _ = store.collect(&mut batch);
            let _ = self.lease.database().database().write(&batch);
        });
    }

    /// From now on the rows of each record are measured, so that the record which makes one too large is at fault, and not the
    /// commit. It costs an encoding of each row, so it is not done before it was needed once.
    pub fn measure_rows(&mut self) {
        self.measures_rows = true;
    }

    fn enter(&mut self, source: usize, input: &InputRecord<'_>) {
        let partition = &self.plan.sources[source].partition;
        match &mut self.record {
            Some(record) if Arc::ptr_eq(&record.topic, &partition.topic) => {
                record.offset = input.offset;
                record.timestamp = input.timestamp;
                record.headers = input.headers.clone();
            }
            record => {
                *record = Some(RecordContext {
                    topic: partition.topic.clone(),
                    partition: partition.partition,
                    offset: input.offset,
                    timestamp: input.timestamp,
                    headers: input.headers.clone(),
                });
            }
        }
        self.stream_time = self.stream_time.max(Some(input.timestamp));
    }

    /// Runs user code; a panic is an answer like any other.
    fn run(&mut self, work: impl FnOnce(&mut Task) -> ProcessResult) -> ProcessResult {
        self.failed = false;
        let result = catch_unwind(AssertUnwindSafe(|| work(self))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
            Err(ProcessorError::Panicked(text.unwrap_or_else(|| "without a message".to_string())))
        });
        if self.failed && result.is_ok() {
            return Err(ProcessorError::rejected("a processor failed, and the one that forwarded to it ignored that"));
        }
        result?;
        if self.measures_rows {
            self.stores.iter().flatten().try_for_each(|store| store.check_record(MAX_RECORD_BYTES))?;
        }
        match self.emitted.iter().map(size_bytes).find(|bytes| *bytes > MAX_RECORD_BYTES) {
            Some(bytes) => Err(ProcessorError::rejected(format!("an output has {bytes} bytes, the most is {MAX_RECORD_BYTES}"))),
            None => Ok(()),
        }
    }

    fn settle_record(
        &mut self,
        result: ProcessResult,
        time_before: Option<Timestamp>,
        outputs: &mut OutputBuffer,
    ) -> Result<Processed, TaskError> {
        match result {
            Ok(()) => {
                self.stores.iter_mut().flatten().for_each(|store| store.keep_record());
                self.give_out(outputs);
                self.record_counts.drain(..).for_each(|what| *self.counts.events.entry(what).or_default() += 1);
                Ok(Processed::Done)
            }
            Err(error) => {
                if !self.sabotaged.is(Sabotage::KeepRowsOfPoison) {
                    self.stores.iter_mut().flatten().for_each(|store| store.undo_record());
                }
                if self.sabotaged.is(Sabotage::KeepOutputsOfPoison) {
                    self.give_out(outputs);
                }
                self.emitted.clear();
                self.record_counts.clear();
                self.stream_time = time_before;
                self.make_nodes()?;
                match error {
                    ProcessorError::Store(error) => Err(TaskError::Store(error)),
                    error => Ok(Processed::Poisoned(error)),
                }
            }
        }
    }

    /// Makes all processors from their suppliers: their fields are not undone with a record, so they are not kept after a failure.
    fn make_nodes(&mut self) -> Result<(), TaskError> {
        let plan = self.plan.clone();
        let parts = plan.topology.parts();
        self.nodes.iter_mut().flatten().for_each(|node| node.close());
        self.nodes = parts.nodes.iter().map(|_| None).collect();
        self.schedules.clear();
        for at in &plan.nodes {
            let definition = &parts.nodes[*at];
            let failed = |detail: String| TaskError::Init { node: definition.name.clone(), detail };
            let mut node = definition.make().map_err(failed)?;
            self.record = None;
            self.run(|task| node.init(task)).map_err(|error| match error {
                ProcessorError::Store(error) => TaskError::Store(error),
                error => failed(error.to_string()),
            })?;
            self.nodes[*at] = Some(node);
            let punctuations = definition.uses.punctuations.iter().enumerate();
            self.schedules.extend(punctuations.map(|(id, (interval, kind))| Schedule::new(*at, PunctuationId(id), *interval, *kind)));
        }
        self.stores.iter_mut().flatten().for_each(|store| store.keep_record());
        Ok(())
    }

    fn punctuate_node(&mut self, at: usize, id: PunctuationId, time: Timestamp) -> ProcessResult {
        let mut node = self.nodes[at].take().expect("a punctuation runs while no node does");
        let result = node.punctuate(self, id, time);
        self.nodes[at] = Some(node);
        result
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.nodes.iter_mut().flatten().for_each(|node| node.close());
    }
}
