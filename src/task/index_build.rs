//! Making an index from the rows of its store: when it is new, and after all rows were restored.

use std::collections::VecDeque;

use super::TaskPlan;
use crate::state::{Batch, Column, Direction, KeyRange, RowIndexer, StoreError, TaskDatabase};

/// Rows that one step reads.
const STEP_ROWS: usize = 5_000;

/// One index that is not whole yet.
pub struct IndexBuild {
    name: String,
    store: Column,
    column: Column,
    indexer: Box<dyn RowIndexer>,
    range: KeyRange,
    begun: bool,
}

impl IndexBuild {
    /// The indexes of a task that its database does not hold whole. What it says of indexes that the task does not have any more is
    /// forgotten: they are not kept up to date.
    pub fn pending(plan: &TaskPlan, database: &TaskDatabase) -> Result<VecDeque<IndexBuild>, StoreError> {
        let mut known = Vec::new();
        let mut pending = VecDeque::new();
        for store in &plan.stores {
            for (column, definition) in plan.indexes_of(store) {
                let name = plan.topology.store(store.id).index_column_name(definition);
                if !database.has_index(&name)? {
                    pending.push_back(IndexBuild {
                        name: name.clone(),
                        store: store.column,
                        indexer: plan.indexer_of(store, &[(column, definition)]),
                        range: KeyRange::all(),
                        begun: false,
                        column,
                    });
                }
                known.push(name);
            }
        }
        database.forget_other_indexes(&known)?;
        Ok(pending)
    }

    /// Its name, for the log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Indexes the next rows; true when it is whole.
    pub fn step(&mut self, database: &TaskDatabase) -> Result<bool, StoreError> {
        if !self.begun {
            database.database().clear(self.column)?;
            self.begun = true;
        }
        let (mut rows, mut last, mut batch, mut failed) = (0, None, Batch::default(), None);
        let mut visit = |key: &[u8], row: &[u8]| {
            if let Err(error) = self.indexer.delta(key, None, Some(row), &mut batch) {
                failed = Some(error);
                return false;
            }
            rows += 1;
            last = Some(key.to_vec());
            rows < STEP_ROWS
        };
        database.database().snapshot().scan(self.store, &self.range, Direction::Forward, &mut visit)?;
        if let Some(error) = failed {
            return Err(error);
        }
        database.database().write(&batch)?;
        let done = rows < STEP_ROWS;
        match last {
            Some(last) if !done => self.range = std::mem::take(&mut self.range).continued_after(&last, Direction::Forward),
            _ => database.set_index(&self.name)?,
        }
        Ok(done)
    }
}
