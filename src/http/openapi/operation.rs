//! The description of one route.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::AnswerHeader;
use super::parameter::{Parameter, Place};
use super::responses::Response;

/// What any route may answer: the server bounds connections, reads paths and bodies, and cuts off handlers.
const OF_EVERY_ROUTE: [(u16, &[&str]); 7] = [
    (400, &["validation-failed"]),
    (408, &["request-timeout"]),
    (413, &["body-too-large"]),
    (414, &["uri-too-long"]),
    (429, &["overloaded"]),
    (500, &["internal-error"]),
    (504, &["deadline-exceeded"]),
];

/// What a route is for, what it takes, and what it may answer.
///
/// ```
/// use serde_json::json;
/// use viewmill::http::{Example, Operation, Parameter};
///
/// let greet = Operation::new("people", "greet", "Greets somebody")
///     .parameter(Parameter::path("name", "Who is greeted"))
///     .json(200, "The greeting", json!({"type": "string"}))
///     .problem(404, &["nobody-there"])
///     .example(Example::new("kim").with("name", "Kim"));
/// ```
#[derive(Clone, Debug)]
pub struct Operation {
    tag: &'static str,
    id: &'static str,
    summary: &'static str,
    about: Option<String>,
    pub(super) parameters: Vec<Parameter>,
    body: Option<(Value, bool)>,
    responses: BTreeMap<u16, Response>,
    pub(super) examples: Vec<Example>,
}

/// A whole request, under a name: what its parameters are, and its body.
#[derive(Clone, Debug)]
pub struct Example {
    pub(super) name: &'static str,
    pub(super) parameters: Vec<(&'static str, Value)>,
    body: Option<Value>,
}

impl Example {
    /// One without parameters and body.
    pub fn new(name: &'static str) -> Self {
        Example { name, parameters: Vec::new(), body: None }
    }

    /// A parameter that it sets.
    pub fn with(mut self, parameter: &'static str, value: impl Into<Value>) -> Self {
        self.parameters.push((parameter, value.into()));
        self
    }

    /// Its body.
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn value_of(&self, parameter: &str) -> Option<&Value> {
        self.parameters.iter().find(|(name, _)| *name == parameter).map(|(_, value)| value)
    }
}

impl Operation {
    /// One that answers only what every route may: `id` names it in generated clients, `tag` puts it beside others.
    pub fn new(tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        let (about, body, parameters, examples) = (None, None, Vec::new(), Vec::new());
        let bare = Operation { tag, id, summary, about, parameters, body, responses: BTreeMap::new(), examples };
        OF_EVERY_ROUTE.into_iter().fold(bare, |operation, (status, codes)| operation.problem(status, codes))
    }

    /// Tells more of it, in Markdown.
    pub fn about(mut self, text: impl Into<String>) -> Self {
        self.about = Some(text.into());
        self
    }

    /// Something that a request may carry; in the path, something that it must.
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        let is_segment = parameter.place == Place::Path;
        self.parameters.push(parameter);
        // A path without named segments that has broken escapes is the path of no route.
        if is_segment { self.problem(400, &["bad-path"]) } else { self }
    }

    /// A body in JSON.
    pub fn body(mut self, schema: Value, required: bool) -> Self {
        self.body = Some((schema, required));
        self.problem(415, &["unsupported-media-type"])
    }

    /// An answer in JSON.
    pub fn json(self, status: u16, about: &str, schema: Value) -> Self {
        self.content(status, about, "application/json", schema)
    }

    /// An answer of any type; several of one status are told apart by their types.
    pub fn content(mut self, status: u16, about: &str, media_type: &'static str, schema: Value) -> Self {
        let response = self.responses.entry(status).or_default();
        response.describe(about);
        response.add_content(media_type, schema);
        self
    }

    /// An answer without a body.
    pub fn empty(mut self, status: u16, about: &str) -> Self {
        self.responses.entry(status).or_default().describe(about);
        self
    }

    /// A header of the answers of this status.
    pub fn header(mut self, status: u16, header: AnswerHeader) -> Self {
        self.responses.entry(status).or_default().add_header(header);
        self
    }

    /// A header that every problem may have.
    pub fn problem_header(mut self, header: &AnswerHeader) -> Self {
        self.responses.values_mut().filter(|response| response.is_problem()).for_each(|response| response.add_header(header.clone()));
        self
    }

    /// Problems of this status; their codes are added to those that it has.
    pub fn problem(mut self, status: u16, codes: &[&'static str]) -> Self {
        let response = self.responses.entry(status).or_default();
        response.add_codes(codes);
        if matches!(status, 429 | 503) {
            let seconds = json!({"type": "integer", "minimum": 1});
            response.add_header(AnswerHeader::new("Retry-After", "Seconds after which it may go better.").of(seconds));
        }
        self
    }

    /// It is answered on any connection, also where there are too many ([`crate::http::OPERATOR_ROUTES`]).
    pub(super) fn always_answered(mut self) -> Self {
        self.responses.remove(&429);
        self
    }

    /// A request as tests send it.
    pub fn example(mut self, example: Example) -> Self {
        self.examples.push(example);
        self
    }

    /// The names of the path's segments, as they are described.
    pub(in crate::http) fn path_names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|parameter| parameter.place == Place::Path).map(|parameter| &*parameter.name)
    }

    /// As an Operation Object. Examples of one name belong together, in parameters and body.
    pub(super) fn to_json(&self) -> Value {
        let parameter = |parameter: &Parameter| {
            let value = |example: &Example| Some((example.name.to_owned(), json!({"value": example.value_of(&parameter.name)?})));
            parameter.to_json(self.examples.iter().filter_map(value).collect())
        };
        let parameters: Vec<Value> = self.parameters.iter().map(parameter).collect();
        let responses: Map<String, Value> =
            self.responses.iter().map(|(status, response)| (status.to_string(), response.to_json(*status))).collect();
        let mut json = json!({"operationId": self.id, "tags": [self.tag], "summary": self.summary, "responses": responses});
        if let Some(about) = &self.about {
            json["description"] = about.as_str().into();
        }
        if !parameters.is_empty() {
            json["parameters"] = parameters.into();
        }
        if let Some((schema, required)) = &self.body {
            let value = |example: &Example| Some((example.name.to_owned(), json!({"value": example.body.as_ref()?})));
            let examples: Map<String, Value> = self.examples.iter().filter_map(value).collect();
            let mut content = json!({"schema": schema});
            if !examples.is_empty() {
                content["examples"] = examples.into();
            }
            json["requestBody"] = json!({"required": required, "content": {"application/json": content}});
        }
        json
    }
}
