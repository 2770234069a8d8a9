//! Redirects to the instance that has the answer: the same path and query string, on its server.
//!
//! 307, so that method and body stay; never cached, since tasks move.

use warp::http::Uri;
use warp::http::header::{HeaderValue, LOCATION};
use warp::reply::Response;

use super::Problem;

/// Adds the header `Location` when the problem says that another server has the answer.
pub(super) fn complete(response: &mut Response, problem: &Problem, asked: &Uri) {
    let Some(url) = problem.other_server() else { return };
    let path = asked.path_and_query().map_or("/", |path| path.as_str());
    // Members whose URL is none are left out of the table, and a request's path is one already.
    if let Ok(location) = HeaderValue::try_from(format!("{}{path}", url.trim_end_matches('/'))) {
        response.headers_mut().insert(LOCATION, location);
    }
}
