//! Group commit: who comes first forces to disk what all have written until then, the others wait for it.

use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{PartitionLog, State};
use crate::broker::log::segment::SegmentFile;
use crate::broker::log::{AppendError, Fsync};

/// Up to where a log is on disk.
pub struct Flushed {
    state: Mutex<FlushState>,
    changed: Condvar,
}

struct FlushState {
    up_to: i64,
    running: bool,
    /// The system reports a failure once, and then says "done" of what it has dropped: nobody may ask it again.
    failed: bool,
}

/// Why something is not on disk.
enum Unsynced {
    /// The disk was not asked: it may be tried again.
    Unasked(io::Error),
    /// The disk said no: what it has is not known any more.
    Failed(io::Error),
}

impl Flushed {
    pub fn up_to(offset: i64) -> Self {
        Flushed { state: Mutex::new(FlushState { up_to: offset, running: false, failed: false }), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, FlushState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True: the caller must do it, and say `done`. False: it was done meanwhile. An error: it failed once.
    fn begin(&self, up_to: i64) -> io::Result<bool> {
        let mut state = self.lock();
        while state.running && state.up_to < up_to {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.up_to >= up_to {
            return Ok(false);
        }
        if state.failed {
            return Err(io::Error::other("an earlier fsync failed"));
        }
        state.running = true;
        Ok(true)
    }

    fn done(&self, up_to: i64, synced: &Result<(), Unsynced>) {
        let mut state = self.lock();
        state.running = false;
        match synced {
            Ok(()) => state.up_to = state.up_to.max(up_to),
            Err(Unsynced::Failed(_)) => state.failed = true,
            Err(Unsynced::Unasked(_)) => {}
        }
        self.changed.notify_all();
    }
}

impl PartitionLog {
    /// Waits until everything before `up_to` is on disk, together with other callers (not with `Fsync::Never`). Blocks: not on an async thread.
    pub fn flush(&self, up_to: i64) -> Result<(), AppendError> {
        let storage = |source| AppendError::Storage { action: "fsync", source };
        if self.settings.fsync == Fsync::Never || !self.flushed.begin(up_to).map_err(storage)? {
            return Ok(());
        }
        let (end, files) = self.unflushed();
        let synced = files.iter().try_for_each(|file| sync(file)).and_then(|()| self.sync_names());
        self.flushed.done(end, &synced);
        synced.map_err(|unsynced| match unsynced {
            Unsynced::Unasked(_) if self.is_deleted() => AppendError::Deleted,
            Unsynced::Unasked(source) => storage(source),
            Unsynced::Failed(source) => self.flush_failed(source),
        })
    }

    /// What an append must wait for before it is answered: a flush with `Fsync::Always`, else nothing. Blocks like it.
    pub fn acknowledge(&self, up_to: i64) -> Result<(), AppendError> {
        if self.acknowledges_on_disk() { self.flush(up_to) } else { Ok(()) }
    }

    /// Whether [`PartitionLog::acknowledge`] waits.
    pub fn acknowledges_on_disk(&self) -> bool {
        self.settings.fsync == Fsync::Always
    }

    /// Forces everything to disk that is not yet.
    pub(in crate::broker::log) fn flush_all(&self) -> Result<(), AppendError> {
        self.flush(self.progress().high_watermark)
    }

    /// Whether a flush has anything to do, and may do it.
    pub(in crate::broker::log) fn is_unflushed(&self) -> bool {
        let end = self.progress().high_watermark;
        let state = self.flushed.lock();
        !state.failed && state.up_to < end
    }

    /// Only a restart helps.
    pub(super) fn has_failed(&self) -> bool {
        self.flushed.lock().failed
    }

    #[cfg(test)]
    pub(in crate::broker::log) fn flushed_to(&self) -> i64 {
        self.flushed.lock().up_to
    }

    fn unflushed(&self) -> (i64, Vec<Arc<SegmentFile>>) {
        let from = self.flushed.lock().up_to;
        let view = self.view();
        let closed = view.closed.iter().filter(|segment| segment.summary.next_offset > from);
        let files = closed.map(|segment| &segment.file).chain([&view.active.file]).map(Arc::clone).collect();
        (view.end(), files)
    }

    /// The first segment was made without waiting for its name.
    fn sync_names(&self) -> Result<(), Unsynced> {
        if !self.names_synced.load(Ordering::SeqCst) {
            File::open(&self.dir).map_err(Unsynced::Unasked)?.sync_all().map_err(Unsynced::Failed)?;
            self.names_synced.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    fn flush_failed(&self, source: io::Error) -> AppendError {
        let mut writer = self.writer();
        if writer.state == State::Deleted {
            return AppendError::Deleted;
        }
        if writer.state != State::Failed {
            writer.state = State::Failed;
            tracing::error!(partition = %self.name, error = %source, "fsync failed; nothing is written here until a restart has checked the log");
        }
        AppendError::Storage { action: "fsync", source }
    }
}

/// What is not there any more was deleted, or replaced by what is on disk. Without its index, which a checkpoint needs, but nobody else: it
/// can be made anew.
fn sync(file: &SegmentFile) -> Result<(), Unsynced> {
    match file.open() {
        Ok(open) => file.sync(&open).map_err(Unsynced::Failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Unsynced::Unasked(error)),
    }
}
