//! Restoring a task's database: rows come in chunks, and with each chunk it is noted how far they reach.
//!
//! ```text
//!  begin_restore ──► restore | load … ──► finish_restore
//!  progress, empty   rows, progress       position; progress is gone
//! ```
//!
//! So a database that holds rows says where they come from at every moment: by its position, by its progress, or by both while it
//! catches up. A kill leaves progress that is durable no later than the rows; rows that are restored twice change nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::task_database::{meta_error, put_position};
use super::{Batch, Column, Direction, KeyRange, LoadRow, StoreError, TaskDatabase, TaskPosition};
use crate::codec::{self, StoreValue};
use crate::record::{Offset, Timestamp};

/// Where that is told in the meta column. While it is there, rows and position do not belong together.
pub(super) const RESTORE_KEY: &[u8] = b"restore";

/// How far a restore has come that is not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreProgress {
    /// That of the marker which is aimed at: offsets of another history mean nothing.
    pub lineage: Uuid,
    /// Of that marker.
    pub sequence: u64,
    /// For each store the next offset of its changelog; all rows below it are here. `None` is as good as the beginning.
    pub next: BTreeMap<String, Offset>,
    /// When it was begun, by the wall clock: of what was written to the changelogs before, tombstones may be gone since.
    pub began_at: Timestamp,
}

impl StoreValue for RestoreProgress {}

impl TaskDatabase {
    /// What a restore that was not finished has left; `None` when there is none.
    pub fn restore_progress(&self) -> Result<Option<RestoreProgress>, StoreError> {
        let mut progress = None;
        self.database().get(Column::META, RESTORE_KEY, &mut |bytes| progress = Some(codec::decode_row(bytes)))?;
        progress.transpose().map_err(meta_error)
    }

    /// True when a column holds a row.
    pub fn has_rows(&self, mut columns: impl Iterator<Item = Column>) -> Result<bool, StoreError> {
        let snapshot = self.database().snapshot();
        columns.try_fold(false, |mut found, column| {
            let mut visit = |_: &[u8], _: &[u8]| {
                found = true;
                false
            };
            snapshot.scan(column, &KeyRange::all(), Direction::Forward, &mut visit)?;
            Ok(found)
        })
    }

    /// Says that rows will come.
    pub fn begin_restore(&self, progress: &RestoreProgress) -> Result<(), StoreError> {
        self.set_being_restored(true);
        self.restore(Batch::default(), progress)
    }

    /// Applies restored rows and what is known of them, all or nothing.
    pub fn restore(&self, mut batch: Batch, progress: &RestoreProgress) -> Result<(), StoreError> {
        put_progress(&mut batch, progress)?;
        self.database().write(&batch)
    }

    /// As [`TaskDatabase::restore`] for many rows of one column, sorted by key, each key once: they are there before the progress is.
    pub fn load(&self, column: Column, rows: &[LoadRow<'_>], progress: &RestoreProgress) -> Result<(), StoreError> {
        self.database().ingest(column, rows)?;
        self.restore(Batch::default(), progress)
    }

    /// Says that the rows of this position are all here.
    pub fn finish_restore(&self, position: TaskPosition) -> Result<(), StoreError> {
        let mut current = self.lock();
        let mut batch = Batch::default();
        put_position(&mut batch, &position)?;
        batch.delete(Column::META, RESTORE_KEY);
        self.database().write(&batch)?;
        self.show(position, &mut current);
        self.set_being_restored(false);
        Ok(())
    }

    /// Says that what was restored belongs to no position that the database did not have already.
    pub fn forget_restore(&self) -> Result<(), StoreError> {
        if self.restore_progress()?.is_some() {
            let mut batch = Batch::default();
            batch.delete(Column::META, RESTORE_KEY);
            self.database().write(&batch)?;
        }
        self.set_being_restored(false);
        Ok(())
    }
}

fn put_progress(batch: &mut Batch, progress: &RestoreProgress) -> Result<(), StoreError> {
    batch.put_with(Column::META, RESTORE_KEY, |out| codec::encode_row(progress, out)).map_err(meta_error)
}
