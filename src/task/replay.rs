//! A task run again from the beginning of its sources, on a scratch database and without outputs: what its stores would hold had
//! they been there all the time.

use std::sync::Arc;

use uuid::Uuid;

use super::{Dropped, InputRecord, OutputBuffer, Processed, Task, TaskError, TaskPlan};
use crate::ports::Delivered;
use crate::record::{Offset, Timestamp};
use crate::state::{TaskDatabase, TaskLease, TaskPosition};

/// Rows that wait in memory before they go to the scratch database.
const MAX_DIRTY_ROWS: usize = 20_000;

/// A task that is replayed. Records that it cannot process are skipped: their dead letters were written when they first came.
/// Punctuations on stream time are called, those on wall-clock time are not.
pub struct Replay {
    task: Task,
    outputs: OutputBuffer,
    processed: u64,
    skipped: u64,
}

impl Replay {
    /// Begins on an empty database.
    pub fn new(plan: Arc<TaskPlan>, scratch: TaskLease, from: Vec<Offset>) -> Result<Self, TaskError> {
        let mut task = Task::new(plan, scratch, from, Uuid::nil())?;
        task.is_replay = true;
        Ok(Replay { task, outputs: OutputBuffer::new(), processed: 0, skipped: 0 })
    }

    /// Processes a record of the source partition at this index of the plan.
    pub fn process(&mut self, source: usize, record: InputRecord<'_>) -> Result<(), TaskError> {
        let offset = record.offset;
        match self.task.process(source, record, &mut self.outputs)? {
            Processed::Done => self.processed += 1,
            Processed::Poisoned(cause) => {
                self.task.pass(source, offset, Dropped { reason: cause.kind(), dead_letter: false });
                self.skipped += 1;
            }
        }
        self.task.punctuate(Timestamp::MIN, &mut self.outputs)?;
        self.outputs.clear();
        if self.task.dirty_rows() >= MAX_DIRTY_ROWS { self.apply() } else { Ok(()) }
    }

    /// How many records were processed, and how many skipped.
    pub fn counts(&self) -> (u64, u64) {
        (self.processed, self.skipped)
    }

    /// Writes what is left, and gives the database.
    pub fn finish(mut self) -> Result<Arc<TaskDatabase>, TaskError> {
        self.apply()?;
        Ok(self.task.database().clone())
    }

    fn apply(&mut self) -> Result<(), TaskError> {
        let Some(prepared) = self.task.prepare()? else { return Ok(()) };
        let marker = self.task.next_marker(&Delivered::default());
        let marker_offset = Offset(marker.sequence as i64);
        self.task.apply(prepared, TaskPosition { marker, marker_offset, applied_at: Timestamp(0) })
    }
}
