//! Record batches of format 2, the unit in which records are sent, stored and served.

mod builder;
mod compression;
mod header;
mod records;
#[cfg(test)]
mod tests;
mod validate;
mod varint;

pub use builder::{BatchBuilder, marker_batch};
pub use compression::Compression;
pub use header::{BatchHeader, HEADER_BYTES, NO_PRODUCER, increment_sequence};
pub use records::{ControlRecord, Record, Records, RecordsError};
pub use validate::{Limits, validate};
