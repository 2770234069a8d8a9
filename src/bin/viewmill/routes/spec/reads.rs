//! The descriptions of what can be read.

use serde_json::json;
use viewmill::http::{ActorRule, AnswerHeader, Example, Operation, Parameter};

use super::{COMMAND, ORDER, schema};

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
        .fresh(304)
        .example(Example::new("tea").with("id", ORDER).with("Accept-Language", "de"))
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
        .example(Example::new("tea").with("id", COMMAND))
}

fn in_language(operation: Operation, statuses: &[u16]) -> Operation {
    let language = Parameter::header("Accept-Language", "How amounts are formatted: English, Korean or German.", json!({"type": "string"}));
    let vary = || AnswerHeader::new("Vary", "The answer depends on the language.").always();
    statuses.iter().fold(operation.parameter(language), |operation, status| operation.header(*status, vary()))
}
