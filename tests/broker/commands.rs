//! The write side over HTTP: what can be asked of an order, what is answered, and what then stands in the log.

mod customers;
mod history;
mod life;
mod machine;
mod overload;
mod rejections;
mod reset;
mod retries;
mod settings;

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{HttpClient, Instance, LOOK_INTERVAL, PATIENCE, Response, Run};

/// A client that knows the order system.
struct Shop(HttpClient);

impl Shop {
    /// A client of an instance that listens.
    fn of(instance: &Instance) -> Shop {
        Shop(instance.client())
    }

    /// POSTs JSON with further headers.
    fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.0.post(path, &lines(headers, !body.is_empty()), &body).unwrap()
    }

    /// As [`Shop::post`], of what must succeed: the answer's body, its ETag and its token.
    fn done(&mut self, status: u16, path: &str, headers: &[(&str, &str)], body: &Value) -> (Value, String, String) {
        let response = self.post(path, headers, body);
        assert_eq!(response.status, status, "{path}: {}", response.body);
        let header = |name| response.header(name).unwrap_or_else(|| panic!("{path} without {name}: {response:?}")).to_owned();
        (parsed(&response), header("etag"), header("consistency-token"))
    }

    /// As [`Shop::post`], of what must be refused: the problem.
    fn refused(&mut self, status: u16, code: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
        let response = self.post(path, headers, body);
        let problem = parsed(&response);
        assert_eq!((response.status, &problem["code"]), (status, &json!(code)), "{path} {headers:?}: {}", response.body);
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        assert_eq!((&problem["status"], &problem["success"], &problem["instance"]), (&json!(status), &json!(false), &json!(path)));
        let says_when = matches!(code, "not-ready" | "overloaded");
        assert_eq!(response.header("retry-after").is_some(), says_when, "{code}");
        problem
    }

    /// GETs what must be there, with a token.
    fn read(&mut self, path: &str, token: &str) -> Value {
        let response = self.0.get_with(path, &format!("Consistency-Token: {token}\r\n")).unwrap();
        assert_eq!((response.status, response.header("view-stale")), (200, None), "{path}: {}", response.body);
        parsed(&response)
    }
}

fn lines(headers: &[(&str, &str)], has_body: bool) -> String {
    let of_body = if has_body { "Content-Type: application/json\r\n" } else { "" };
    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<String>() + of_body
}

fn parsed(response: &Response) -> Value {
    serde_json::from_str(&response.body).unwrap_or_else(|error| panic!("{error}: {response:?}"))
}

/// An order of 25.00 euro.
fn order_of(user: &str) -> Value {
    json!({
        "userId": user,
        "items": [{"productId": "p-1", "name": "Tea", "price": "12.50", "quantity": 2}],
        "currency": "EUR",
        "shippingAddress": {"recipient": "R", "street": "S", "city": "C", "postalCode": "1", "country": "DE", "express": false},
    })
}

/// The committed events: topic, key, type, version, event id.
fn log(run: &Run) -> Vec<[String; 5]> {
    let output = run.python("broker/log.py", &[]).output().unwrap();
    assert!(output.status.success(), "log.py failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap()).collect()
}

/// Looks until there is something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(LOOK_INTERVAL);
    }
}
