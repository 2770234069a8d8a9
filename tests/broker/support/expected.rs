//! What must be served, as computed by fold.py, and the comparison with what is.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::thread;
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ExpectedViews, Instance, LOOK_INTERVAL};

/// All that the log demands.
pub struct Fold {
    /// Every id that the log names, in order.
    pub orders: Vec<Expected>,
    /// Lists and dashboard.
    pub views: ExpectedViews,
    /// The dashboards at the positions that were asked for, as JSON.
    pub dashboards: Vec<String>,
}

/// Most tests look at the orders alone.
impl Deref for Fold {
    type Target = [Expected];

    fn deref(&self) -> &[Expected] {
        &self.orders
    }
}

/// The answer to `GET /api/orders/{id}` that the log demands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    pub order_id: String,
    pub etag: String,
    /// `None`: 404.
    pub order: Option<Box<RawValue>>,
}

impl Expected {
    /// Reads a line of fold.py.
    pub fn from_line(line: &str) -> Expected {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("fold.py wrote {line}: {error}"))
    }

    /// True when this instance answers as it should.
    pub fn is_served(&self, instance: &mut Instance) -> bool {
        matches!(self.answered(&mut [instance]), Answered::Right)
    }

    /// Asks for the order. Of several instances the first that knows decides: 307 and 503 mean that the order is somebody else's, or not yet
    /// restored.
    pub fn answered(&self, instances: &mut [&mut Instance]) -> Answered {
        let path = format!("/api/orders/{}", self.order_id);
        let mut refusals = Vec::new();
        for instance in instances {
            let response = match instance.try_get(&path) {
                Ok(response) if matches!(response.status, 307 | 503) => {
                    refusals.push(format!("{} {}", response.status, response.body));
                    continue;
                }
                Ok(response) => response,
                Err(error) => {
                    refusals.push(error.to_string());
                    continue;
                }
            };
            let found = match (&self.order, response.status) {
                (None, 404) => Vec::new(),
                (Some(order), 200) => {
                    let mut found = differences(order.get(), &response.body);
                    if response.header("etag") != Some(&self.etag) {
                        found.push(format!("ETag: expected {}, served {:?}", self.etag, response.header("etag")));
                    }
                    found
                }
                (order, status) => vec![format!("expected {}, served {status} {}", if order.is_some() { 200 } else { 404 }, response.body)],
            };
            return if found.is_empty() { Answered::Right } else { Answered::Wrong(found.join("; ")) };
        }
        Answered::Refused(refusals.join("; "))
    }
}

/// What was answered to the question for an order.
pub enum Answered {
    /// What the log demands.
    Right,
    /// Something else; each difference.
    Wrong(String),
    /// Nothing, by each instance that was asked.
    Refused(String),
}

/// Asks until every order is served as expected.
///
/// # Panics
/// With the differences of the first few orders, when no further one became right within `patience`.
pub fn eventually_served(expected: &[Expected], instances: &mut [&mut Instance], patience: Duration) {
    assert!(!expected.is_empty(), "an empty expectation proves nothing");
    let mut open: Vec<&Expected> = expected.iter().collect();
    until_empty(patience, |shown| {
        open.retain(|order| !matches!(order.answered(instances), Answered::Right));
        (open.len(), shown.then(|| told(&open, instances)))
    });
    // One that was right early may have been made wrong since; one that moves meanwhile is asked for again.
    let mut open: Vec<&Expected> = expected.iter().collect();
    until_empty(patience, |shown| {
        open.retain(|order| match order.answered(instances) {
            Answered::Right => false,
            Answered::Wrong(found) => panic!("order {} was right and is no longer: {found}", order.order_id),
            Answered::Refused(_) => true,
        });
        (open.len(), shown.then(|| told(&open, instances)))
    });
}

/// Looks at what is left until nothing is; `look` answers how many are left, and their faults when they are to be shown.
///
/// # Panics
/// When nothing changed within `patience`.
fn until_empty(patience: Duration, mut look: impl FnMut(bool) -> (usize, Option<String>)) {
    let (mut left, mut deadline) = (usize::MAX, Instant::now() + patience);
    loop {
        let late = Instant::now() > deadline;
        match look(late) {
            (0, _) => return,
            (now, _) if now < left => (left, deadline) = (now, Instant::now() + patience),
            (now, Some(faults)) => panic!("{now} orders are not served as the log demands:\n{faults}"),
            _ => {}
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

/// What the first few are answered with.
fn told(open: &[&Expected], instances: &mut [&mut Instance]) -> String {
    let shown = open.iter().take(5).map(|order| match order.answered(instances) {
        Answered::Right => format!("{}: right by now", order.order_id),
        Answered::Wrong(found) | Answered::Refused(found) => format!("{}: {found}", order.order_id),
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// Where two JSON texts differ; the order of members does not count, and numbers are compared by their digits: 1.50 is 1.5, and nothing
/// passes through a binary float.
pub fn differences(expected: &str, served: &str) -> Vec<String> {
    match (serde_json::from_str::<&RawValue>(expected), serde_json::from_str::<&RawValue>(served)) {
        (Ok(expected), Ok(served)) => {
            let mut found = Vec::new();
            compare("", Some(expected), Some(served), &mut found);
            found
        }
        _ => vec![format!("not JSON: {served}")],
    }
}

fn compare(at: &str, expected: Option<&RawValue>, served: Option<&RawValue>, found: &mut Vec<String>) {
    let (Some(left), Some(right)) = (expected, served) else {
        let text = |side: Option<&RawValue>| side.map_or("nothing".to_owned(), |value| value.get().to_owned());
        found.push(format!("{at}: expected {}, served {}", text(expected), text(served)));
        return;
    };
    let (left, right) = (left.get(), right.get());
    match (kind(left), kind(right)) {
        (Kind::Object, Kind::Object) => {
            let (left, right) = (members(left), members(right));
            for name in left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))) {
                compare(&format!("{at}/{name}"), left.get(name).copied(), right.get(name).copied(), found);
            }
        }
        (Kind::Array, Kind::Array) => {
            let (left, right) = (elements(left), elements(right));
            for index in 0..left.len().max(right.len()) {
                compare(&format!("{at}/{index}"), left.get(index).copied(), right.get(index).copied(), found);
            }
        }
        (Kind::Number, Kind::Number) if decimal(left).is_some() && decimal(left) == decimal(right) => {}
        (Kind::String, Kind::String) if serde_json::from_str::<String>(left).ok() == serde_json::from_str::<String>(right).ok() => {}
        (Kind::Word, Kind::Word) if left == right => {}
        _ => found.push(format!("{at}: expected {left}, served {right}")),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Object,
    Array,
    String,
    Number,
    /// `true`, `false`, `null`
    Word,
}

fn kind(json: &str) -> Kind {
    match json.as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::String,
        Some(b'-' | b'0'..=b'9') => Kind::Number,
        _ => Kind::Word,
    }
}

fn members(json: &str) -> BTreeMap<String, &RawValue> {
    serde_json::from_str(json).expect("a raw value is valid JSON")
}

fn elements(json: &str) -> Vec<&RawValue> {
    serde_json::from_str(json).expect("a raw value is valid JSON")
}

fn decimal(digits: &str) -> Option<Decimal> {
    Decimal::from_str_exact(digits).or_else(|_| Decimal::from_scientific(digits)).ok()
}
