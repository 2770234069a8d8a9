//! Filling a store that was added to a task which has already come some way.
//!
//! What the store would hold had it been there from the beginning stands in a *scratch* database, made by a [`Replay`](super::Replay)
//! of the sources. The differences between the task's database and the scratch one are committed in batches like any other rows,
//! so that the changelog has them too. The marker names the store only with the last batch: until then it counts as not there, and a
//! crash in the middle begins anew.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ports::Delivered;
use crate::record::Offset;
use crate::state::{Batch, Direction, KeyRange, RowIndexer, StoreError, TaskDatabase};

use super::{PlannedStore, Task, TaskError, TaskPlan};

/// Rows that are compared for one batch; few in tests, so that a fill takes several.
const BATCH_ROWS: usize = if cfg!(test) { 2 } else { 10_000 };

/// The stores of a task that are being filled.
pub struct Fill {
    /// Taken when dropped, so that the database is closed before it is removed.
    scratch: Option<Arc<TaskDatabase>>,
    remove_scratch: Option<Box<dyn FnOnce() + Send>>,
    stores: VecDeque<StoreFill>,
    /// What waits for the commit.
    rows: Batch,
    index_rows: Batch,
}

impl Task {
    /// Gives the task stores to fill before it goes on.
    pub fn begin_fill(&mut self, fill: Fill) {
        self.fill = Some(fill);
    }

    /// True while stores are being filled: then it must not process, nor punctuate.
    pub fn is_filling(&self) -> bool {
        self.fill.is_some()
    }

    /// Takes the next rows of a store that is being filled into the next commit. Nothing happens while rows wait for one.
    pub fn fill_some(&mut self) -> Result<(), TaskError> {
        if let Some(fill) = &mut self.fill {
            fill.advance(self.lease.database())?;
            self.moved = true;
        }
        Ok(())
    }
}

struct StoreFill {
    store: PlannedStore,
    indexer: Box<dyn RowIndexer>,
    /// The last record of the changelog: of an earlier attempt, or of a batch that was committed.
    last: Option<Offset>,
    /// The last record of the batch that waits for the commit.
    sent: Option<Offset>,
    /// What has not been compared, as of the last commit.
    range: KeyRange,
    /// The same after the batch that waits; `None`: it is the last.
    next: Option<KeyRange>,
    /// A batch waits for the commit.
    waiting: bool,
}

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

impl Fill {
    /// Will copy these stores from a scratch database; with each the end of its changelog, as an earlier attempt left it.
    pub fn new(
        plan: &TaskPlan,
        stores: Vec<(PlannedStore, Option<Offset>)>,
        scratch: Arc<TaskDatabase>,
        remove_scratch: impl FnOnce() + Send + 'static,
    ) -> Self {
        let fill = |(store, last): (PlannedStore, Option<Offset>)| StoreFill {
            indexer: plan.indexer(&store),
            range: KeyRange::all(),
            store,
            last,
            sent: None,
            next: None,
            waiting: false,
        };
        Fill {
            scratch: Some(scratch),
            remove_scratch: Some(Box::new(remove_scratch)),
            stores: stores.into_iter().map(fill).collect(),
            rows: Batch::default(),
            index_rows: Batch::default(),
        }
    }

    /// Compares the next rows, unless a batch waits for its commit; answers how many rows differ.
    pub(super) fn advance(&mut self, database: &TaskDatabase) -> Result<usize, StoreError> {
        let (Some(scratch), Some(fill)) = (&self.scratch, self.stores.front_mut()) else { return Ok(0) };
        if fill.waiting {
            return Ok(0);
        }
        let (wanted, reached) = read(scratch, fill, None)?;
        let (found, reached) = read(database, fill, reached)?;
        let compared = |key: &[u8]| reached.as_ref().is_none_or(|reached| key <= &**reached);
        let (mut wanted, mut found) = (wanted.into_iter().peekable(), found.into_iter().peekable());
        loop {
            let key = match (wanted.peek(), found.peek()) {
                (None, None) => break,
                (Some((key, _)), None) | (None, Some((key, _))) => key.clone(),
                (Some((a, _)), Some((b, _))) => a.min(b).clone(),
            };
            let new = wanted.next_if(|(at, _)| *at == key).map(|(_, row)| row);
            let old = found.next_if(|(at, _)| *at == key).map(|(_, row)| row);
            if !compared(&key) || old == new {
                continue;
            }
            match &new {
                Some(row) => self.rows.put(fill.store.column, &key, row),
                None => self.rows.delete(fill.store.column, &key),
            }
            fill.indexer.delta(&key, old.as_deref(), new.as_deref(), &mut self.index_rows)?;
        }
        fill.next = reached.map(|reached| fill.range.clone().continued_after(&reached, Direction::Forward));
        fill.waiting = true;
        Ok(self.rows.len())
    }

    /// The rows that wait for the commit.
    pub(super) fn rows(&self) -> &Batch {
        &self.rows
    }

    /// What they make of indexes.
    pub(super) fn index_rows(&self) -> &Batch {
        &self.index_rows
    }

    /// Notes where the changelog records of the batch came to lie.
    pub(super) fn note_delivered(&mut self, delivered: &Delivered) {
        if let Some(fill) = self.stores.front_mut() {
            fill.sent = delivered.get(&fill.store.changelog).copied();
        }
    }

    /// Whether the marker of the next commit names a store, and the end of its changelog if it was filled just now.
    pub(super) fn names(&self, store: &str) -> (bool, Option<Offset>) {
        match self.stores.iter().position(|fill| fill.store.name == store) {
            None => (true, None),
            Some(0) => {
                let fill = &self.stores[0];
                (fill.waiting && fill.next.is_none(), fill.sent.or(fill.last))
            }
            Some(_) => (false, None),
        }
    }

    /// The batch was committed; true when nothing is left to do.
    pub(super) fn settle(&mut self) -> bool {
        self.rows.clear();
        self.index_rows.clear();
        if let Some(fill) = self.stores.front_mut().filter(|fill| fill.waiting) {
            fill.waiting = false;
            fill.last = fill.sent.take().or(fill.last);
            match fill.next.take() {
                Some(rest) => fill.range = rest,
                None => drop(self.stores.pop_front()),
            }
        }
        self.stores.is_empty()
    }

    /// The batch was not committed.
    pub(super) fn discard(&mut self) {
        self.rows.clear();
        self.index_rows.clear();
        if let Some(fill) = self.stores.front_mut() {
            (fill.waiting, fill.sent, fill.next) = (false, None, None);
        }
    }
}

/// Reads a batch of rows up to `until`, and tells the last key that was reached; `None` when that is the end.
fn read(database: &TaskDatabase, fill: &StoreFill, until: Option<Vec<u8>>) -> Result<(Rows, Option<Vec<u8>>), StoreError> {
    let mut rows: Rows = Vec::new();
    let mut visit = |key: &[u8], row: &[u8]| {
        if until.as_ref().is_some_and(|until| key > &**until) {
            return false;
        }
        rows.push((key.to_vec(), row.to_vec()));
        rows.len() < BATCH_ROWS
    };
    database.database().snapshot().scan(fill.store.column, &fill.range, Direction::Forward, &mut visit)?;
    let full = rows.len() == BATCH_ROWS;
    let last = rows.last().map(|(key, _)| key.clone()).filter(|_| full);
    Ok((rows, last.or(until)))
}

impl Drop for Fill {
    fn drop(&mut self) {
        self.scratch = None;
        if let Some(remove) = self.remove_scratch.take() {
            remove();
        }
    }
}
