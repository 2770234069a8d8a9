//! What can go wrong in a store.

use crate::codec::CodecError;

/// A store could not do what was asked. None of these is the fault of a record.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A row or key could not be read or written.
    #[error("store {store}: {source}")]
    Codec {
        /// The store.
        store: String,
        /// What was wrong with the bytes.
        #[source]
        source: CodecError,
    },
    /// The database failed.
    #[error("database {path}: {operation}: {detail}")]
    Database {
        /// Where it lies.
        path: String,
        /// What was being tried.
        operation: &'static str,
        /// What it said.
        detail: String,
    },
    /// Another process holds the state directory.
    #[error("state directory {path} is held by {holder}; stop that process or set application.state_dir to another directory")]
    Locked {
        /// The directory.
        path: String,
        /// Who holds it, as that process wrote.
        holder: String,
    },
    /// A batch does not follow the state that the database holds.
    #[error("database {path} is at sequence {found}, a batch for sequence {wanted} does not follow it")]
    OutOfSequence {
        /// Where it lies.
        path: String,
        /// The database's sequence.
        found: u64,
        /// The batch's sequence.
        wanted: u64,
    },
}
