//! A log is cut into segments: files of batches, named after their first offset, each with a sparse index beside it.

mod active;
mod closed;
mod index;
#[cfg(test)]
mod meeting;
mod open_files;
mod scanner;

pub use active::Active;
pub use closed::Closed;
pub use index::{AbortedTransaction, SegmentIndex, Summary};
#[cfg(test)]
pub use meeting::Meeting;
pub use open_files::{OpenFiles, SegmentFile};
pub use scanner::Scanner;

/// A segment's file name: `00000000000000000042.log`.
pub fn file_name(base_offset: i64, extension: &str) -> String {
    format!("{base_offset:020}.{extension}")
}
