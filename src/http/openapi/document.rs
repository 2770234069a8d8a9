//! The document of a table of routes.

use serde_json::{Map, Value, json};

use super::About;
use super::responses::problem_schemas;
use crate::http::routes::Endpoint;

/// Those of the engine's own routes.
const TAGS: [(&str, &str); 2] = [("engine", "Probes, metrics, and what the engine does."), ("documentation", "This description.")];

/// Puts the document together from the routes that are served.
pub(in crate::http) fn assemble(about: Option<&About>, endpoints: &[Endpoint], schemas: &Map<String, Value>) -> Value {
    let mut paths = Map::new();
    for endpoint in endpoints {
        let operation = endpoint.operation.as_ref().map_or_else(|| undescribed(endpoint), |operation| operation.to_json());
        let path = paths.entry(endpoint.template.text).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = operation;
    }
    let tags = about.into_iter().flat_map(|about| about.tags.iter().copied()).chain(TAGS);
    let tags: Vec<Value> = tags.map(|(name, description)| json!({"name": name, "description": description})).collect();
    let info = match about {
        Some(about) => json!({"title": about.title, "version": about.version, "description": about.description}),
        None => json!({"title": "", "version": ""}),
    };
    let mut schemas = schemas.clone();
    schemas.extend(problem_schemas().map(|(name, schema)| (name.to_owned(), schema)));
    json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": "./", "description": "This instance"}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// What is known of a route that nobody has described.
fn undescribed(endpoint: &Endpoint) -> Value {
    let parameter = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}});
    json!({
        "operationId": format!("{} {}", endpoint.method, endpoint.template.text),
        "summary": "This route is not described",
        "parameters": endpoint.template.names().map(parameter).collect::<Vec<_>>(),
        "responses": {"default": {"description": "Anything"}},
    })
}
