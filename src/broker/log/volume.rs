//! The file system on which the logs are.

use std::io;
use std::path::Path;

/// How large it is, and what is left of it.
pub struct Volume {
    /// All of it.
    pub total_bytes: u64,
    /// What may still be written.
    pub free_bytes: u64,
}

impl Volume {
    /// Where a directory is.
    pub fn of(dir: &Path) -> io::Result<Volume> {
        let told = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        Ok(Volume { total_bytes: bytes(told.f_blocks), free_bytes: bytes(told.f_bavail) })
    }
}
