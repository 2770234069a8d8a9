//! The unit of parallelism: a sub-topology over one partition, with its stores, its processors and its position.
//!
//! ```text
//!            ┌─────────────── PartitionGroup ───────────────┐
//!  queues ──►│ the record with the smallest time goes first │──► Task::process ──► outputs, working sets
//!            └───────────────────────────────────────────────┘         │
//!                                                   Task::prepare ◄────┘ (commit)
//!                                                        │ batch + changelog, then marker
//!                                                   Task::apply  (after Kafka said yes)
//! ```
//!
//! A task has no thread, no clock and no Kafka: whoever runs it gives it records and carries its bytes.

mod error;
mod fill;
mod index_build;
mod index_load;
mod log_tail;
mod next_marker;
mod outgoing;
mod partition_group;
mod plan;
mod punctuation;
mod records;
mod replay;
mod start;
mod start_refusal;
mod stream_task;
mod task_scope;

pub use error::TaskError;
pub use fill::Fill;
pub use index_build::IndexBuild;
pub use index_load::IndexLoad;
pub use log_tail::{LogTail, NotAlone};
pub use next_marker::POSITION_HEADER;
pub use partition_group::{MAX_FETCH_WAIT, PartitionGroup, Readiness};
pub use plan::{PlannedOutput, PlannedSource, PlannedStore, TaskPlan};
pub use records::{Counts, Dropped, InputRecord, MAX_RECORD_BYTES, Output, OutputBuffer, Prepared, Processed};
pub use replay::Replay;
pub use start::{LocalState, LogView, RebuildReason, StartDecision, decide_start};
pub use start_refusal::{StartRefusal, refuse_cluster, refuse_origin};
pub use stream_task::Task;
