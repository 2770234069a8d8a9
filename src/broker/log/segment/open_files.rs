//! How many segments are open is bounded: the least recently used one is closed when another is needed.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::SegmentIndex;

/// The open segments of all partitions.
pub struct OpenFiles {
    most: usize,
    next_id: AtomicU64,
    table: Mutex<Table>,
    /// Bytes that may still be written, for tests of full disks.
    #[cfg(test)]
    pub room: AtomicU64,
    /// So many of the next attempts to force a segment to disk, or to open one, fail.
    #[cfg(test)]
    pub sync_faults: AtomicU64,
    #[cfg(test)]
    pub open_faults: AtomicU64,
    /// How often records were read.
    #[cfg(test)]
    pub reads: AtomicU64,
    /// Where attempts to force a segment to disk wait for each other.
    #[cfg(test)]
    pub syncs: super::Meeting,
}

#[derive(Default)]
struct Table {
    open: HashMap<u64, Open>,
    uses: u64,
}

struct Open {
    file: Arc<File>,
    index: Option<Arc<SegmentIndex>>,
    used: u64,
}

/// A segment's files, open or not. Who has the `Arc<File>` reads on, also when it is closed here or deleted.
pub struct SegmentFile {
    id: u64,
    files: Arc<OpenFiles>,
    /// `None`: what stands under the name now is another segment.
    paths: Mutex<Option<Paths>>,
}

#[derive(Clone)]
struct Paths {
    log: PathBuf,
    index: PathBuf,
}

impl OpenFiles {
    /// At most so many at a time.
    pub fn new(most: usize) -> Arc<OpenFiles> {
        Arc::new(OpenFiles {
            most: most.max(1),
            next_id: AtomicU64::new(0),
            table: Mutex::default(),
            #[cfg(test)]
            room: AtomicU64::new(u64::MAX),
            #[cfg(test)]
            sync_faults: AtomicU64::new(0),
            #[cfg(test)]
            open_faults: AtomicU64::new(0),
            #[cfg(test)]
            reads: AtomicU64::new(0),
            #[cfg(test)]
            syncs: super::Meeting::default(),
        })
    }

    /// A segment and its index, opened when they are needed.
    pub fn segment(self: &Arc<Self>, log: PathBuf, index: PathBuf) -> SegmentFile {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        SegmentFile { id, files: Arc::clone(self), paths: Mutex::new(Some(Paths { log, index })) }
    }

    /// As much as fits; nothing fits any more: an error.
    #[cfg(test)]
    pub(super) fn take_room(&self, bytes: usize) -> io::Result<usize> {
        let taken = self.room.load(Ordering::SeqCst).min(bytes as u64);
        self.room.fetch_sub(taken, Ordering::SeqCst);
        if taken == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken as usize) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.table().open.len()
    }
}

impl Table {
    fn touch(&mut self, id: u64) -> Option<&mut Open> {
        self.uses += 1;
        let open = self.open.get_mut(&id)?;
        open.used = self.uses;
        Some(open)
    }

    fn make_room(&mut self, most: usize) {
        while self.open.len() >= most {
            let Some(oldest) = self.open.iter().min_by_key(|(_, open)| open.used).map(|(id, _)| *id) else { return };
            self.open.remove(&oldest);
        }
    }
}

impl SegmentFile {
    /// Where its batches are.
    pub fn log_path(&self) -> io::Result<PathBuf> {
        self.paths().as_ref().map(|paths| paths.log.clone()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Where its index is, once it is closed.
    pub fn index_path(&self) -> io::Result<PathBuf> {
        self.paths().as_ref().map(|paths| paths.index.clone()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Open for reading anywhere and writing at the end. `NotFound` when it was deleted or replaced.
    pub fn open(&self) -> io::Result<Arc<File>> {
        #[cfg(test)]
        fault(&self.files.open_faults)?;
        if let Some(open) = self.files.table().touch(self.id) {
            return Ok(Arc::clone(&open.file));
        }
        let paths = self.paths();
        let path = &paths.as_ref().ok_or(io::ErrorKind::NotFound)?.log;
        let file = Arc::new(OpenOptions::new().read(true).append(true).open(path)?);
        let mut table = self.files.table();
        table.make_room(self.files.most);
        let used = table.uses;
        table.open.insert(self.id, Open { file: Arc::clone(&file), index: None, used });
        Ok(file)
    }

    /// Forces its batches to disk.
    pub fn sync(&self, open: &File) -> io::Result<()> {
        #[cfg(test)]
        fault(&self.files.sync_faults).and_then(|()| self.files.syncs.attend())?;
        open.sync_data()
    }

    /// The index of a closed segment.
    pub fn index(&self) -> io::Result<Arc<SegmentIndex>> {
        self.open()?;
        if let Some(index) = self.files.table().touch(self.id).and_then(|open| open.index.clone()) {
            return Ok(index);
        }
        let paths = self.paths();
        let path = &paths.as_ref().ok_or(io::ErrorKind::NotFound)?.index;
        let Some((_, index)) = SegmentIndex::load(path)? else {
            let what = format!("{} is damaged; a restart makes it anew", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        };
        let index = Arc::new(index);
        if let Some(open) = self.files.table().touch(self.id) {
            open.index = Some(Arc::clone(&index));
        }
        Ok(index)
    }

    /// Its names go to another segment: nobody opens it any more.
    pub fn retire(&self) {
        *self.paths() = None;
    }

    /// Moves it; who opens it meanwhile waits.
    pub fn rename(&self, log: PathBuf, index: PathBuf) -> io::Result<()> {
        let mut paths = self.paths();
        let Some(current) = paths.as_mut() else { return Err(io::ErrorKind::NotFound.into()) };
        fs::rename(&current.index, &index)?;
        current.index = index;
        fs::rename(&current.log, &log)?;
        current.log = log;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn files(&self) -> &OpenFiles {
        &self.files
    }

    fn paths(&self) -> MutexGuard<'_, Option<Paths>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
fn fault(left: &AtomicU64) -> io::Result<()> {
    let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if taken.is_ok() { Err(io::Error::other("a fault on purpose")) } else { Ok(()) }
}

impl Drop for SegmentFile {
    fn drop(&mut self) {
        self.files.table().open.remove(&self.id);
    }
}
