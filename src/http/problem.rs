//! Problem documents (RFC 9457): what every error looks like to a client.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;

use crate::command::Members;

/// An error on its way to a client.
///
/// It is a reply, and as a rejection it ends a warp filter: a handler's `Result<_, Problem>` works with `?`. Its path is filled in
/// by the server. `success: false` and `error` stand beside the standard members for clients that know only those.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    errors: Vec<FieldError>,
    members: Members,
    headers: HeaderMap,
    /// The answer is a redirect: the server there has the same path.
    elsewhere: Option<Arc<str>>,
}

/// One of several faults of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct FieldError {
    pointer: String,
    code: Cow<'static, str>,
    detail: String,
}

impl Problem {
    /// A problem of any status and code. A code is lower-case words with `-` between; clients decide by it. A status that is no
    /// error becomes 500.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).ok().filter(|status| status.is_client_error() || status.is_server_error());
        Problem(Box::new(Inner {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            members: Members::new(),
            headers: HeaderMap::new(),
            elsewhere: None,
        }))
    }

    /// 307: the same request has an answer at another server, under `url`.
    pub(super) fn elsewhere(code: &'static str, detail: impl Into<String>, url: Arc<str>) -> Self {
        let mut problem = Self::new(500, code, detail);
        problem.0.status = StatusCode::TEMPORARY_REDIRECT;
        problem.0.elsewhere = Some(url);
        problem
    }

    /// 400: the request cannot be understood.
    pub fn validation_failed(detail: impl Into<String>) -> Self {
        Self::new(400, "validation-failed", detail)
    }

    /// 404 with a code of its own: `order-not-found`.
    pub fn not_found(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(404, code, detail)
    }

    /// 429: too many requests at once; try again in a second.
    pub fn overloaded(detail: impl Into<String>) -> Self {
        Self::new(429, "overloaded", detail).retry_after(1)
    }

    /// 503: the state is not here yet; try again in a second.
    pub fn restoring(detail: impl Into<String>) -> Self {
        Self::new(503, "restoring", detail).retry_after(1)
    }

    /// 503: the instance that has the state cannot be reached; try again in a second.
    pub fn owner_unreachable(detail: impl Into<String>) -> Self {
        Self::new(503, "owner-unreachable", detail).retry_after(1)
    }

    /// 504: no answer within the time that a request may take.
    pub fn deadline_exceeded(detail: impl Into<String>) -> Self {
        Self::new(504, "deadline-exceeded", detail)
    }

    /// 500: our fault. The cause belongs into the log, not to the client.
    pub fn internal() -> Self {
        Self::new(500, "internal-error", "the request failed for a reason that is in the log of this instance")
    }

    /// Tells one of several faults. `pointer` is a JSON pointer into the body, or `?name` for a query parameter.
    pub fn with_error(mut self, pointer: impl Into<String>, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { pointer: pointer.into(), code: code.into(), detail: detail.into() });
        self
    }

    /// Adds a member. Standard ones cannot be replaced.
    pub fn with(self, name: &str, value: impl Into<Value>) -> Self {
        let value: Value = value.into();
        self.with_member(name, &value)
    }

    /// The same with anything that has JSON, whose numbers keep their digits.
    pub fn with_member(mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Self {
        if !STANDARD.contains(&name) {
            self.0.members.set(name.to_owned(), value);
        }
        self
    }

    /// Sets the header `Retry-After`, in seconds.
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Sets a header of the answer.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.0.status.as_u16()
    }

    /// The code that clients decide by.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What went wrong this time.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The other server's URL, when this is a redirect.
    pub(super) fn other_server(&self) -> Option<&str> {
        self.0.elsewhere.as_deref()
    }

    /// The document. `instance` is the path of the request.
    pub(super) fn document(&self, instance: Option<&str>) -> String {
        let Inner { status, code, detail, errors, members, .. } = &*self.0;
        let document = Document {
            kind: format!("urn:viewmill:problem:{code}"),
            title: title(code),
            status: status.as_u16(),
            detail,
            instance,
            code,
            errors,
            success: false,
            error: detail,
            members,
        };
        serde_json::to_string(&document).expect("texts, numbers and JSON values can be written")
    }

    /// The answer, with the path of the request.
    pub(super) fn answer(self, instance: Option<&str>) -> Response {
        let mut response = Response::new(self.document(instance).into());
        *response.status_mut() = self.0.status;
        response.headers_mut().extend(self.0.headers.clone());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

const STANDARD: [&str; 9] = ["type", "title", "status", "detail", "instance", "code", "errors", "success", "error"];

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    code: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    success: bool,
    error: &'a str,
    #[serde(flatten)]
    members: &'a Members,
}

/// The code in words: `order-not-found` is "Order not found".
fn title(code: &str) -> String {
    let words = code.replace('-', " ");
    let mut characters = words.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

impl warp::reject::Reject for Problem {}

impl warp::Reply for Problem {
    fn into_response(self) -> Response {
        let mut response = self.clone().answer(None);
        // The server finds it here and adds the path.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_this_shape() {
        let problem = Problem::new(409, "invalid-transition", "SHIPPED orders cannot be cancelled")
            .with_error("/reason", "too-long", "at most 200 characters")
            .with("currentStatus", "SHIPPED")
            .with("status", 200);
        let expected = concat!(
            r#"{"type":"urn:viewmill:problem:invalid-transition","title":"Invalid transition","status":409,"#,
            r#""detail":"SHIPPED orders cannot be cancelled","instance":"/api/orders/7/cancel","code":"invalid-transition","#,
            r#""errors":[{"pointer":"/reason","code":"too-long","detail":"at most 200 characters"}],"#,
            r#""success":false,"error":"SHIPPED orders cannot be cancelled","currentStatus":"SHIPPED"}"#
        );
        assert_eq!(problem.document(Some("/api/orders/7/cancel")), expected);
    }

    #[test]
    fn a_status_that_is_no_error_is_ours() {
        for status in [0, 99, 200, 302, 1000] {
            assert_eq!(Problem::new(status, "x", "y").status(), 500);
        }
    }
}
