//! `/openapi.json`, and `/docs`, a page that shows it. The page is part of the program and asks nobody else.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use serde_json::json;
use warp::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use warp::http::{HeaderMap, HeaderValue, StatusCode};
use warp::reply::Response;
use warp::{Filter as _, Rejection};

use super::{About, AnswerHeader, Operation};
use crate::http::{Answers, Query, Routes, names_tag, query};

/// The page may load from its own server alone.
const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

/// The parts of the page: path, type, content.
const PAGE: [(&str, &str, &str); 3] = [
    ("/docs", "text/html; charset=utf-8", include_str!("page/docs.html")),
    ("/docs/docs.css", "text/css; charset=utf-8", include_str!("page/docs.css")),
    ("/docs/docs.js", "text/javascript; charset=utf-8", include_str!("page/docs.js")),
];

/// These routes, with those that describe them. `title` is that of routes that have none.
pub fn with_document(routes: Routes, title: &str) -> Routes {
    let about = About { title: title.to_owned(), version: env!("CARGO_PKG_VERSION"), description: String::new(), tags: Vec::new() };
    let parts = [("getDocs", "This description, to be read"), ("getDocsStyle", "How it looks"), ("getDocsScript", "What shows it")];
    let routes = PAGE.into_iter().zip(parts).fold(routes.about_otherwise(about), |routes, ((path, kind, content), (id, summary))| {
        routes.get(path, text(kind, content.into())).described(described(id, summary, kind))
    });
    // The route that serves the document stands in it too.
    let with = |document: Arc<str>| {
        let itself = described("getOpenApi", "This description, for programs", "application/json");
        routes.clone().get("/openapi.json", text("application/json", document)).described(itself)
    };
    with(with("".into()).document().to_string().into())
}

fn described(id: &'static str, summary: &'static str, media_type: &'static str) -> Operation {
    let schema = if media_type == "application/json" { json!({"type": "object"}) } else { json!({"type": "string"}) };
    let tag = || AnswerHeader::new("ETag", "Changes with the program.").always();
    let policy = AnswerHeader::new("Content-Security-Policy", "The page may load from its own server alone.").always();
    let operation = Operation::new("documentation", id, summary);
    let operation = if media_type.starts_with("text/html") { operation.header(200, policy) } else { operation };
    operation
        .content(200, "The text", media_type.split(';').next().unwrap_or(media_type), schema)
        .header(200, tag())
        .empty(304, "The client has it already")
        .header(304, tag())
}

/// A text that stays as it is; a client that has it already is not sent it again.
fn text(kind: &'static str, text: Arc<str>) -> impl Answers<Response> {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    query().and(warp::header::headers_cloned()).and_then(move |query: Query, headers: HeaderMap| {
        let (text, tag) = (text.clone(), tag.clone());
        async move {
            query.only(&[])?;
            Ok::<_, Rejection>(answer(kind, &text, &tag, &headers))
        }
    })
}

fn answer(kind: &'static str, text: &str, tag: &str, headers: &HeaderMap) -> Response {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = match known.is_some_and(|known| names_tag(known, tag)) {
        true => Response::default(),
        false => Response::new(text.to_owned().into()),
    };
    if known.is_some_and(|known| names_tag(known, tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if kind.starts_with("text/html") {
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        }
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
