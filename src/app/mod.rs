//! The application shell: what turns a topology and routes into a program, and the only place that plugs `kafka` into `runtime`.

mod application;
mod beside;
mod cli;
pub mod config;
mod connector;
mod embedded;
mod exit;
mod former_threads;
mod instance;
mod logging;
mod malloc;
mod members_thread;
mod not_ready;
mod online_check;
mod open_ahead;
mod open_files;
mod outcomes_thread;
mod own_thread;
mod records_thread;
mod reset;
mod restore_report;
mod run;
mod topic_feed;
mod topic_watch;

pub use application::{Application, main};
pub use beside::{Beside, Running, Work};
pub use topic_feed::{FeedError, TopicFeed};
