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
    /// What is on disk is not what was written.
    #[error("database {path} is damaged: {detail}")]
    Damaged {
        /// Where it lies.
        path: String,
        /// What was found, with the file.
        detail: String,
    },
    /// A newer version of this program wrote the database.
    #[error(
        "database {path} has format {found}, this version knows formats up to {known}: run the version that wrote it, or let this one \
         restore the state from Kafka after `viewmill reset --local`"
    )]
    NewerFormat {
        /// Where it lies.
        path: String,
        /// Its format.
        found: u32,
        /// The newest that is known here.
        known: u32,
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

impl StoreError {
    /// True when what is on disk is not what was written. Anything else that fails, also a full or unreadable disk, says nothing about that.
    pub fn is_damage(&self) -> bool {
        matches!(self, StoreError::Damaged { .. })
    }
}
