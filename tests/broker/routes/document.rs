//! What `/openapi.json` says that may be answered.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use crate::support::{HttpClient, Response};

pub const PROBLEM: &str = "application/problem+json";

/// Headers that any server may add.
const GENERAL: [&str; 7] =
    ["content-type", "content-length", "date", "cache-control", "x-content-type-options", "connection", "transfer-encoding"];

/// Problems that tell when to come again.
const LATER: [&str; 5] = ["not-ready", "overloaded", "restoring", "unconfirmed", "view-not-caught-up"];

/// What a route may answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Its method and template.
    pub route: String,
    pub status: u16,
    /// The code of a problem, or else the type of the body; empty where there is none.
    pub kind: String,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {} {}", self.route, self.status, self.kind)
    }
}

/// The document of an instance.
pub struct Document(Value);

impl Document {
    pub fn of(client: &mut HttpClient) -> Document {
        Document(serde_json::from_str(&client.get("/openapi.json").unwrap().body).unwrap())
    }

    /// All routes, as `GET /livez`.
    pub fn routes(&self) -> Vec<String> {
        let of_path = |(path, methods): (&String, &Value)| {
            let methods: Vec<String> = methods.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
            methods.into_iter().map(|method| format!("{method} {path}")).collect::<Vec<_>>()
        };
        self.0["paths"].as_object().unwrap().iter().flat_map(of_path).collect()
    }

    /// The routes that may answer this.
    pub fn routes_with(&self, status: u16, kind: &str) -> Vec<String> {
        let cells = self.cells().into_iter().filter(|cell| (cell.status, &*cell.kind) == (status, kind));
        cells.map(|cell| cell.route).collect()
    }

    pub fn cells(&self) -> BTreeSet<Cell> {
        let mut cells = BTreeSet::new();
        for route in self.routes() {
            for (status, response) in self.operation(&route)["responses"].as_object().unwrap() {
                let mut kinds = codes(response);
                let types = response["content"].as_object().into_iter().flat_map(|content| content.keys());
                kinds.extend(types.filter(|kind| *kind != PROBLEM).cloned());
                if kinds.is_empty() {
                    kinds.push(String::new());
                }
                let status = status.parse().unwrap();
                cells.extend(kinds.into_iter().map(|kind| Cell { route: route.clone(), status, kind }));
            }
        }
        cells
    }

    /// The first body that the document gives as an example.
    pub fn example(&self, route: &str) -> Option<Value> {
        let body = &self.operation(route)["requestBody"]["content"]["application/json"]["examples"];
        body.as_object()?.values().next().map(|example| example["value"].clone())
    }

    /// A parameter of an example.
    pub fn parameter(&self, route: &str, name: &str, example: &str) -> Value {
        let parameters = self.operation(route)["parameters"].as_array().unwrap();
        parameters.iter().find(|parameter| parameter["name"] == name).unwrap()["examples"][example]["value"].clone()
    }

    /// The values that a parameter may have.
    pub fn values(&self, route: &str, name: &str) -> Vec<String> {
        let parameters = self.operation(route)["parameters"].as_array().unwrap();
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
        parameter["schema"]["enum"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    /// Which of the declared answers this one is.
    ///
    /// # Errors
    /// What is not declared of it, or missing.
    pub fn cell_of(&self, route: &str, path: &str, answer: &Response) -> Result<Cell, String> {
        let status = answer.status;
        let cell = |kind: &str| Cell { route: route.to_owned(), status, kind: kind.to_owned() };
        let response = &self.operation(route)["responses"][status.to_string()];
        if response.is_null() {
            return Err(format!("{status} is not declared"));
        }
        let none = serde_json::Map::new();
        let headers = response["headers"].as_object().unwrap_or(&none);
        let known = |name: &str| GENERAL.contains(&name) || headers.keys().any(|header| header.eq_ignore_ascii_case(name));
        if let Some((name, _)) = answer.headers.iter().find(|(name, _)| !known(name)) {
            return Err(format!("the header {name} is not declared"));
        }
        let is_missing = |name: &str| answer.header(&name.to_ascii_lowercase()).is_none();
        if let Some((name, _)) = headers.iter().find(|(name, header)| header["required"] == true && is_missing(name)) {
            return Err(format!("the header {name} is missing"));
        }
        let kind = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        match response["content"].as_object() {
            None if answer.body.is_empty() => Ok(cell("")),
            Some(content) if content.contains_key(kind) && kind == PROBLEM => {
                let code = problem(path, answer)?;
                if codes(response).contains(&code) { Ok(cell(&code)) } else { Err(format!("the code {code} is not declared")) }
            }
            Some(content) if content.contains_key(kind) => Ok(cell(kind)),
            _ => Err(format!("a body of type {kind:?} is not declared")),
        }
    }

    fn operation(&self, route: &str) -> &Value {
        let (method, path) = route.split_once(' ').unwrap();
        &self.0["paths"][path][method.to_ascii_lowercase()]
    }
}

/// The codes of problems that a response declares.
fn codes(response: &Value) -> Vec<String> {
    let codes = &response["content"][PROBLEM]["schema"]["allOf"][1]["properties"]["code"]["enum"];
    codes.as_array().into_iter().flatten().map(|code| code.as_str().unwrap().to_owned()).collect()
}

/// The code of a problem that has all that problems have.
fn problem(path: &str, answer: &Response) -> Result<String, String> {
    let problem: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    let code = problem["code"].as_str().ok_or("there is no code")?.to_owned();
    for (member, expected) in [
        ("type", json!(format!("urn:viewmill:problem:{code}"))),
        ("status", json!(answer.status)),
        ("instance", json!(path.split('?').next())),
        ("success", json!(false)),
        ("error", problem["detail"].clone()),
    ] {
        if problem[member] != expected {
            return Err(format!("{member} is {}, not {expected}", problem[member]));
        }
    }
    if let Some(member) = ["title", "detail"].iter().chain(members(&code)).find(|member| problem[**member].is_null()) {
        return Err(format!("{code} has no {member}"));
    }
    if LATER.contains(&&*code) && answer.header("retry-after").is_none() {
        return Err(format!("{code} has no Retry-After"));
    }
    Ok(code)
}

/// What a problem of this code tells besides.
fn members(code: &str) -> &'static [&'static str] {
    match code {
        "validation-failed" => &["errors"],
        "version-not-found" | "version-mismatch" => &["currentVersion"],
        "invalid-transition" => &["currentStatus", "paymentStatus", "allowed"],
        "body-too-large" => &["limitBytes"],
        "owner-elsewhere" => &["task", "owner"],
        "partial" => &["missing"],
        "view-not-caught-up" => &["partition", "position", "wanted"],
        _ => &[],
    }
}
