//! Answers in JSON.

use serde::Serialize;
use viewmill::http::Problem;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

/// The value as JSON. A cache must ask before it answers with it again, because views move.
///
/// # Errors
/// 500, with the cause in the log.
pub fn json(value: &impl Serialize) -> Result<Response, Problem> {
    let json = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written as JSON");
        Problem::internal()
    })?;
    let mut response = Response::new(json.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// 304: the client has it already.
pub fn not_modified() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Says that the answer depends on the reader's language.
pub fn vary_by_language(response: &mut Response) {
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-language"));
}
