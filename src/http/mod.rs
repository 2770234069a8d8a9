//! The HTTP side of an instance: an accept loop with bounds, a table of routes, and problems for everything that goes wrong.
//!
//! ```text
//!  connection ─► server.rs ─► service.rs ─► routes.rs ─► a warp filter of the engine or of the application
//!  (bounded)     (hyper)      path, body,    template       │
//!                             deadline,      and method     ▼
//!                  answer ◄── panic, count ◄──────────── reply or Problem
//! ```
//!
//! Filters only read requests and make replies; which route a request belongs to is decided here, by template and method. So 404
//! and 405 are exact, and metrics carry templates, never paths. Every error is an RFC 9457 problem document. A handler never blocks
//! a tokio worker on disk and is cut off at a deadline.

mod actor;
mod body;
mod client;
mod consistency;
mod engine_routes;
mod freshness;
mod header;
mod inspect_routes;
mod members_route;
mod openapi;
mod outputs;
mod percent;
mod place;
mod problem;
mod query_problem;
mod query_string;
mod readiness;
mod redirect;
mod refusal;
mod rejection;
mod request_count;
mod routes;
mod scope;
mod server;
mod service;
mod stalling;
mod template;

#[cfg(test)]
mod tests;

pub use actor::ActorRule;
pub use client::ask;
pub use consistency::{Consistency, consistency, prefer_wait, prefers};
pub use engine_routes::{Engine, TopologyText, engine_routes};
pub use freshness::with_freshness;
pub use header::{header_fault, names_tag, one_header};
pub use openapi::{About, AnswerHeader, Example, Operation, Parameter, with_document};
pub use outputs::peers;
pub use problem::Problem;
pub use query_string::{Query, query};
pub use readiness::DiskCheck;
pub use routes::{Answers, Routes, param};
pub use server::{OPERATOR_ROUTES, Server, ServerError, ServerSettings};
