//! The descriptions of what can be read.

use serde_json::json;
use viewmill::http::{ActorRule, AnswerHeader, Example, Operation, Parameter};

use super::{COMMAND, ORDER, schema};

const LANGUAGES: &str = "How amounts are formatted: English, Korean or German.";

/// `GET /api/orders/{id}`.
pub fn order(actors: &ActorRule) -> Operation {
    let tag = || AnswerHeader::new("ETag", "Last versions of order, payments and parcels: `\"<order>-<payment>-<shipping>\"`.").always();
    let known = "Entity tags that the client has: 304 if the order is still so.";
    let operation = actors.described(Operation::new("views", "getOrder", "One order"));
    in_language(operation, &[200, 304])
        .parameter(Parameter::path("id", "The order"))
        .parameter(Parameter::header("If-None-Match", known, json!({"type": "string"})))
        .json(200, "The order", schema("Order"))
        .header(200, tag())
        .empty(304, "It is as the client has it")
        .header(304, tag())
        .problem(404, &["order-not-found"])
        .reads_views()
        .redirects()
        .fresh(304)
        .example(Example::new("tea").with("id", ORDER).with("Accept-Language", "de"))
}

/// `GET /api/orders/{id}/history`.
pub fn history(actors: &ActorRule) -> Operation {
    let about = "Without `asOf` the events of all three topics, as they stand in the log, in the order of their times. With it the order as it was, \
                 as `GET /api/orders/{id}` told it then.";
    let as_of = "A version of the order, or a time: `7`, `2026-03-01T09:30:00Z`. Neither `limit` nor `cursor` goes with it.";
    let moment = json!({"anyOf": [{"type": "integer", "minimum": 1, "maximum": i64::MAX}, {"type": "string", "format": "date-time"}]});
    let tag = || AnswerHeader::new("ETag", "Of the order as it was.");
    let vary = || AnswerHeader::new("Vary", "The order as it was depends on the language.");
    let operation = actors.described(Operation::new("views", "getHistory", "What happened to an order, or the order as it was"));
    operation
        .about(about)
        .parameter(Parameter::path("id", "The order"))
        .parameter(Parameter::query("asOf", as_of, moment))
        .page()
        .parameter(Parameter::header("Accept-Language", LANGUAGES, json!({"type": "string"})))
        .parameter(Parameter::header(
            "If-None-Match",
            "Entity tags that the client has, of the order as it was.",
            json!({"type": "string"}),
        ))
        .json(200, "The events, or the order", json!({"oneOf": [schema("EventList"), schema("Order")]}))
        .header(200, tag())
        .header(200, vary())
        .empty(304, "It was as the client has it")
        .header(304, tag().always())
        .header(304, vary().always())
        .problem(404, &["order-not-found", "version-not-found"])
        .problem(422, &["history-truncated", "records-too-large"])
        .problem(503, &["log-unavailable"])
        .reads_views()
        .redirects()
        .fresh(304)
        .example(Example::new("all").with("id", ORDER))
        .example(Example::new("first").with("id", ORDER).with("asOf", "1"))
}

/// `GET /api/orders`.
pub fn list() -> Operation {
    let operation = Operation::new("views", "listOrders", "Orders of one status or of all, the newest first");
    in_language(operation, &[200])
        .parameter(Parameter::query("status", "Only these.", schema("OrderStatus")))
        .page()
        .scoped()
        .json(200, "A page", schema("OrderList"))
        .reads_views()
        .example(Example::new("newest"))
        .example(Example::new("delivered").with("status", "DELIVERED").with("limit", 10))
}

/// `GET /api/dashboard`.
pub fn dashboard() -> Operation {
    Operation::new("views", "getDashboard", "How many orders there are, and what they are worth")
        .json(200, "Of all orders", schema("Dashboard"))
        .scoped()
        .reads_views()
        .example(Example::new("all"))
}

/// `GET /api/commands/{id}`.
pub fn command(actors: &ActorRule) -> Operation {
    let token = AnswerHeader::new("Consistency-Token", "A read that sends it sees what the command led to.");
    actors
        .described(Operation::new("views", "getCommand", "What became of a command"))
        .parameter(Parameter::path("id", "The command"))
        .json(200, "As far as it is", schema("KnownCommand"))
        .header(200, token)
        .problem(404, &["command-not-found"])
        .reads_views()
        .redirects()
        .example(Example::new("tea").with("id", COMMAND))
}

fn in_language(operation: Operation, statuses: &[u16]) -> Operation {
    let language = Parameter::header("Accept-Language", LANGUAGES, json!({"type": "string"}));
    let vary = || AnswerHeader::new("Vary", "The answer depends on the language.").always();
    statuses.iter().fold(operation.parameter(language), |operation, status| operation.header(*status, vary()))
}
