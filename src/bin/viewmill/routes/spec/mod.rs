//! What `/openapi.json` says of the order system: a description beside each route, and the shapes that they name.
//!
//! Examples hang together: ids follow from idempotency keys, so the requests can be sent one after the other as they stand here, and
//! tests do so.

mod asked;
mod commands;
mod reads;
mod told;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};
use viewmill::http::About;

use crate::settings::OrderSettings;

pub use commands::{create, payment, refund, step};
pub use reads::{command, dashboard, history, list, order};

/// The order that the examples create first; its id follows from their key.
const ORDER: &str = "ed09166a-1ed7-55cc-8d66-93b7697e110f";
/// The second, which is rejected.
const REJECTED_ORDER: &str = "9404c116-6a67-5045-8511-11afa3e58def";
/// The third, which is cancelled.
const CANCELLED_ORDER: &str = "a4962e67-0709-55ca-a4ea-c32f83526329";
/// The command that creates the first.
const COMMAND: &str = "6cb270f1-9311-5204-8d55-8d89a07ef758";

/// The whole.
pub fn about() -> About {
    let description = "\
Orders are changed by commands (`POST`) and read from views (`GET`). A command is decided once, over the event log, and answered when its \
events are committed; it is safe to send it again under the same `Idempotency-Key`.\n\n\
A view is a moment behind. Who sends the `Consistency-Token` of a write with a read sees at least that write.\n\n\
Money is exact: numbers keep their digits, and are accepted as strings too. Every error is an RFC 9457 problem document with a `code`. \
Every `GET` answers `HEAD` too.";
    let tags = vec![("commands", "What can be asked of an order."), ("views", "What can be read.")];
    About { title: "Viewmill orders".to_owned(), version: env!("CARGO_PKG_VERSION"), description: description.to_owned(), tags }
}

/// All shapes, by their names.
pub fn schemas(settings: OrderSettings) -> Map<String, Value> {
    let all = asked::schemas(settings).into_iter().chain(told::schemas());
    all.map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// A reference to a shape.
fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
