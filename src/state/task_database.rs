//! A task's database together with the position that it holds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::task_restore::RESTORE_KEY;
use super::{Batch, Column, Database, Direction, KeyRange, Origin, Snapshot, StoreError, TaskPosition};
use crate::codec;

/// A task's open database. Shared by the task that writes it and by readers; only the holder of its [`TaskLease`] writes.
pub struct TaskDatabase {
    database: Arc<dyn Database>,
    /// Held while a batch is written.
    position: Mutex<Option<Arc<TaskPosition>>>,
    /// The same for those who must not wait for a write: never locked for longer than a copy takes.
    visible: Mutex<Option<Arc<TaskPosition>>>,
    /// What readers found last, as bytes and decoded: between two commits all of them find the same.
    last_read: Mutex<Option<LastRead>>,
    /// Rows are restored into it, or were when it was closed: they do not belong to its position.
    being_restored: AtomicBool,
}

/// Rows of one moment and the position whose state they are.
pub type SnapshotAt<'a> = (Box<dyn Snapshot + 'a>, Option<Arc<TaskPosition>>);

type LastRead = (Box<[u8]>, Arc<TaskPosition>);

/// How this version lays rows out: families, keys, row headers, the meta column. Raised by a change that an older version would misread.
const FORMAT: u32 = 1;

/// Where the format is told.
const FORMAT_KEY: &[u8] = b"format";

impl TaskDatabase {
    /// Reads the position of an open database; refuses one of a newer format before anything is written.
    pub fn new(database: Arc<dyn Database>) -> Result<Self, StoreError> {
        let mut format = None;
        database.get(Column::META, FORMAT_KEY, &mut |bytes| format = Some(bytes.try_into().map_or(u32::MAX, u32::from_be_bytes)))?;
        match format {
            Some(found) if found > FORMAT => return Err(StoreError::NewerFormat { path: database.path(), found, known: FORMAT }),
            Some(_) => {}
            None => {
                let mut batch = Batch::default();
                batch.put(Column::META, FORMAT_KEY, &FORMAT.to_be_bytes());
                database.write(&batch)?;
            }
        }
        let position = read_position(|key, read| database.get(Column::META, key, read))?.map(Arc::new);
        let being_restored = database.get(Column::META, RESTORE_KEY, &mut |_| {})?;
        Ok(TaskDatabase {
            database,
            visible: Mutex::new(position.clone()),
            position: Mutex::new(position),
            last_read: Mutex::default(),
            being_restored: being_restored.into(),
        })
    }

    /// The position that the database holds; `None` before the first commit.
    pub fn position(&self) -> Option<TaskPosition> {
        self.lock().as_deref().cloned()
    }

    /// What a read that begins now sees at least; `None` before the first commit. Never waits for a write.
    pub fn visible_position(&self) -> Option<Arc<TaskPosition>> {
        self.visible.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was written is at this position.
    pub(super) fn show(&self, position: TaskPosition, current: &mut Option<Arc<TaskPosition>>) {
        *current = Some(Arc::new(position));
        self.visible.lock().unwrap_or_else(PoisonError::into_inner).clone_from(current);
    }

    /// What its state was made from, as it was last told.
    pub fn origin(&self) -> Result<Origin, StoreError> {
        let mut origin = Origin::default();
        self.database.get(Column::META, Origin::KEY.as_bytes(), &mut |bytes| origin = Origin::decode(bytes))?;
        Ok(origin)
    }

    /// Says what its state is made from.
    pub fn set_origin(&self, origin: &Origin) -> Result<(), StoreError> {
        if self.origin()? == *origin {
            return Ok(());
        }
        let mut batch = Batch::default();
        batch.put(Column::META, Origin::KEY.as_bytes(), &origin.encode());
        self.database.write(&batch)
    }

    /// The database itself.
    pub fn database(&self) -> &Arc<dyn Database> {
        &self.database
    }

    /// Applies the rows of one committed transaction and its position, all or nothing. The position must be the one that follows:
    /// a batch of a former owner never lands on a newer state.
    pub fn apply(&self, mut batch: Batch, position: TaskPosition) -> Result<(), StoreError> {
        let mut current = self.lock();
        let found = current.as_ref().map_or(0, |position| position.marker.sequence);
        let wanted = position.marker.sequence;
        if found + 1 != wanted {
            return Err(StoreError::OutOfSequence { path: self.database.path(), found, wanted });
        }
        put_position(&mut batch, &position)?;
        self.database.write(&batch)?;
        self.show(position, &mut current);
        Ok(())
    }

    /// All rows as they are now, together with the position whose state they are; that is `None` before the first commit. No snapshot
    /// while rows are restored: they belong to no position. Never waits for a write.
    pub fn snapshot(&self) -> Result<Option<SnapshotAt<'_>>, StoreError> {
        let snapshot = self.database.snapshot();
        // It was written before the first of those rows.
        if snapshot.get(Column::META, RESTORE_KEY, &mut |_| {})? {
            return Ok(None);
        }
        let mut position = None;
        snapshot.get(Column::META, TaskPosition::KEY, &mut |bytes| position = Some(self.decode_position(bytes)))?;
        Ok(Some((snapshot, position.transpose()?)))
    }

