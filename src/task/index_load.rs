//! Making a store's indexes while its rows are loaded into a database that had none: from the rows in memory, which need not be read
//! again.
//!
//! Index rows and rows go into files of their own, so a kill leaves some without the others. Who goes on with such a database does not
//! know which, and makes the indexes from the rows when these are whole ([`IndexBuild`](super::IndexBuild)).

use super::index_build::{LOAD_BYTES, load_index_rows};
use super::{PlannedStore, TaskPlan};
use crate::state::{Batch, Column, LoadRow, RowIndexer, StoreError, TaskDatabase};

/// The indexes of one store that follow its loads.
pub struct IndexLoad {
    /// Their names and columns.
    indexes: Vec<(String, Column)>,
    store: Column,
    indexer: Box<dyn RowIndexer>,
    /// Rows were loaded already: a later load may change them.
    has_rows: bool,
    /// Index rows that are not written yet.
    collected: Batch,
}

impl IndexLoad {
    /// The indexes of a store that has no rows; `None` when it has no index either.
    pub fn new(plan: &TaskPlan, store: &PlannedStore, database: &TaskDatabase) -> Result<Option<IndexLoad>, StoreError> {
        let definitions = plan.indexes_of(store);
        if definitions.is_empty() {
            return Ok(None);
        }
        definitions.iter().try_for_each(|(column, _)| database.database().clear(*column))?;
        let named = |definition| plan.topology.store(store.id).index_column_name(definition);
        Ok(Some(IndexLoad {
            indexes: definitions.iter().map(|(column, definition)| (named(definition), *column)).collect(),
            store: store.column,
            indexer: plan.indexer_of(store, &definitions),
            has_rows: false,
            collected: Batch::default(),
        }))
    }

    /// Writes what rows that are about to be loaded make of the indexes.
    pub fn follow(&mut self, rows: &[LoadRow<'_>], database: &TaskDatabase) -> Result<(), StoreError> {
        let mut old = Vec::new();
        for (key, row) in rows {
            old.clear();
            let was_there = self.has_rows && database.database().get(self.store, key, &mut |bytes| old.extend_from_slice(bytes))?;
            self.indexer.delta(key, was_there.then_some(&old[..]), *row, &mut self.collected)?;
            if self.collected.size_bytes() >= LOAD_BYTES {
                load_index_rows(&mut self.collected, database)?;
            }
        }
        self.has_rows |= !rows.is_empty();
        load_index_rows(&mut self.collected, database)
    }

    /// All rows are loaded: the indexes are whole.
    pub fn finish(&self, database: &TaskDatabase) -> Result<(), StoreError> {
        self.indexes.iter().try_for_each(|(name, _)| database.set_index(name))
    }

    /// Their names, for the log.
    pub fn names(&self) -> Vec<&str> {
        self.indexes.iter().map(|(name, _)| name.as_str()).collect()
    }
}
