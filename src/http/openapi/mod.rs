//! OpenAPI 3.1, made from the routes that are served: each carries its description, and the document is put together from them.
//!
//! ```text
//!  Routes ── an Operation beside each route ──► document.rs ──► /openapi.json ◄── /docs renders it
//!         ── schemas, title
//! ```
//!
//! A route without an [`Operation`] is served, and stands in the document as undescribed; [`Routes::undescribed`](super::Routes::undescribed)
//! names those, for tests.

mod document;
mod engine;
mod engine_schemas;
mod operation;
mod parameter;
mod reads;
mod responses;
mod served;

pub(super) use document::assemble;
pub(super) use engine::{item, items, lag, livez, members, metrics, outputs, owner, readyz, stores, tasks, topology};
pub(super) use engine_schemas::engine_schemas;
pub use operation::{Example, Operation};
pub use parameter::Parameter;
pub use responses::AnswerHeader;
pub use served::with_document;

/// What the document says of the whole.
#[derive(Clone, Debug)]
pub struct About {
    /// Its title.
    pub title: String,
    /// The application's version.
    pub version: &'static str,
    /// In Markdown.
    pub description: String,
    /// The tags of its operations in their order, and what each is for.
    pub tags: Vec<(&'static str, &'static str)>,
}
