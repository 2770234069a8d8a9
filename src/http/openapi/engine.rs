//! The descriptions of the engine's own routes.

use serde_json::{Value, json};

use super::engine_schemas::{CHECKS, LAG, MEMBERS, STORES, TASKS, schema};
use super::{Operation, Parameter};
use crate::query::Page;

fn engine(id: &'static str, summary: &'static str) -> Operation {
    Operation::new("engine", id, summary)
}

/// Rows of a store may be any JSON.
fn any() -> Value {
    json!({})
}

fn of_here(operation: Operation) -> Operation {
    let about = "This instance alone is asked.";
    operation.parameter(Parameter::query("scope", about, json!({"type": "string", "const": "local"})))
}

pub(in crate::http) fn livez() -> Operation {
    let body = json!({"type": "object", "required": ["live"], "properties": {"live": {"const": true}}, "additionalProperties": false});
    engine("getLiveness", "Whether the process answers").json(200, "It does", body).always_answered()
}

pub(in crate::http) fn readyz() -> Operation {
    let verbose = "Changes nothing: the checks are always told.";
    engine("getReadiness", "Whether this instance can do its work")
        .parameter(Parameter::query("verbose", verbose, json!({"type": "string"})))
        .json(200, "All checks passed", schema(CHECKS))
        .json(503, "A check failed", schema(CHECKS))
        .always_answered()
}

pub(in crate::http) fn metrics() -> Operation {
    let operation = engine("getMetrics", "All metrics, for Prometheus");
    operation.content(200, "Its text format", "text/plain", json!({"type": "string"})).always_answered()
}

pub(in crate::http) fn tasks() -> Operation {
    let operation = engine("getTasks", "The tasks that this instance has").json(200, "By token", schema(TASKS));
    of_here(operation)
}

pub(in crate::http) fn lag() -> Operation {
    let operation = engine("getLag", "How far this instance is behind its topics").json(200, "By partition", schema(LAG));
    of_here(operation)
}

pub(in crate::http) fn members() -> Operation {
    engine("getMembers", "The living members of the application").json(200, "By instance", schema(MEMBERS))
}

pub(in crate::http) fn topology(formats: &[(&'static str, &'static str)]) -> Operation {
    let names: Vec<&str> = formats.iter().map(|(name, _)| *name).collect();
    let format = Parameter::query("format", "How it is drawn.", json!({"type": "string", "enum": names}));
    let operation = engine("getTopology", "What runs: sources, processors, stores, sinks").parameter(format);
    let mut types: Vec<&'static str> = formats.iter().map(|(_, content_type)| *content_type).collect();
    types.sort_unstable();
    types.dedup();
    types.into_iter().fold(operation, |operation, content_type| {
        let essence = content_type.split(';').next().unwrap_or(content_type);
        let schema = if essence == "application/json" { any() } else { json!({"type": "string"}) };
        operation.content(200, "The topology", essence, schema)
    })
}

pub(in crate::http) fn outputs() -> Operation {
    let text = json!({"type": "string"});
    let body = json!({"type": "object", "required": ["task", "outputs"], "properties": {"task": text, "outputs": text}, "additionalProperties": false});
    engine("getOutputs", "How far the outputs of a task are")
        .about("Instances ask each other, for readers of what the task feeds.")
        .parameter(Parameter::path("task", "The task, as `getTasks` names it"))
        .json(200, "Where its outputs end, as in `View-Position`", body)
        .problem(404, &["task-not-found"])
        .waits()
        .redirects()
}

pub(in crate::http) fn stores() -> Operation {
    let operation = engine("getStores", "The stores of the topology").json(200, "By name", schema(STORES));
    of_here(operation)
}

pub(in crate::http) fn item() -> Operation {
    let part =
        json!({"type": "object", "required": ["partition", "value"], "properties": {"partition": {"type": "integer"}, "value": any()}});
    let body = json!({
        "type": "object",
        "required": ["key"],
        "properties": {"key": any(), "value": any(), "values": {"type": "array", "minItems": 1, "items": part}},
        "additionalProperties": false,
    });
    of_store("getItem", "One row of a store")
        .parameter(Parameter::path("key", "The key as JSON, or as text where it is one"))
        .json(200, "Its value, or of a partial store the values of the partitions", body)
        .problem(404, &["key-not-found"])
        .scoped()
        .reads_views()
        .redirects()
}

pub(in crate::http) fn items() -> Operation {
    let row = json!({
        "type": "object",
        "required": ["key", "value"],
        "properties": {"key": any(), "value": any(), "partition": {"type": "integer"}},
        "additionalProperties": false,
    });
    let body = json!({
        "type": "object",
        "required": ["items", "nextCursor"],
        "properties": {"items": {"type": "array", "items": row}, "nextCursor": {"type": ["string", "null"]}},
        "additionalProperties": false,
    });
    let text = || json!({"type": "string"});
    of_store("getItems", "Rows of a store, in the order of their keys")
        .parameter(Parameter::query("prefix", "Keys that begin so: parts of the key as a JSON array.", text()))
        .parameter(Parameter::query("from", "From this key on.", text()))
        .parameter(Parameter::query("to", "Up to before this key.", text()))
        .parameter(Parameter::query("index", "In the order of this index.", text()))
        .page()
        .json(200, "A page", body)
        .scoped()
        .reads_views()
}

pub(in crate::http) fn owner() -> Operation {
    let body = json!({
        "type": "object",
        "required": ["partition", "task", "here"],
        "properties": {"partition": {"type": "integer", "minimum": 0}, "task": {"type": "string"}, "here": {"type": "boolean"}},
        "additionalProperties": false,
    });
    of_store("getOwner", "Which task has a key")
        .parameter(Parameter::path("key", "The key as JSON, or as text where it is one"))
        .json(200, "The task, and whether this instance has it", body)
        .problem(503, &["restoring"])
}

fn of_store(id: &'static str, summary: &'static str) -> Operation {
    engine(id, summary).parameter(Parameter::path("store", "The name of a store")).problem(404, &["store-not-found"])
}

impl Operation {
    /// It takes `limit` and `cursor`.
    pub fn page(self) -> Self {
        let limit = json!({"type": "integer", "minimum": 1, "maximum": Page::MAX_LIMIT, "default": 50});
        self.parameter(Parameter::query("limit", "The most rows of the page.", limit)).parameter(Parameter::query(
            "cursor",
            "`nextCursor` of the page before.",
            json!({"type": "string"}),
        ))
    }
}
