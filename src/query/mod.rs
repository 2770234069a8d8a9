//! Interactive queries: reading the state of running tasks from outside of their threads.
//!
//! A read takes a snapshot of the task's database, in which the row and the position that it belongs to are from the same
//! commit. It never waits for a stream thread; one that carries a [`ConsistencyToken`] waits, as a future, until commits have come so far.
//!
//! ```text
//!  get ───────────────► the task of the key ──┐
//!  get_each, rows_each ─► every partition ────┼─► one snapshot a partition, on a blocking thread ─► Answer
//!  page, scan ──────────► every partition ────┘      └─ walk.rs merges their entries by bytes
//! ```

mod answer;
mod cursor;
mod error;
mod inspect;
mod inspect_list;
mod owners;
mod pages;
mod parts;
mod peers;
mod record_reader;
mod registry;
mod store_table;
mod token;
mod upstream;
mod views;
mod waiting;
mod walk;

pub use crate::state::Direction;
pub use answer::{Answer, InstanceId, Page, Read, Role, Scope, Slice};
pub use cursor::{cursor_after, entry_before};
pub use error::QueryError;
pub use inspect::{Item, ItemValue, Owner, StoreInfo};
pub use inspect_list::{ItemList, ItemRange, ItemRow, RangeFaults};
pub use owners::{MissingTask, Owners, TaskOwner};
pub use pages::PageOf;
pub use peers::{PeerAnswer, PeerFault, PeerQuestion, Peers};
pub use record_reader::{FoundRecords, NoMoreRequests, RecordReader, RecordRequest, RecordRequests, WantedRecords};
pub use registry::{TaskView, ViewRegistry};
pub use token::{ConsistencyToken, TokenFault};
pub use views::{TaskLag, Views};
pub use waiting::After;

#[cfg(test)]
pub(crate) mod tests;
