//! The loop as a deterministic machine over ports and clock: no threads, no waiting, no wall clock of its own.
//!
//! [`StreamThread::step`] is five calls: poll → restore → process → punctuate → commit. [`StateRestorer::step`] is the other half, which
//! opens tasks: it locates the last marker, decides how to start, and reads changelogs. A thread of `runtime/` (or a
//! simulation, from a seed) calls `step` again and again.
//!
//! ```text
//!                 ┌────────────── StreamThread ──────────────┐        ┌─── StateRestorer ───┐
//!  group ───────► │ token given  ► slot Wanted ──► Opening ──┼─open──►│ locate the marker   │
//!                 │                                 Active ◄─┼─opened─┤ decide, restore     │
//!  sources ─────► │ PartitionGroup ► Task ► outputs          │        └─────────────────────┘
//!                 │ transaction: changelog, markers, offsets │
//!                 └──────────────────────────────────────────┘
//! ```

mod active_task;
mod commit;
mod commit_at_least_once;
mod commit_listener;
mod consequence;
mod fence;
mod foresight;
mod guarantee;
mod membership;
mod messages;
mod next_step;
mod outdated;
mod patience;
mod poison;
mod process;
mod recent;
mod recover;
mod restore_error;
mod restorer;
mod stream_thread;
mod telling;
mod thread_error;

pub use commit_listener::CommitListener;
pub use guarantee::Guarantee;
pub use messages::{OpenRequest, Opened, OpenedTask, Opening};
pub use next_step::Step;
pub use poison::PoisonPolicy;
pub use restore_error::RestoreError;
pub use restorer::StateRestorer;
pub use stream_thread::{StepSettings, StreamThread, ThreadParts};
pub use thread_error::ThreadError;
