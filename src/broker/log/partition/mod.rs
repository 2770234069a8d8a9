//! The log of one partition.
//!
//! ```text
//! append ─► Writer (one at a time: producers' states, the file) ─► View (short: where everything is) ◄─ read, any number at a time
//!                                      │
//!            flush: who comes first fsyncs for all that wait; checkpoint: what a start need not read again
//! ```
//! Locks are taken in this order: cleaning, maintenance, writer, view. No file is touched while the view is locked.

mod append;
mod checkpoint;
mod compact;
mod flush;
mod read;
mod recover;
mod retain;
mod times;
mod types;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use super::producers::Producers;
use super::segment::{Active, Closed, OpenFiles};
use super::{AppendError, LogSettings, TopicConfig};
use flush::Flushed;
pub use types::{ActiveProducer, Appended, Isolation, Marker, Progress, ReadResult, ReadRoom, TimedOffset};

/// A partition's records. `Arc` it; all methods take `&self`, any number of threads may read while one appends.
pub struct PartitionLog {
    /// For messages: `topic-3`.
    name: String,
    /// Never used again for another partition, so that what comes late here hits nothing.
    dir: PathBuf,
    settings: Arc<LogSettings>,
    pub(super) files: Arc<OpenFiles>,
    config: RwLock<Arc<TopicConfig>>,
    /// Retention or compaction, one at a time: the list of closed segments gets shorter by them alone.
    cleaning: Mutex<()>,
    maintenance: Mutex<Maintenance>,
    deleted: AtomicBool,
    writer: Mutex<Writer>,
    view: RwLock<View>,
    flushed: Flushed,
    /// The directory's entries are on disk.
    names_synced: AtomicBool,
    appended_bytes: AtomicU64,
    progress: watch::Sender<Progress>,
}

/// Who appends has this.
struct Writer {
    producers: Producers,
    state: State,
    /// Bytes behind the last whole batch that could not be cut off when a write failed.
    torn: bool,
    unchecked_bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// An fsync failed: what the system has is not known any more, only a restart finds out.
    Failed,
    Closed,
    Deleted,
}

/// Where everything is.
struct View {
    closed: Vec<Arc<Closed>>,
    active: Active,
    log_start: i64,
    last_stable: i64,
}

/// What checkpoints and compaction remember.
struct Maintenance {
    /// The first offset of the segment in which the checkpoint on disk ends; what is before it may go.
    checkpointed_segment: i64,
    checkpointed_ms: i64,
    /// Compaction has seen everything before it.
    cleaned_to: i64,
    /// The disk is too full for compaction, and it was told.
    lacks_room: bool,
}

impl View {
    fn progress(&self) -> Progress {
        Progress { log_start: self.log_start, high_watermark: self.end(), last_stable: self.last_stable }
    }

    fn end(&self) -> i64 {
        self.active.summary.next_offset
    }

    fn size_bytes(&self) -> u64 {
        self.closed.iter().map(|segment| segment.summary.size).sum::<u64>() + self.active.summary.size
    }
}

impl PartitionLog {
    /// Topic and index, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As of now.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Told of each change, for fetches that wait.
    pub fn changed(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The epoch in which all is written; a single node never changes it.
    pub fn leader_epoch(&self) -> i32 {
        0
    }

    /// For OffsetForLeaderEpoch: the greatest epoch up to the asked one, and where it ends; `None` for an epoch that has not been.
    pub fn epoch_end(&self, epoch: i32) -> Option<(i32, i64)> {
        (epoch == 0).then(|| (0, self.progress().high_watermark))
    }

    /// Bytes on disk.
    pub fn size_bytes(&self) -> u64 {
        self.view().size_bytes()
    }

    /// Bytes that came since the log was opened.
    pub fn appended_bytes(&self) -> u64 {
        self.appended_bytes.load(Ordering::SeqCst)
    }

    /// Producers known here, for DescribeProducers.
    pub fn producers(&self) -> Vec<ActiveProducer> {
        self.writer().producers.describe()
    }

    /// How many wait for a change.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.progress.receiver_count()
    }

    /// The files of all partitions, to make them fail or wait.
    #[cfg(test)]
    pub fn files(&self) -> &OpenFiles {
        &self.files
    }

    pub(super) fn config(&self) -> Arc<TopicConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_config(&self, config: Arc<TopicConfig>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// No more appends. `deleted`: its directory goes.
    pub(super) fn stop(&self, deleted: bool) {
        let mut writer = self.writer();
        match writer.state {
            State::Failed if !deleted => {}
            _ => writer.state = if deleted { State::Deleted } else { State::Closed },
        }
        drop(writer);
        if deleted {
            self.deleted.store(true, Ordering::SeqCst);
            self.progress.send_modify(|_| {});
        }
    }

    /// Its topic was deleted; nothing comes any more.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::SeqCst)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn cleaning(&self) -> MutexGuard<'_, ()> {
        self.cleaning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn maintenance(&self) -> MutexGuard<'_, Maintenance> {
        self.maintenance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, view: &View) {
        self.progress.send_if_modified(|progress| std::mem::replace(progress, view.progress()) != view.progress());
    }
}

impl Writer {
    fn check_open(&self) -> Result<(), AppendError> {
        match self.state {
            State::Open => Ok(()),
            State::Deleted => Err(AppendError::Deleted),
            State::Closed => Err(AppendError::Storage { action: "append", source: std::io::Error::other("the broker is stopping") }),
            State::Failed => {
                let source = std::io::Error::other("an earlier fsync failed; a restart checks what is on disk");
                Err(AppendError::Storage { action: "append", source })
            }
        }
    }
}

fn checkpoint_path(dir: &Path) -> PathBuf {
    dir.join("checkpoint")
}
