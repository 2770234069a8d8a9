//! What a client is told when a filter rejects its request.

use std::error::Error as _;

use warp::Rejection;
use warp::reject::{
    InvalidHeader, InvalidQuery, LengthRequired, MethodNotAllowed, MissingCookie, MissingHeader, PayloadTooLarge, UnsupportedMediaType,
};

use super::Problem;

/// The problem of a rejection.
pub(super) fn problem_of(rejection: &Rejection) -> Problem {
    if let Some(problem) = rejection.find::<Problem>() {
        return problem.clone();
    }
    if let Some(error) = rejection.find::<warp::body::BodyDeserializeError>() {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        return Problem::validation_failed(format!("the body cannot be read: {cause}"));
    }
    if let Some(header) = rejection.find::<MissingHeader>() {
        return Problem::validation_failed(format!("the header {} is missing", header.name()));
    }
    if let Some(header) = rejection.find::<InvalidHeader>() {
        return Problem::validation_failed(format!("the header {} cannot be read", header.name()));
    }
    if let Some(cookie) = rejection.find::<MissingCookie>() {
        return Problem::validation_failed(format!("the cookie {} is missing", cookie.name()));
    }
    let known = [
        (rejection.find::<InvalidQuery>().is_some(), 400, "validation-failed", "the query string cannot be read"),
        (rejection.find::<UnsupportedMediaType>().is_some(), 415, "unsupported-media-type", "the body must be application/json"),
        (rejection.find::<PayloadTooLarge>().is_some(), 413, "body-too-large", "the body is too large"),
        (rejection.find::<LengthRequired>().is_some(), 411, "length-required", "the header content-length is missing"),
        (rejection.find::<warp::cors::CorsForbidden>().is_some(), 403, "forbidden", "the origin is not allowed"),
        (rejection.find::<MethodNotAllowed>().is_some(), 405, "method-not-allowed", "the method is not allowed here"),
        (rejection.is_not_found(), 404, "not-found", "there is nothing here"),
    ];
    match known.into_iter().find(|(applies, ..)| *applies) {
        Some((_, status, code, detail)) => Problem::new(status, code, detail),
        None => {
            tracing::error!(?rejection, "a filter rejected a request with a cause that has no problem");
            Problem::internal()
        }
    }
}
