//! The group commit: one thread calls `fdatasync` for all who wait.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use tokio::sync::watch;
use tracing::error;

use super::{JournalError, Position};

/// Says when what was appended is on disk. The thread behind it ends with the last clone.
#[derive(Debug, Clone)]
pub struct Durable {
    shared: Arc<Shared>,
    synced: watch::Receiver<Synced>,
    _last: Arc<EndsThread>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Synced {
    position: Position,
    /// An `fdatasync` failed: what the file holds is unknown, and only a new file helps.
    failed: bool,
}

#[derive(Debug)]
struct Shared {
    syncs: bool,
    work: Mutex<Work>,
    wake: Condvar,
    synced: watch::Sender<Synced>,
}

#[derive(Debug)]
struct Work {
    file: Arc<File>,
    written: Position,
    wanted: Position,
    ended: bool,
}

#[derive(Debug)]
struct EndsThread(Arc<Shared>);

impl Drop for EndsThread {
    fn drop(&mut self) {
        self.0.work.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.0.wake.notify_one();
    }
}

impl Durable {
    pub(super) fn start(file: Arc<File>, syncs: bool) -> io::Result<Durable> {
        let (sender, synced) = watch::channel(Synced::default());
        let work = Mutex::new(Work { file, written: Position(0), wanted: Position(0), ended: false });
        let shared = Arc::new(Shared { syncs, work, wake: Condvar::new(), synced: sender });
        let in_thread = Arc::clone(&shared);
        thread::Builder::new().name("broker-journal".to_owned()).spawn(move || in_thread.run())?;
        Ok(Durable { _last: Arc::new(EndsThread(Arc::clone(&shared))), shared, synced })
    }

    /// Returns once everything up to the position is on disk, or fails with the disk. At once if this journal never syncs.
    pub async fn wait(&self, position: Position) -> Result<(), JournalError> {
        if !self.shared.syncs {
            return Ok(());
        }
        self.want(position);
        let mut synced = self.synced.clone();
        let reached =
            synced.wait_for(|synced| synced.failed || synced.position >= position).await.map_err(|_| JournalError::Unavailable)?;
        if reached.position >= position { Ok(()) } else { Err(JournalError::Unavailable) }
    }

    /// Has everything written so far brought to disk soon, without waiting.
    pub fn soon(&self) {
        if self.shared.syncs {
            let written = self.shared.work().written;
            self.want(written);
        }
    }

    fn want(&self, position: Position) {
        let mut work = self.shared.work();
        if work.wanted < position {
            work.wanted = position;
            self.shared.wake.notify_one();
        }
    }

    pub(super) fn written(&self, position: Position) {
        self.shared.work().written = position;
    }

    pub(super) fn failed(&self) -> bool {
        self.shared.synced.borrow().failed
    }

    pub(super) fn fail(&self) {
        self.shared.synced.send_modify(|synced| synced.failed = true);
    }

    /// A new file holds everything up to the position, on disk.
    pub(super) fn replaced(&self, file: Arc<File>, position: Position) {
        let mut work = self.shared.work();
        work.file = file;
        // Under the same lock, so that a sync of the old file that fails at this moment does not condemn the new one.
        self.shared.synced.send_replace(Synced { position, failed: false });
    }
}

impl Shared {
    fn work(&self) -> std::sync::MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut work = self.work();
        loop {
            if work.ended {
                return;
            }
            let reached = *self.synced.borrow();
            if reached.failed || work.wanted <= reached.position {
                work = self.wake.wait(work).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (file, written) = (Arc::clone(&work.file), work.written);
            drop(work);
            let result = file.sync_data();
            work = self.work();
            if !Arc::ptr_eq(&file, &work.file) {
                continue;
            }
            match result {
                Ok(()) => self.synced.send_modify(|synced| synced.position = synced.position.max(written)),
                Err(error) => {
                    error!(%error, "the coordinators' journal cannot be brought to disk; until a new one is, offsets and transactions are refused");
                    self.synced.send_modify(|synced| synced.failed = true);
                }
            }
        }
    }
}
