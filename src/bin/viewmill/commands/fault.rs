//! What is wrong with the data of a command: all of it, each fault at its place.

use serde::Serialize;
use viewmill::command::{Rejection, VALIDATION_FAILED};

/// The most faults that are told one by one; more are only counted. A body can hold no more honest ones.
const MAX_FAULTS: usize = 1_000;

/// The most bytes of a member's name that are told.
const MAX_NAME_BYTES: usize = 200;

/// What is wrong at one place. Programs compare the code; a code never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultCode {
    /// A member that is needed is missing or null.
    Required,
    /// No member has this name.
    Unknown,
    /// The member stands there twice.
    Duplicate,
    /// Another kind of JSON is expected.
    WrongType,
    /// The right kind of JSON, but not what is meant by it.
    Invalid,
    /// Too small, too large, or with more digits than can be kept.
    OutOfRange,
    /// A text or a list with nothing in it.
    Empty,
    /// A text of too many characters.
    TooLong,
    /// A list of too many entries.
    TooMany,
    /// Right by itself, but not for the order as it is.
    Mismatch,
}

/// A fault, its place as a JSON pointer into the data (`/items/3/quantity`; empty: the whole), and what people read.
#[derive(Clone, Debug, Serialize)]
struct Fault {
    pointer: String,
    code: FaultCode,
    detail: String,
}

/// The faults found so far.
#[derive(Debug, Default)]
pub struct Faults {
    list: Vec<Fault>,
    /// How many were found and are not in the list.
    more: usize,
}

impl Faults {
    /// None was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds one.
    pub fn add(&mut self, pointer: impl Into<String>, code: FaultCode, detail: impl Into<String>) {
        if self.list.len() == MAX_FAULTS {
            self.more += 1;
            return;
        }
        self.list.push(Fault { pointer: pointer.into(), code, detail: detail.into() });
    }

    /// The rejection that tells them: code `validation-failed`, member `errors`, and `moreErrors` where some are only counted.
    pub fn reject(self) -> Rejection {
        let detail = match &self.list[..] {
            [Fault { pointer, detail, .. }] if pointer.is_empty() => format!("the command is not valid: {detail}"),
            [Fault { pointer, detail, .. }] => format!("the command is not valid: {pointer} {detail}"),
            list => format!("the command is not valid in {} places", list.len() + self.more),
        };
        let rejection = Rejection::new(VALIDATION_FAILED, detail).with("errors", &self.list);
        if self.more == 0 { rejection } else { rejection.with("moreErrors", &self.more) }
    }
}

/// One fault alone, as a rejection.
pub fn reject(pointer: &str, code: FaultCode, detail: impl Into<String>) -> Rejection {
    let mut faults = Faults::default();
    faults.add(pointer, code, detail);
    faults.reject()
}

/// The pointer to a member of the object at `pointer`. A name beyond any use is cut.
pub fn member_pointer(pointer: &str, name: &str) -> String {
    let shown = &name[..name.floor_char_boundary(MAX_NAME_BYTES)];
    format!("{pointer}/{}", shown.replace('~', "~0").replace('/', "~1"))
}
