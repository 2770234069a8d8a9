//! The segment that is written to.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::path::Path;
use std::sync::Arc;

use super::{Closed, OpenFiles, SegmentFile, SegmentIndex, Summary, file_name};

/// The last segment of a log; its index is in memory.
pub struct Active {
    /// First offset it may hold.
    pub base_offset: i64,
    /// Its batches.
    pub file: Arc<SegmentFile>,
    /// Up to date with each batch.
    pub summary: Summary,
    /// Up to date with each batch.
    pub index: SegmentIndex,
}

impl Active {
    /// Makes an empty segment; what stood under its name is gone.
    pub fn create(dir: &Path, base_offset: i64, files: &Arc<OpenFiles>, now: i64) -> io::Result<Active> {
        let path = dir.join(file_name(base_offset, "log"));
        OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        let file = Arc::new(files.segment(path, dir.join(file_name(base_offset, "index"))));
        Ok(Active { base_offset, file, summary: Summary::empty(base_offset, now), index: SegmentIndex::default() })
    }

    /// It is full; its index file must have been written.
    pub fn closed(self) -> Closed {
        Closed::new(self.base_offset, self.file, self.summary, false)
    }
}

impl SegmentFile {
    /// Writes a batch at the end, in one call where the system allows.
    pub fn write(&self, header: &[u8], records: &[u8]) -> io::Result<()> {
        let file = self.open()?;
        let mut slices = [IoSlice::new(header), IoSlice::new(records)];
        let mut slices = &mut slices[..];
        while !slices.is_empty() {
            match self.write_some(&file, slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut slices, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(not(test))]
    fn write_some(&self, mut file: &File, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        file.write_vectored(slices)
    }

    #[cfg(test)]
    fn write_some(&self, mut file: &File, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let fits = self.files().take_room(bytes.len())?;
        file.write(&bytes[..fits])
    }

    /// Cuts off what stands behind `size`.
    pub fn cut(&self, size: u64) -> io::Result<()> {
        self.open()?.set_len(size)
    }
}
