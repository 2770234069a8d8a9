//! A segment to which nothing is added any more.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{OpenFiles, SegmentFile, SegmentIndex, Summary, file_name};

/// A full segment. Its index file is beside it, written when it was closed.
pub struct Closed {
    /// First offset it may hold.
    pub base_offset: i64,
    /// Its batches.
    pub file: Arc<SegmentFile>,
    /// What is known without opening it.
    pub summary: Summary,
    index_synced: AtomicBool,
}

impl Closed {
    /// A segment whose index file has been written.
    pub fn new(base_offset: i64, file: Arc<SegmentFile>, summary: Summary, index_synced: bool) -> Closed {
        Closed { base_offset, file, summary, index_synced: AtomicBool::new(index_synced) }
    }

    /// Forces its index to disk, once. What is not there any more was deleted, or replaced by what is on disk.
    pub fn sync_index(&self) -> io::Result<()> {
        if self.index_synced.load(Ordering::SeqCst) {
            return Ok(());
        }
        match self.file.index_path().and_then(File::open).and_then(|index| index.sync_data()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.index_synced.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// A segment whose index is there and right; `None`: rebuild it. `synced`: a checkpoint that is on disk rests on it.
    pub fn load(dir: &Path, base_offset: i64, synced: bool, files: &Arc<OpenFiles>) -> io::Result<Option<Closed>> {
        let path = dir.join(file_name(base_offset, "log"));
        let size = fs::metadata(&path)?.len();
        let index_path = dir.join(file_name(base_offset, "index"));
        let index = match SegmentIndex::load(&index_path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            loaded => loaded?,
        };
        Ok(match index {
            Some((summary, _)) if summary.size == size => {
                Some(Closed::new(base_offset, Arc::new(files.segment(path, index_path)), summary, synced))
            }
            _ => None,
        })
    }
}
