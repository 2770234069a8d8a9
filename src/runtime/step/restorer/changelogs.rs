//! Reading changelogs into a task's database.

use std::collections::VecDeque;

use super::{Failure, Half, Job, Opened, READ_WAIT, Stage, StateRestorer};
use crate::faults::{Sabotage, Sabotaged};
use crate::metrics::{Metrics, RestoreMeter};
use crate::ports::{ChangelogReader, LogRecord};
use crate::record::{Offset, TopicPartition};
use crate::runtime::step::RestoreError;
use crate::state::{Batch, Column, IndexDef, RowIndexer, StoreError, TaskDatabase, TaskPosition};
use crate::task::{PlannedStore, RebuildReason, TaskPlan};

/// Changelogs are read up to what a marker names.
pub(super) struct Restoring {
    half: Half,
    /// What the database will say of itself afterwards; `None`: it says so already.
    target: Option<TaskPosition>,
    /// What remains: the store, where to go on, and the last offset to apply.
    remaining: VecDeque<Remaining>,
    /// A changelog is open at the front of `remaining`.
    reading: bool,
    records: u64,
    meter: RestoreMeter,
}

pub(super) struct Remaining {
    store: PlannedStore,
    from: Offset,
    last: Offset,
    /// It was read from its beginning already because its end lay below the marker's offset.
    whole: bool,
    /// Derives the rows of those indexes that are whole; the others are made afterwards.
    indexer: Option<Box<dyn RowIndexer>>,
}

impl Remaining {
    /// What a store lacks that the marker names.
    pub(super) fn known(store: &PlannedStore, local: Option<&TaskPosition>, target: &crate::state::Marker) -> Option<Self> {
        let last = target.changelogs.get(&store.name).copied().flatten()?;
        let applied = local.and_then(|position| position.marker.changelogs.get(&store.name).copied().flatten());
        let from = applied.map_or(Offset(0), Offset::next);
        (from <= last).then(|| Remaining { store: store.clone(), from, last, whole: from == Offset(0), indexer: None })
    }

    /// The changelog, and the offset from which it is needed.
    pub(super) fn needs(&self) -> (&TopicPartition, Offset) {
        (&self.store.changelog, self.from)
    }

    /// All that a changelog holds.
    pub(super) fn whole(store: &PlannedStore, last: Offset) -> Self {
        Remaining { store: store.clone(), from: Offset(0), last, whole: true, indexer: None }
    }

    /// The rows of a chunk, and what they make of indexes. A key that comes more than once counts with its last row.
    fn batch(&mut self, records: &[LogRecord], database: &TaskDatabase) -> Result<Batch, StoreError> {
        let (mut batch, mut index_rows) = (Batch::default(), Batch::default());
        let column = self.store.column;
        let mut rows = indexmap::IndexMap::new();
        for record in records.iter().filter(|record| record.offset <= self.last) {
            rows.insert(record.key.as_deref().unwrap_or_default(), record.value.as_deref());
        }
        for (key, row) in rows {
            if let Some(indexer) = &mut self.indexer {
                let mut old = None;
                database.database().get(column, key, &mut |bytes| old = Some(bytes.to_vec()))?;
                indexer.delta(key, old.as_deref(), row, &mut index_rows)?;
            }
            match row {
                Some(row) => batch.put(column, key, row),
                None => batch.delete(column, key),
            }
        }
        batch.append(&index_rows);
        Ok(batch)
    }
}

impl Restoring {
    pub(super) fn new(
        plan: &TaskPlan,
        half: Half,
        target: Option<TaskPosition>,
        mut remaining: VecDeque<Remaining>,
        metrics: &Metrics,
    ) -> Result<Self, StoreError> {
        let left = remaining.iter().map(|part| (part.store.name.as_str(), part.last.0 + 1 - part.from.0));
        let meter = metrics.restore.begin(&plan.name(), left);
        for part in &mut remaining {
            let mut whole: Vec<(Column, &IndexDef)> = Vec::new();
            for (column, index) in plan.indexes_of(&part.store) {
                let name = plan.topology.store(part.store.id).index_column_name(index);
                if half.database().has_index(&name)? {
                    whole.push((column, index));
                }
            }
            part.indexer = (!whole.is_empty()).then(|| plan.indexer_of(&part.store, &whole));
        }
        Ok(Restoring { half, target, remaining, reading: false, records: 0, meter })
    }

    pub(super) fn is_done(&self) -> bool {
        self.remaining.is_empty()
    }

    pub(super) fn open_changelog(&self) -> Option<&TopicPartition> {
        self.remaining.front().filter(|_| self.reading).map(|remaining| &remaining.store.changelog)
    }
}

impl<R: ChangelogReader> StateRestorer<R> {
    /// Applies the next chunk of the changelog at the front.
    pub(super) fn restore_some(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let Stage::Restore(restoring) = &mut job.stage else { return Ok(None) };
        let Some(remaining) = restoring.remaining.front_mut() else { return Ok(None) };
        let changelog = remaining.store.changelog.clone();
        if !restoring.reading {
            self.reader.open(&changelog, remaining.from)?;
            restoring.reading = true;
        }
        let chunk = self.reader.read(&changelog, READ_WAIT)?;
        let database = restoring.half.database();
        let batch = remaining.batch(&chunk.records, database)?;
        if !batch.is_empty() {
            database.restore(&batch)?;
            crate::faults::point("restore-batch-applied");
            restoring.records += chunk.records.len() as u64;
            restoring.meter.applied(chunk.records.len(), batch.size_bytes());
        }
        restoring.meter.remaining(&remaining.store.name, remaining.last.0 + 1 - chunk.position.0);
        if chunk.position > remaining.last {
            self.reader.close(&changelog);
            restoring.reading = false;
            restoring.remaining.pop_front();
        } else if chunk.at_end {
            Self::below_target(&mut self.reader, restoring)?;
        }
        Ok(None)
    }

    /// The stable log ends before the offset that the marker names: an open transaction holds it back, or the log is torn.
    fn below_target(reader: &mut R, restoring: &mut Restoring) -> Result<(), Failure> {
        let Some(remaining) = restoring.remaining.front_mut() else { return Ok(()) };
        let changelog = remaining.store.changelog.clone();
        let mut bounds = reader.bounds(&changelog)?;
        if Sabotaged::from_environment().is(Sabotage::TakeStableEndForEnd) {
            bounds.end = bounds.stable_end;
        }
        if bounds.end > remaining.last {
            return Err(Failure::Later);
        }
        if remaining.whole {
            return Err(RestoreError::Torn { partition: changelog, wanted: remaining.last, end: bounds.end }.into());
        }
        tracing::error!(%changelog, wanted = %remaining.last, end = %bounds.end, "changelog ends before the marker's offset; read once more from its beginning");
        Err(Failure::Rebuild(RebuildReason::Torn))
    }

    /// All rows are here.
    pub(super) fn finish_restore(&mut self, job: &mut Job) -> Result<Option<Opened>, Failure> {
        let Stage::Restore(done) = std::mem::replace(&mut job.stage, Stage::Locate) else { return Ok(None) };
        let Restoring { mut half, target, records, meter, .. } = *done;
        if let Some(target) = target {
            crate::faults::point("restore-rows-whole");
            half.database().finish_restore(target)?;
            crate::faults::point("restore-position-written");
            half = self.switch_to_rebuilt(job, half)?;
            meter.done();
            tracing::info!(task = job.request.plan.name(), records, "task restored");
        }
        self.begin_index(job, half)
    }
}
