//! What may be answered: statuses with their bodies and headers, and problems by their codes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// A header of an answer.
#[derive(Clone, Debug)]
pub struct AnswerHeader {
    name: &'static str,
    about: &'static str,
    schema: Value,
    always: bool,
}

impl AnswerHeader {
    /// A header with any text, that may be missing.
    pub fn new(name: &'static str, about: &'static str) -> Self {
        AnswerHeader { name, about, schema: json!({"type": "string"}), always: false }
    }

    /// It has values of this schema only.
    pub fn of(mut self, schema: Value) -> Self {
        self.schema = schema;
        self
    }

    /// Every such answer has it.
    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }
}

/// The answers of one status.
#[derive(Clone, Debug, Default)]
pub(super) struct Response {
    about: String,
    /// Media type and schema; none where there is no body.
    content: Vec<(&'static str, Value)>,
    headers: Vec<AnswerHeader>,
    /// Of problems.
    codes: BTreeSet<&'static str>,
}

impl Response {
    pub(super) fn describe(&mut self, about: &str) {
        about.clone_into(&mut self.about);
    }

    pub(super) fn add_content(&mut self, media_type: &'static str, schema: Value) {
        self.content.push((media_type, schema));
    }

    /// One of this name that is there is replaced.
    pub(super) fn add_header(&mut self, header: AnswerHeader) {
        self.headers.retain(|known| known.name != header.name);
        self.headers.push(header);
    }

    pub(super) fn add_codes(&mut self, codes: &[&'static str]) {
        self.codes.extend(codes);
    }

    pub(super) fn is_problem(&self) -> bool {
        !self.codes.is_empty()
    }

    /// As a Response Object.
    pub(super) fn to_json(&self, status: u16) -> Value {
        let mut content: Map<String, Value> =
            self.content.iter().map(|(media_type, schema)| ((*media_type).to_owned(), json!({"schema": schema}))).collect();
        let mut about = self.about.clone();
        if self.is_problem() {
            if about.is_empty() {
                about = self.codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
            }
            let this = json!({"properties": {"status": {"const": status}, "code": {"enum": self.codes}}});
            let schema = json!({"allOf": [{"$ref": "#/components/schemas/Problem"}, this]});
            content.insert("application/problem+json".to_owned(), json!({"schema": schema}));
        }
        let mut json = json!({"description": about});
        if !content.is_empty() {
            json["content"] = content.into();
        }
        let header = |header: &AnswerHeader| {
            let mut json = json!({"description": header.about, "schema": header.schema});
            if header.always {
                json["required"] = true.into();
            }
            (header.name.to_owned(), json)
        };
        let headers: Map<String, Value> = self.headers.iter().map(header).collect();
        if !headers.is_empty() {
            json["headers"] = headers.into();
        }
        json
    }
}

/// The schema of problem documents, and of the faults in them.
pub(super) fn problem_schemas() -> [(&'static str, Value); 2] {
    let text = json!({"type": "string"});
    let problem = json!({
        "type": "object",
        "description": "What went wrong (RFC 9457). Programs decide by `code`; some codes have further members.",
        "required": ["type", "title", "status", "detail", "code", "success", "error"],
        "properties": {
            "type": {"type": "string", "format": "uri", "description": "`urn:viewmill:problem:` and the code"},
            "title": text,
            "status": {"type": "integer", "minimum": 300, "maximum": 599},
            "detail": text,
            "instance": {"type": "string", "description": "The path that was asked for."},
            "code": text,
            "errors": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/FieldError"}},
            "success": {"const": false},
            "error": {"type": "string", "description": "The same as `detail`, for clients that know only this."},
        },
    });
    let field_error = json!({
        "type": "object",
        "description": "One of several faults of a request.",
        "required": ["pointer", "code", "detail"],
        "properties": {
            "pointer": {"type": "string", "description": "A JSON pointer into the body, `?name` for a parameter, or the name of a header."},
            "code": text,
            "detail": text,
        },
        "additionalProperties": false,
    });
    [("Problem", problem), ("FieldError", field_error)]
}