    /// A row together with the position whose state it belongs to, without touching the disk, a snapshot or a lock that somebody holds.
    /// `None` when what is in memory does not tell, or something is being written at this moment; `read` may have been called then.
    pub fn read_in_memory(
        &self,
        column: Column,
        key: &[u8],
        read: &mut dyn FnMut(&[u8]),
    ) -> Result<Option<Option<Arc<TaskPosition>>>, StoreError> {
        let Some(before) = self.position_unless_written() else { return Ok(None) };
        if self.database.get_in_memory(column, key, read)?.is_none() || self.being_restored.load(Ordering::Acquire) {
            return Ok(None);
        }
        // The same position before and after, and no writer at either moment: no commit came between.
        let unchanged = self.position_unless_written().filter(|after| match (&before, after) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            (before, after) => before.is_none() && after.is_none(),
        });
        Ok(unchanged)
    }

    /// `None` while somebody writes.
    fn position_unless_written(&self) -> Option<Option<Arc<TaskPosition>>> {
        match self.position.try_lock() {
            Ok(position) => Some(position.clone()),
            Err(TryLockError::Poisoned(position)) => Some(position.into_inner().clone()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Says that rows are restored into it, or that none are any more.
    pub(super) fn set_being_restored(&self, being_restored: bool) {
        self.being_restored.store(being_restored, Ordering::Release);
    }

    /// A row as bytes together with the position whose state it belongs to; `None` while rows are restored.
    pub fn read(&self, column: Column, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<Option<Option<Arc<TaskPosition>>>, StoreError> {
        let Some((snapshot, position)) = self.snapshot()? else { return Ok(None) };
        snapshot.get(column, key, read)?;
        Ok(Some(position))
    }

    /// Whether an index is whole; `name` is that of its column.
    pub fn has_index(&self, name: &str) -> Result<bool, StoreError> {
        self.database.get(Column::META, &index_key(name), &mut |_| {})
    }

    /// Says that an index is whole. From then on it is kept up to date with its rows.
    pub fn set_index(&self, name: &str) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.put(Column::META, &index_key(name), &[]);
        self.database.write(&batch)
    }

    /// Forgets of all indexes but these that they are whole.
    pub fn forget_other_indexes(&self, names: &[String]) -> Result<(), StoreError> {
        let kept: Vec<Vec<u8>> = names.iter().map(|name| index_key(name)).collect();
        let mut batch = Batch::default();
        let mut visit = |key: &[u8], _: &[u8]| {
            if !kept.iter().any(|kept| kept == key) {
                batch.delete(Column::META, key);
            }
            true
        };
        self.database.snapshot().scan(Column::META, &KeyRange::starting_with(index_key("")), Direction::Forward, &mut visit)?;
        if batch.is_empty() { Ok(()) } else { self.database.write(&batch) }
    }

    fn decode_position(&self, bytes: &[u8]) -> Result<Arc<TaskPosition>, StoreError> {
        let mut last = self.last_read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, position)) = &*last
            && **known == *bytes
        {
            return Ok(position.clone());
        }
        let position = Arc::new(codec::decode_row::<TaskPosition>(bytes).map_err(meta_error)?);
        *last = Some((bytes.into(), position.clone()));
        Ok(position)
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<TaskPosition>>> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where it is said that an index is whole.
fn index_key(name: &str) -> Vec<u8> {
    format!("index:{name}").into_bytes()
}

pub(super) fn put_position(batch: &mut Batch, position: &TaskPosition) -> Result<(), StoreError> {
    batch.put_with(Column::META, TaskPosition::KEY, |out| codec::encode_row(position, out)).map_err(meta_error)
}

fn read_position(get: impl FnOnce(&[u8], &mut dyn FnMut(&[u8])) -> Result<bool, StoreError>) -> Result<Option<TaskPosition>, StoreError> {
    let mut position = None;
    get(TaskPosition::KEY, &mut |bytes| position = Some(codec::decode_row(bytes)))?;
    position.transpose().map_err(meta_error)
}

pub(super) fn meta_error(source: codec::CodecError) -> StoreError {
    StoreError::Codec { store: "(position)".to_string(), source }
}

/// The right to write a task's database, without one; given back when dropped. At most one exists in the process.
pub(super) struct TaskRight(Option<Box<dyn FnOnce() + Send>>);

impl TaskRight {
    pub(super) fn new(give_back: impl FnOnce() + Send + 'static) -> Self {
        TaskRight(Some(Box::new(give_back)))
    }

    pub(super) fn to(self, database: Arc<TaskDatabase>) -> TaskLease {
        TaskLease { database, right: self }
    }
}

impl Drop for TaskRight {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

/// The right to write a task's database, and the database.
pub struct TaskLease {
    database: Arc<TaskDatabase>,
    right: TaskRight,
}

impl TaskLease {
    /// The database.
    pub fn database(&self) -> &Arc<TaskDatabase> {
        &self.database
    }

    /// The right alone: what nobody reads any more is closed.
    pub(super) fn into_right(self) -> TaskRight {
        self.right
    }
}
