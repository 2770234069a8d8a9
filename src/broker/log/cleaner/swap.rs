//! A cleaned segment on its way into the place of those it was made of, so that a crash at any point leaves either them or it.
//!
//! ```text
//! B.cleaned, B.index-cleaned    being written: a start deletes them
//! B-E.swap                      decided: a start goes on from here
//!   delete the segments behind B up to E · B.index-cleaned ─► B.index · B-E.swap ─► B.log
//! ```

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::broker::log::LogSettings;
use crate::broker::log::batch::BatchHeader;
use crate::broker::log::segment::{AbortedTransaction, Closed, OpenFiles, SegmentIndex, Summary, file_name};

/// A segment that is being made of others.
pub struct CleanedSegment {
    dir: PathBuf,
    base_offset: i64,
    file: BufWriter<File>,
    summary: Summary,
    index: SegmentIndex,
    decided: bool,
}

impl CleanedSegment {
    /// Empty, for a group of segments of which these are the first offset and the last one's summary.
    pub fn create(dir: &Path, base_offset: i64, last: &Summary) -> io::Result<Self> {
        let file = BufWriter::with_capacity(256 << 10, File::create(dir.join(file_name(base_offset, "cleaned")))?);
        let summary = Summary { modified_ms: last.modified_ms, ..Summary::empty(base_offset, last.created_ms) };
        Ok(CleanedSegment { dir: dir.to_owned(), base_offset, file, summary, index: SegmentIndex::default(), decided: false })
    }

    /// Adds a batch.
    pub fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        let header = BatchHeader::read(batch).ok_or_else(|| io::Error::other("a cleaned batch is no batch"))?;
        self.file.write_all(batch)?;
        let modified_ms = self.summary.modified_ms;
        self.index.add(&mut self.summary, &header, modified_ms);
        Ok(())
    }

    /// On disk and decided: from now on it takes the place of the segments from its own offset to that of `last`. To be followed by
    /// [`finish_swap`].
    pub fn decide(
        mut self,
        aborted: Vec<AbortedTransaction>,
        last: i64,
        settings: &LogSettings,
        files: &Arc<OpenFiles>,
    ) -> io::Result<Closed> {
        self.index.aborted = aborted;
        self.summary.aborted = self.index.aborted.len();
        self.file.flush()?;
        let index_path = self.dir.join(file_name(self.base_offset, "index-cleaned"));
        fs::write(&index_path, self.index.encode(&self.summary))?;
        if settings.syncs() {
            self.file.get_ref().sync_data()?;
            File::open(&index_path)?.sync_data()?;
        }
        let swap = self.dir.join(swap_name(self.base_offset, last));
        fs::rename(self.dir.join(file_name(self.base_offset, "cleaned")), &swap)?;
        if let Err(error) = settings.sync_dir(&self.dir) {
            // A start would put it over what these segments have become until then.
            fs::remove_file(&swap)?;
            return Err(error);
        }
        self.decided = true;
        let file = Arc::new(files.segment(swap, index_path));
        Ok(Closed::new(self.base_offset, file, self.summary, true))
    }
}

/// What was not decided takes no space.
impl Drop for CleanedSegment {
    fn drop(&mut self) {
        if self.decided {
            return;
        }
        for extension in ["cleaned", "index-cleaned"] {
            let path = self.dir.join(file_name(self.base_offset, extension));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(%error, "{} is left", path.display()),
                _ => {}
            }
        }
    }
}

/// Deletes what a decided segment replaces; it itself is to be renamed then.
fn delete_replaced(dir: &Path, base_offset: i64, last: i64) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == "log" || extension == "index");
        let base = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<i64>().ok());
        if is_segment && base.is_some_and(|base| base > base_offset && base <= last) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Puts a decided segment in its place, unless it is there.
pub fn finish_swap(dir: &Path, segment: &Closed, settings: &LogSettings) -> io::Result<()> {
    let Some((base_offset, last)) = parse_swap_name(&segment.file.log_path()?) else { return Ok(()) };
    delete_replaced(dir, base_offset, last)?;
    let place = |extension| dir.join(file_name(base_offset, extension));
    segment.file.rename(place("log"), place("index"))?;
    settings.sync_dir(dir)
}

/// At a start: deletes what was not decided, finishes what was.
pub fn finish_swaps(dir: &Path, settings: &LogSettings) -> io::Result<()> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        paths.push(entry?.path());
    }
    let has_extension = |path: &Path, wanted: &str| path.extension().is_some_and(|extension| extension == wanted);
    let mut changed = false;
    for swap in paths.iter().filter(|path| has_extension(path, "swap")) {
        let Some((base_offset, last)) = parse_swap_name(swap) else { continue };
        delete_replaced(dir, base_offset, last)?;
        let index = dir.join(file_name(base_offset, "index-cleaned"));
        if index.exists() {
            fs::rename(index, dir.join(file_name(base_offset, "index")))?;
        }
        fs::rename(swap, dir.join(file_name(base_offset, "log")))?;
        changed = true;
    }
    for path in paths.iter().filter(|path| has_extension(path, "cleaned") || has_extension(path, "index-cleaned")) {
        if path.exists() {
            fs::remove_file(path)?;
            changed = true;
        }
    }
    if changed { settings.sync_dir(dir) } else { Ok(()) }
}

fn swap_name(base_offset: i64, last: i64) -> String {
    format!("{base_offset:020}-{last:020}.swap")
}

fn parse_swap_name(path: &Path) -> Option<(i64, i64)> {
    let (base_offset, last) = path.file_stem()?.to_str()?.split_once('-')?;
    Some((base_offset.parse().ok()?, last.parse().ok()?))
}
