//! The shapes of the engine's answers, under the names that they have in the document.

use serde_json::{Map, Value, json};

pub(super) const CHECKS: &str = "Checks";
pub(super) const LAG: &str = "Lag";
pub(super) const MEMBERS: &str = "Members";
pub(super) const STORES: &str = "Stores";
pub(super) const TASKS: &str = "Tasks";

/// A reference to one of them.
pub(super) fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// All of them.
pub(in crate::http) fn engine_schemas() -> Map<String, Value> {
    let all = [(CHECKS, checks()), (LAG, lag()), (MEMBERS, members()), (STORES, stores()), (TASKS, tasks())];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// An object of which every member is always there.
fn object(properties: Value) -> Value {
    let required: Vec<String> = properties.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn whole() -> Value {
    json!({"type": "integer"})
}

fn text_or_null() -> Value {
    json!({"type": ["string", "null"]})
}

fn whole_or_null() -> Value {
    json!({"type": ["integer", "null"]})
}

fn number_or_null() -> Value {
    json!({"type": ["number", "null"]})
}

fn checks() -> Value {
    let check = object(json!({"name": {"enum": ["state", "tasks", "disk"]}, "ok": {"type": "boolean"}, "detail": text()}));
    object(json!({"ready": {"type": "boolean"}, "checks": list(check)}))
}

fn tasks() -> Value {
    let task = object(json!({
        "id": text_or_null(),
        "token": whole(),
        "subtopology": text_or_null(),
        "partition": whole_or_null(),
        "role": {"enum": ["active", null]},
        "state": text(),
        "instance": text(),
        "thread": text(),
        "restoreRemaining": whole_or_null(),
        "restoreRate": number_or_null(),
        "restoreEtaSeconds": number_or_null(),
    }));
    object(json!({"tasks": list(task)}))
}

fn lag() -> Value {
    let row = object(json!({
        "topic": text(),
        "partition": whole(),
        "task": text(),
        "position": whole(),
        "committed": whole(),
        "end": whole_or_null(),
        "lagRecords": whole_or_null(),
        "lagSeconds": number_or_null(),
        "verdict": {"enum": ["ok", "catching_up", "slow", "stalled", "stopped", "lost", null]},
        "etaSeconds": number_or_null(),
    }));
    object(json!({"rows": list(row)}))
}

fn members() -> Value {
    let task = object(json!({"id": text(), "role": text(), "state": text()}));
    let member = object(json!({
        "instance": text(),
        "url": text(),
        "version": text(),
        "tasks": list(task),
        "lastSeenSeconds": number_or_null(),
        "self": {"type": "boolean"},
    }));
    object(json!({"members": list(member)}))
}

fn stores() -> Value {
    let store = object(json!({
        "name": text(),
        "kind": {"enum": ["keyed", "partial"]},
        "subtopology": text(),
        "changelog": text(),
        "indexes": list(text()),
        "partitionsHere": list(whole()),
        "restoring": list(whole()),
    }));
    object(json!({"stores": list(store)}))
}
