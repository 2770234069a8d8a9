//! Making a store's indexes from its rows: when they are new, and after rows were restored that no index followed.

use std::collections::{BTreeMap, VecDeque};

use super::TaskPlan;
use crate::state::{Batch, Column, Direction, IndexDef, KeyRange, LoadRow, RowIndexer, StoreError, TaskDatabase};

/// Rows that one step reads.
const STEP_ROWS: usize = 5_000;

/// So many bytes of index rows are collected and loaded at once; few in tests, so that there are several loads.
pub(super) const LOAD_BYTES: usize = if cfg!(test) { 1 << 8 } else { 16 << 20 };

/// The indexes of one store that are not whole yet.
pub struct IndexBuild {
    /// Their names and columns.
    indexes: Vec<(String, Column)>,
    store: Column,
    indexer: Box<dyn RowIndexer>,
    range: KeyRange,
    begun: bool,
    /// Index rows that are not written yet.
    collected: Batch,
}

impl IndexBuild {
    /// The indexes of a task that its database does not hold whole. What it says of indexes that the task does not have any more is
    /// forgotten: they are not kept up to date.
    pub fn pending(plan: &TaskPlan, database: &TaskDatabase) -> Result<VecDeque<IndexBuild>, StoreError> {
        let mut known = Vec::new();
        let mut pending = VecDeque::new();
        for store in &plan.stores {
            let mut missing: Vec<(Column, &IndexDef)> = Vec::new();
            let mut indexes = Vec::new();
            for (column, definition) in plan.indexes_of(store) {
                let name = plan.topology.store(store.id).index_column_name(definition);
                known.push(name.clone());
                if !database.has_index(&name)? {
                    missing.push((column, definition));
                    indexes.push((name, column));
                }
            }
            if !missing.is_empty() {
                pending.push_back(IndexBuild {
                    indexer: plan.indexer_of(store, &missing),
                    store: store.column,
                    range: KeyRange::all(),
                    begun: false,
                    collected: Batch::default(),
                    indexes,
                });
            }
        }
        database.forget_other_indexes(&known)?;
        Ok(pending)
    }

    /// It has read rows and holds what it made of them.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Their names, for the log.
    pub fn names(&self) -> Vec<&str> {
        self.indexes.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Indexes the next rows; true when all is whole.
    pub fn step(&mut self, database: &TaskDatabase) -> Result<bool, StoreError> {
        if !self.begun {
            self.indexes.iter().try_for_each(|(_, column)| database.database().clear(*column))?;
            self.begun = true;
        }
        let (mut rows, mut last, mut failed) = (0, None, None);
        let mut visit = |key: &[u8], row: &[u8]| {
            if let Err(error) = self.indexer.delta(key, None, Some(row), &mut self.collected) {
                failed = Some(error);
                return false;
            }
            rows += 1;
            if rows == STEP_ROWS {
                last = Some(key.to_vec());
            }
            rows < STEP_ROWS
        };
        database.database().snapshot().scan(self.store, &self.range, Direction::Forward, &mut visit)?;
        if let Some(error) = failed {
            return Err(error);
        }
        if last.is_none() || self.collected.size_bytes() >= LOAD_BYTES {
            load_index_rows(&mut self.collected, database)?;
        }
        match last {
            Some(last) => {
                self.range = std::mem::take(&mut self.range).continued_after(&last, Direction::Forward);
                Ok(false)
            }
            None => self.indexes.iter().try_for_each(|(name, _)| database.set_index(name)).map(|()| true),
        }
    }
}

/// Loads index rows, which are then forgotten.
pub(super) fn load_index_rows(collected: &mut Batch, database: &TaskDatabase) -> Result<(), StoreError> {
    let mut columns: BTreeMap<u16, Vec<LoadRow<'_>>> = BTreeMap::new();
    for entry in collected.iter() {
        columns.entry(entry.column.0).or_default().push((entry.key, entry.value));
    }
    for (column, mut rows) in columns {
        rows.sort_unstable();
        rows.dedup_by_key(|(key, _)| *key);
        database.database().ingest(Column(column), &rows)?;
    }
    *collected = Batch::default();
    Ok(())
}
