//! Where state lives: one database a task, a column a store.
//!
//! ```text
//!   processor ──► KeyValueStore ──► working set ──(commit)──► Batch ──► Database (RocksDB or memory)
//!                                        │                      ▲
//!                                        └──► changelog records ─┘ the same bytes
//! ```
//!
//! Nothing uncommitted ever reaches a database: rows that a transaction changes stay decoded in the working set until Kafka
//! has said yes, and then go in one [`Batch`] together with the task's position. So a crash never needs a wipe.

mod batch;
mod damage;
mod database;
mod directory;
mod directory_lock;
mod error;
mod figures;
mod generations;
mod index;
mod key_range;
mod key_value_store;
mod local_state;
mod memory_database;
mod origin;
mod position;
mod rocks;
mod row_table;
mod store_type;
mod task_database;
mod task_restore;
mod working_set;

#[cfg(test)]
mod tests;

pub use batch::{Batch, BatchEntry, Column};
pub use database::{Database, DatabaseProvider, Snapshot};
pub use directory::StateDirectory;
pub use directory_lock::DirectoryLock;
pub use error::StoreError;
pub use figures::DatabaseFigures;
pub(crate) use index::{IndexDef, IndexKeys};
pub use key_range::{Direction, KeyRange};
pub use key_value_store::{Change, KeyValueStore};
pub use local_state::{LocalState, LocalTask};
pub use memory_database::{MemoryDatabase, MemoryDisk};
pub use origin::Origin;
pub use position::{Marker, TaskPosition};
pub use rocks::{MemoryBudget, ROCKSDB_VERSION, RocksDisk};
pub use row_table::{LoadRow, RowTable};
pub(crate) use store_type::{RowIndexer, RowTypes, StoreType};
pub use task_database::{TaskDatabase, TaskLease};
pub use task_restore::RestoreProgress;
pub(crate) use working_set::{ErasedStore, TypedStore};
