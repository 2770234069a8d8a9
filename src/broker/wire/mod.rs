//! Kafka's wire protocol: requests and responses as plain structs, read with bounds and written without copying records.
//!
//! Each message describes its fields once ([`Message`]); [`Reader`] fills it, [`Writer`] writes it, and the tests' filler makes
//! one up. [`APIS`] is the one table of what is answered in which versions.

mod api_key;
mod error_code;
mod fields;
mod frame;
mod messages;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use api_key::{APIS, Api, ApiKey};
pub use error_code::ErrorCode;
pub use fields::{Fields, Message};
pub use frame::{RequestHeader, response_frame};
pub use messages::*;
pub use reader::Reader;
pub use writer::Writer;

/// Why bytes are no message, or a message cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A length or count reaches beyond the end.
    #[error("it ends too early: {wanted} bytes or elements are announced, {left} bytes are left")]
    Truncated { wanted: usize, left: usize },
    /// A length below -1.
    #[error("a length is {0}")]
    Negative(i64),
    /// A varint of more than 32 bits.
    #[error("a varint has more than 32 bits")]
    Varint,
    /// Null where there must be a value.
    #[error("null stands where there must be a value")]
    Null,
    /// Text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// Arrays that would take many times the frame's size in memory.
    #[error("an array of {count} elements would take too much memory for a frame of its size")]
    Memory { count: usize },
    /// A value too long for its length field.
    #[error("{0} bytes are too long for a length field")]
    TooLong(usize),
}
