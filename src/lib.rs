//! Viewmill: a stream-processing engine with materialized views over Kafka.
//!
//! ```text
//!  source topics ─► kafka/ ─► task/ ─► processor/ ─► state/ ─► query/ ─► http/
//!                     ▲         │                      │
//!                     │         └─ runtime/ runs it ───┘
//!                     └── one transaction: outputs, changelog, marker, offsets
//! ```
//!
//! An application declares a [`topology`] of sources, processors, stores and sinks, and routes that read its stores through
//! [`Views`]. The engine runs a task per partition, keeps each task's stores in RocksDB, commits inputs, state and outputs in one
//! Kafka transaction, and gives state back from the changelog where it is lost. `ARCHITECTURE.md` tells how a record travels.
//!
//! Start at [`TopologyBuilder`] for what runs, [`Processor`] for how a record is handled, [`Views`] for reading, and
//! [`testkit::TopologyTestDriver`] for tests without Kafka.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod app;
pub mod broker;
pub mod clock;
pub mod codec;
pub mod command;
pub mod faults;
pub mod http;
pub mod kafka;
pub mod metrics;
pub mod ports;
pub mod processor;
pub mod query;
pub mod record;
pub mod runtime;
pub mod state;
pub mod task;
pub mod testkit;
pub mod topology;

/// The example in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Examples that run in the simulation name the library as all programs do.
#[cfg(test)]
extern crate self as viewmill;

#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;

pub use app::main;
pub use codec::{Codec, CodecError, Desc, Json, KeyCodec, Nullable, Prefix, StoreKey, StoreValue, Text};
pub use processor::{
    IndexRef, Output, ProcessResult, Processor, ProcessorContext, ProcessorError, PunctuationId, PunctuationType, RecordContext, StoreRef,
};
pub use query::{After, Answer, ConsistencyToken, Page, QueryError, Read, Scope, Slice, Views};
pub use record::{Data, Header, Headers, Offset, Position, Record, Timestamp};
pub use state::{Change, Direction, KeyValueStore, StoreError};
pub use topology::{CommitPace, Index, Keyed, Partial, Sink, Store, Stream, Topology, TopologyBuilder, TopologyErrors, Wiring};
