//! Asks one instance, and notes which of the declared answers came.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Table;
use super::document::{Cell, Document};
use crate::support::{HttpClient, Instance, Response};

/// What a request has besides its route. The named segments of the path are some that lead to nothing, unless they are given.
#[derive(Clone)]
pub struct Request {
    segments: BTreeMap<&'static str, String>,
    query: String,
    headers: String,
    /// JSON, if not empty.
    body: String,
}

impl Request {
    pub fn new() -> Request {
        let segments = [("id", "none"), ("pid", "pay-1"), ("store", "orders"), ("key", "none"), ("task", "events_0")];
        let segments = segments.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Request { segments, query: String::new(), headers: String::new(), body: String::new() }
    }

    /// Of one thing: an order, a command, a key.
    pub fn of(id: &str) -> Request {
        Request::new().segment("id", id).segment("key", id)
    }

    pub fn segment(mut self, name: &'static str, value: &str) -> Request {
        self.segments.insert(name, value.to_owned());
        self
    }

    /// Every named segment is this, as it stands.
    pub fn segments(mut self, value: &str) -> Request {
        self.segments.values_mut().for_each(|segment| *segment = value.to_owned());
        self
    }

    pub fn query(mut self, query: &str) -> Request {
        self.query = format!("?{query}");
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    /// With a body, which is none for `null`.
    pub fn json(mut self, body: &Value) -> Request {
        self.body = if body.is_null() { String::new() } else { body.to_string() };
        self
    }

    pub fn body(mut self, body: &str) -> Request {
        self.body = body.to_owned();
        self
    }

    /// The body, empty where there is none.
    pub fn sent_body(&self) -> &str {
        &self.body
    }

    /// Path and query.
    pub fn path(&self, route: &str) -> String {
        let template = route.split_once(' ').unwrap().1;
        self.segments.iter().fold(template.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value)) + &self.query
    }

    /// The headers, each with its line's end.
    pub fn headers(&self) -> String {
        let is_typed = self.body.is_empty() || self.headers.contains("Content-Type");
        format!("{}{}", self.headers, if is_typed { "" } else { "Content-Type: application/json\r\n" })
    }
}

/// Asks one instance.
pub struct Asker {
    pub document: Document,
    pub client: HttpClient,
    answered: BTreeSet<Cell>,
}

impl Asker {
    pub fn of(instance: &Instance) -> Asker {
        let mut client = instance.client();
        Asker { document: Document::of(&mut client), client, answered: BTreeSet::new() }
    }

    /// What is declared and what came.
    pub fn table(self) -> Table {
        Table { declared: self.document.cells(), answered: self.answered }
    }

    /// A request with the body that the document gives as an example.
    pub fn example(&self, route: &str, request: Request) -> Request {
        request.json(&self.document.example(route).unwrap_or_default())
    }

    /// Asks for what must be one of the declared answers.
    pub fn ask(&mut self, route: &str, request: &Request) -> Response {
        let path = request.path(route);
        let method = route.split_once(' ').unwrap().0;
        let answer = self.client.send(&format!("{method} {path}"), &request.headers(), &request.body).unwrap();
        self.note(route, &path, &answer);
        answer
    }

    /// Notes an answer that came in another way.
    pub fn note(&mut self, route: &str, path: &str, answer: &Response) -> Cell {
        match self.document.cell_of(route, path, answer) {
            Ok(cell) => {
                self.answered.insert(cell.clone());
                cell
            }
            Err(fault) => panic!("{route}: {fault}: {answer:?}"),
        }
    }

    /// Asks for what must be answered so.
    pub fn expect(&mut self, route: &str, request: &Request, status: u16, kind: &str) -> Response {
        let answer = self.ask(route, request);
        let cell = self.document.cell_of(route, &request.path(route), &answer).unwrap();
        assert_eq!((cell.status, &*cell.kind), (status, kind), "{route}: {answer:?}");
        answer
    }
}
