//! What a request may carry besides its body.

use serde_json::{Map, Value, json};

/// A named part of the path, a parameter of the query string, or a header.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub(super) place: Place,
    pub(super) name: String,
    about: String,
    schema: Value,
    is_required: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Header,
}

impl Parameter {
    /// A named segment of the path: any text that is not empty.
    pub fn path(name: &'static str, about: impl Into<String>) -> Self {
        Self::new(Place::Path, name, about, json!({"type": "string", "minLength": 1}))
    }

    /// A parameter of the query string, which may be left out.
    pub fn query(name: &'static str, about: impl Into<String>, schema: Value) -> Self {
        Self::new(Place::Query, name, about, schema)
    }

    /// A header, which may be left out.
    pub fn header(name: impl Into<String>, about: impl Into<String>, schema: Value) -> Self {
        Self::new(Place::Header, name, about, schema)
    }

    /// It must be there.
    pub fn required(self) -> Self {
        Parameter { is_required: true, ..self }
    }

    fn new(place: Place, name: impl Into<String>, about: impl Into<String>, schema: Value) -> Self {
        Parameter { place, name: name.into(), about: about.into(), schema, is_required: place == Place::Path }
    }

    /// As a Parameter Object, with its values in examples by their names.
    pub(super) fn to_json(&self, examples: Map<String, Value>) -> Value {
        let place = match self.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        };
        let mut json = json!({"name": self.name, "in": place, "description": self.about, "schema": self.schema});
        if self.is_required {
            json["required"] = true.into();
        }
        if !examples.is_empty() {
            json["examples"] = examples.into();
        }
        json
    }
}
