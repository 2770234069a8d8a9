//! What a store lacks of its changelog, and the rows of it that were read and not written yet.

use crate::ports::Reached;
use crate::record::{Offset, TopicPartition};
use crate::state::{Batch, Column, IndexDef, Marker, RestoreProgress, RowIndexer, RowTable, StoreError, TaskDatabase, TaskPosition};
use crate::task::{IndexLoad, PlannedStore, TaskPlan};

/// How rows are written.
enum Way {
    /// With each chunk that is read, together with the rows of those indexes that are whole; the others are made afterwards.
    Batches(Option<Box<dyn RowIndexer>>),
    /// Collected in memory, each key once, then loaded as a file, together with the rows of the indexes that follow it; without them
    /// indexes are made afterwards. For a database without a position.
    Loads(Option<IndexLoad>),
}

/// A changelog that is read up to what a marker names.
pub(super) struct Remaining {
    pub(super) store: PlannedStore,
    /// Where to go on reading.
    pub(super) position: Offset,
    /// The last offset to apply.
    pub(super) last: Offset,
    /// It is read from its beginning.
    pub(super) whole: bool,
    pub(super) is_open: bool,
    /// Rows of an earlier time must go first: the local position does not name the store, so nobody knows how far they reach.
    has_strangers: bool,
    way: Way,
    rows: RowTable,
}

impl Remaining {
    /// What a store lacks that the marker names.
    pub(super) fn known(
        store: &PlannedStore,
        local: Option<&TaskPosition>,
        begun: Option<&RestoreProgress>,
        target: &Marker,
    ) -> Option<Self> {
        let last = target.changelogs.get(&store.name).copied().flatten()?;
        let named = local.map(|position| position.marker.changelogs.get(&store.name));
        let applied = named.flatten().copied().flatten().map_or(Offset(0), Offset::next);
        let begun = begun.and_then(|progress| progress.next.get(&store.name)).copied();
        let mut remaining = Self::from(store, applied.max(begun.unwrap_or_default()), last, local.is_some());
        remaining.has_strangers = named == Some(None) && begun.is_none();
        (remaining.position <= last).then_some(remaining)
    }

    /// All that a changelog holds.
    pub(super) fn whole(store: &PlannedStore, last: Offset, local: Option<&TaskPosition>) -> Self {
        Self::from(store, Offset(0), last, local.is_some())
    }

    fn from(store: &PlannedStore, position: Offset, last: Offset, has_position: bool) -> Self {
        let way = if has_position { Way::Batches(None) } else { Way::Loads(None) };
        let whole = position == Offset(0);
        Remaining { store: store.clone(), position, last, whole, is_open: false, has_strangers: false, way, rows: RowTable::default() }
    }

    /// Finds out which of the store's indexes must follow its rows. An empty database is one that no restore has left rows in.
    pub(super) fn prepare(&mut self, plan: &TaskPlan, database: &TaskDatabase, is_empty: bool) -> Result<(), StoreError> {
        let indexer = match &mut self.way {
            Way::Batches(indexer) => indexer,
            Way::Loads(indexes) => {
                *indexes = if is_empty { IndexLoad::new(plan, &self.store, database)? } else { None };
                return Ok(());
            }
        };
        if self.has_strangers {
            let others = plan.stores.iter().filter(|store| store.name != self.store.name);
            let names = others.flat_map(|store| plan.indexes_of(store).into_iter().map(|(_, index)| (store.id, index)));
            let kept: Vec<String> = names.map(|(id, index)| plan.topology.store(id).index_column_name(index)).collect();
            database.forget_other_indexes(&kept)?;
            database.database().clear(self.store.column)?;
        }
        let mut whole: Vec<(Column, &IndexDef)> = Vec::new();
        for (column, index) in plan.indexes_of(&self.store) {
            if database.has_index(&plan.topology.store(self.store.id).index_column_name(index))? {
                whole.push((column, index));
            }
        }
        *indexer = (!whole.is_empty()).then(|| plan.indexer_of(&self.store, &whole));
        Ok(())
    }

    /// The changelog, and the offset from which it is needed.
    pub(super) fn needs(&self) -> (&TopicPartition, Offset) {
        (self.changelog(), self.position)
    }

    pub(super) fn changelog(&self) -> &TopicPartition {
        &self.store.changelog
    }

    /// Offsets that are left.
    pub(super) fn left(&self) -> i64 {
        (self.last.0 + 1 - self.position.0).max(0)
    }

    /// All of it was read.
    pub(super) fn is_read(&self) -> bool {
        self.position > self.last
    }

    /// Takes a record of the changelog.
    pub(super) fn take(&mut self, offset: Offset, key: Option<&[u8]>, value: Option<&[u8]>) {
        if offset <= self.last {
            self.rows.put(key.unwrap_or_default(), value);
        }
    }

    pub(super) fn reached(&mut self, reached: &Reached) {
        self.position = self.position.max(reached.position);
    }

    /// Memory of rows that are not written.
    pub(super) fn size_bytes(&self) -> usize {
        self.rows.size_bytes()
    }

    /// True when its rows may be collected further.
    pub(super) fn collects(&self) -> bool {
        matches!(self.way, Way::Loads(_)) && !self.is_read()
    }

    /// True when its rows must be written now.
    pub(super) fn must_be_written(&self) -> bool {
        !self.collects() && (self.is_read() || self.size_bytes() > 0)
    }

    /// Writes what was collected, and how far it reaches.
    pub(super) fn write(&mut self, database: &TaskDatabase, progress: &mut RestoreProgress) -> Result<(), StoreError> {
        // What was read beyond the target was left out.
        progress.next.insert(self.store.name.clone(), self.position.min(self.last.next()));
        match &mut self.way {
            Way::Loads(indexes) => {
                let rows = self.rows.sorted();
                if let Some(indexes) = indexes {
                    indexes.follow(&rows, database)?;
                }
                database.load(self.store.column, &rows, progress)?;
                if let Some(indexes) = indexes.as_ref().filter(|_| self.position > self.last) {
                    indexes.finish(database)?;
                    tracing::info!(changelog = %self.store.changelog, indexes = ?indexes.names(), "indexes are whole");
                }
            }
            Way::Batches(indexer) => database.restore(batch(self.store.column, &self.rows, indexer, database)?, progress)?,
        }
        self.rows.clear();
        Ok(())
    }
}

/// Rows, and what they make of indexes.
fn batch(column: Column, rows: &RowTable, indexer: &mut Option<Box<dyn RowIndexer>>, database: &TaskDatabase) -> Result<Batch, StoreError> {
    let rows = rows.sorted();
    let mut batch = Batch::of_rows(column, &rows);
    let Some(indexer) = indexer else { return Ok(batch) };
    for (key, row) in rows {
        let mut old = None;
        database.database().get(column, key, &mut |bytes| old = Some(bytes.to_vec()))?;
        indexer.delta(key, old.as_deref(), row, &mut batch)?;
    }
    Ok(batch)
}
