//! Goes through a segment batch by batch.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::broker::log::batch::{BatchHeader, HEADER_BYTES};

const CHUNK_BYTES: usize = 256 << 10;

/// Reads headers, and batches when asked. Memory: a chunk, or the batch that was asked for.
pub struct Scanner {
    file: Arc<File>,
    limit: u64,
    position: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl Scanner {
    /// Batches between two positions, both at batch boundaries.
    pub fn new(file: Arc<File>, from: u64, limit: u64) -> Self {
        Scanner { file, limit, position: from, chunk: Vec::new(), chunk_at: from }
    }

    /// Where the next batch begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The header at the position. `None` at the limit, and where no whole batch stands.
    pub fn peek(&mut self) -> io::Result<Option<BatchHeader>> {
        let here = self.position;
        let Some(bytes) = self.bytes(HEADER_BYTES)? else { return Ok(None) };
        Ok(BatchHeader::read(bytes).filter(|header| here + header.size as u64 <= self.limit))
    }

    /// The whole batch at the position, of which `peek` told.
    pub fn batch(&mut self, header: &BatchHeader) -> io::Result<&[u8]> {
        let size = header.size;
        self.bytes(size)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// On to the next batch.
    pub fn skip(&mut self, header: &BatchHeader) {
        self.position += header.size as u64;
    }

    fn bytes(&mut self, size: usize) -> io::Result<Option<&[u8]>> {
        if self.position + size as u64 > self.limit {
            return Ok(None);
        }
        let end = self.chunk_at + self.chunk.len() as u64;
        if self.position < self.chunk_at || self.position + size as u64 > end {
            let wanted = (size.max(CHUNK_BYTES) as u64).min(self.limit - self.position);
            self.chunk.resize(wanted as usize, 0);
            self.chunk.shrink_to(CHUNK_BYTES);
            self.chunk_at = self.position;
            self.file.read_exact_at(&mut self.chunk, self.position)?;
        }
        let from = (self.position - self.chunk_at) as usize;
        Ok(self.chunk.get(from..from + size))
    }
}
