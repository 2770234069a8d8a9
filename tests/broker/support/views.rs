//! What the views over all orders must answer: lists by status, counts and revenue.

use std::collections::{BTreeMap, HashMap};
use std::thread;
use std::time::Instant;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Expected, HttpClient, LOOK_INTERVAL, PATIENCE, differences};

/// More pages than any test has, so that a cursor that goes round in circles ends.
const MOST_PAGES: usize = 50_000;

/// Lists and dashboard as the log demands them.
#[derive(Deserialize)]
pub struct ExpectedViews {
    /// For each status the order ids, newest first.
    pub lists: BTreeMap<String, Vec<String>>,
    /// The answer to `GET /api/dashboard`.
    pub dashboard: Box<RawValue>,
}

/// The members of a dashboard that a fold of the log computes; an answer may have more.
#[derive(Deserialize)]
struct Dashboard<'a> {
    #[serde(borrow)]
    total: &'a RawValue,
    #[serde(borrow, rename = "byStatus")]
    by_status: &'a RawValue,
    #[serde(borrow)]
    revenue: &'a RawValue,
}

/// A page of a list of orders, as it is served.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    pub orders: Vec<Box<RawValue>>,
    pub total: usize,
    pub limit: usize,
    pub next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    order_id: String,
}

impl ExpectedViews {
    /// Reads what fold.py wrote.
    pub fn from_json(json: &str) -> ExpectedViews {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("fold.py wrote {json}: {error}"))
    }

    /// Asks until counts and revenue are as expected, then pages through every list with these limits; with the first limit each order
    /// of the lists is compared with its own expectation.
    ///
    /// # Panics
    /// With what differs.
    pub fn assert_served(&self, orders: &[Expected], client: &mut HttpClient, limits: &[usize]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = dashboard_differences(self.dashboard.get(), &get(client, "/api/dashboard"));
            if found.is_empty() {
                break;
            }
            assert!(Instant::now() < deadline, "the dashboard is not as the log demands: {}", found.join("; "));
            thread::sleep(LOOK_INTERVAL);
        }
        let orders: HashMap<&str, &Expected> = orders.iter().map(|order| (order.order_id.as_str(), order)).collect();
        for (status, expected) in &self.lists {
            for (at, limit) in limits.iter().enumerate() {
                let found = list_differences(client, status, *limit, expected, (at == 0).then_some(&orders));
                assert!(found.is_empty(), "the list {status} in pages of {limit}: {}", found[..found.len().min(5)].join("; "));
            }
        }
    }
}

/// Where total, counts or revenue differ. They are compared by their digits.
pub fn dashboard_differences(expected: &str, served: &str) -> Vec<String> {
    let (Ok(expected), Ok(served)) = (serde_json::from_str::<Dashboard>(expected), serde_json::from_str::<Dashboard>(served)) else {
        return vec![format!("not a dashboard: {served}")];
    };
    let members = [
        ("total", expected.total, served.total),
        ("byStatus", expected.by_status, served.by_status),
        ("revenue", expected.revenue, served.revenue),
    ];
    members
        .iter()
        .flat_map(|(name, expected, served)| {
            differences(expected.get(), served.get()).into_iter().map(move |found| format!("{name}{found}"))
        })
        .collect()
}

/// Reads a list page by page until no cursor is given.
fn list_differences(
    client: &mut HttpClient,
    status: &str,
    limit: usize,
    expected: &[String],
    orders: Option<&HashMap<&str, &Expected>>,
) -> Vec<String> {
    let (mut found, mut ids, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
    for _ in 0..MOST_PAGES {
        let place = cursor.as_deref().map_or(String::new(), |cursor| format!("&cursor={}", percent_encoded(cursor)));
        let body = get(client, &format!("/api/orders?status={status}&limit={limit}{place}"));
        let page: Page = serde_json::from_str(&body).unwrap_or_else(|error| panic!("not a page: {error}: {body}"));
        if (page.total, page.limit) != (expected.len(), limit) {
            found.push(format!("expected total {} and limit {limit}, served {} and {}", expected.len(), page.total, page.limit));
        }
        if page.orders.len() > limit || (page.orders.len() < limit && page.next_cursor.is_some()) {
            found.push(format!(
                "a page of {} orders, with {} behind it",
                page.orders.len(),
                page.next_cursor.as_deref().unwrap_or("nothing")
            ));
        }
        for order in &page.orders {
            let id = serde_json::from_str::<Listed>(order.get()).unwrap().order_id;
            if let Some(orders) = orders {
                match orders.get(id.as_str()).and_then(|known| known.order.as_ref()) {
                    Some(known) => {
                        found.extend(differences(known.get(), order.get()).into_iter().map(|difference| format!("{id}{difference}")))
                    }
                    None => found.push(format!("{id} is no order")),
                }
            }
            ids.push(id);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if cursor.is_some() {
        found.push(format!("no end after {MOST_PAGES} pages"));
    }
    if let Some(at) = (0..ids.len().max(expected.len())).find(|at| ids.get(*at) != expected.get(*at)) {
        let counts = (expected.len(), ids.len());
        found.push(format!("at {at} of {}: expected {:?}, served {:?} ({} in all)", counts.0, expected.get(at), ids.get(at), counts.1));
    }
    found
}

fn get(client: &mut HttpClient, path: &str) -> String {
    let response = client.get(path).unwrap_or_else(|error| panic!("GET {path}: {error}"));
    assert_eq!(response.status, 200, "GET {path}: {}", response.body);
    response.body
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
