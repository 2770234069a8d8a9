//! Interactive queries: reading the state of running tasks from outside of their threads.
//!
//! A read takes a snapshot of the task's database, in which the row and the position that it belongs to are from the same
//! commit. It never waits for a stream thread.

mod error;
mod registry;
mod views;

pub use error::QueryError;
pub use registry::{TaskView, ViewRegistry};
pub use views::{Answer, InstanceId, Read, Role, Views};
