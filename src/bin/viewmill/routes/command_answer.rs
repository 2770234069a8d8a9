//! What became of a command, as an answer.

use serde::Deserialize;
use serde_json::value::RawValue;
use viewmill::command::{
    CommandState, DEADLINE_EXCEEDED, IDEMPOTENCY_KEY_REUSED, Members, NotSent, OUTCOME_LOST, OVERLOADED, Outcome, Sent, Told,
    VALIDATION_FAILED, VERSION_MISMATCH,
};
use viewmill::http::Problem;
use viewmill::{Position, Views};
use warp::http::header::{ETAG, HeaderName, LOCATION};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use super::reply;

const TOKEN: HeaderName = HeaderName::from_static("consistency-token");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A command that was asked for.
#[derive(Debug)]
pub struct Asked {
    /// The order that it is about, or that it creates.
    pub order_id: String,
    /// Its id.
    pub command_id: String,
    /// It creates the order.
    pub creates: bool,
    /// The client did not want to wait.
    pub is_async: bool,
}

/// The answer.
///
/// # Errors
/// Why the command was not carried out, or why nobody knows yet whether it will be.
pub fn answer(sent: Result<Sent, NotSent>, asked: Asked, views: &Views) -> Result<Response, Problem> {
    match sent.map_err(not_sent)? {
        Sent::Pending => pending(&asked),
        Sent::Told(told) => {
            let Told { outcome, position } = *told;
            if outcome.state != CommandState::Succeeded {
                let code = outcome.code.as_deref().unwrap_or_default();
                let problem = rejection(code, outcome.detail.as_deref().unwrap_or_default(), &outcome.data);
                return Err(if outcome.replayed { problem.with_header(REPLAYED, HeaderValue::from_static("true")) } else { problem });
            }
            let mut response = succeeded(&outcome, &asked)?;
            if let Some(position) = position {
                set_token(&mut response, &position, views);
            }
            Ok(response)
        }
    }
}

/// Lets whoever reads with the answer's token see at least what stands before this position.
pub fn set_token(response: &mut Response, position: &str, views: &Views) {
    match Position::parse(position) {
        Some(position) => set(response, TOKEN, views.token_of(&position).to_string()),
        None => tracing::warn!(position, "the position of an outcome cannot be read"),
    }
}

fn succeeded(outcome: &Outcome, asked: &Asked) -> Result<Response, Problem> {
    let mut body = Members::new();
    body.set("success", &true);
    if asked.creates {
        for (name, value) in [("orderId", &asked.order_id), ("commandId", &asked.command_id)] {
            body.set(name, value);
        }
        body.set("message", "the order was created");
    }
    let mut tag = None;
    for (name, value) in outcome.data.iter() {
        match name {
            "etag" => tag = serde_json::from_str::<String>(value.get()).ok(),
            _ => body.set(name.to_owned(), value),
        }
    }
    let mut response = reply::json(&body)?;
    if asked.creates {
        *response.status_mut() = StatusCode::CREATED;
        set(&mut response, LOCATION, format!("/api/orders/{}", asked.order_id));
    }
    if let Some(tag) = tag {
        set(&mut response, ETAG, tag);
    }
    if outcome.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// 202: the command is in the log; what becomes of it can be asked.
fn pending(asked: &Asked) -> Result<Response, Problem> {
    let mut body = Members::new();
    for (name, value) in [("commandId", &*asked.command_id), ("orderId", &asked.order_id), ("state", "pending")] {
        body.set(name, value);
    }
    let mut response = reply::json(&body)?;
    *response.status_mut() = StatusCode::ACCEPTED;
    set(&mut response, LOCATION, format!("/api/commands/{}", asked.command_id));
    if asked.is_async {
        response.headers_mut().insert(APPLIED, HeaderValue::from_static("respond-async"));
    }
    Ok(response)
}

/// What a client is told of a command that was rejected.
pub fn rejection(code: &str, detail: &str, data: &Members) -> Problem {
    let mut problem = Problem::new(status(code), code.to_owned(), detail);
    if code == OVERLOADED {
        problem = problem.retry_after(1);
    }
    for (name, value) in data.iter() {
        problem = match name {
            "errors" => with_errors(problem, value),
            // A problem's own status is that of HTTP.
            "status" => problem.with_member("currentStatus", value),
            _ => problem.with_member(name, value),
        };
    }
    problem
}

fn with_errors(problem: Problem, errors: &RawValue) -> Problem {
    #[derive(Deserialize)]
    struct Fault {
        pointer: String,
        code: String,
        detail: String,
    }
    let faults: Vec<Fault> = serde_json::from_str(errors.get()).unwrap_or_default();
    faults.into_iter().fold(problem, |problem, fault| problem.with_error(fault.pointer, fault.code, fault.detail))
}

/// Whoever rejects a command for another reason has met a rule of the order.
fn status(code: &str) -> u16 {
    match code {
        VALIDATION_FAILED => 400,
        "forbidden" => 403,
        "order-not-found" => 404,
        VERSION_MISMATCH => 412,
        IDEMPOTENCY_KEY_REUSED => 422,
        OVERLOADED => 429,
        OUTCOME_LOST => 503,
        DEADLINE_EXCEEDED => 504,
        _ => 409,
    }
}

/// Why a command was not written, as an answer.
pub fn not_sent(reason: NotSent) -> Problem {
    let detail = reason.to_string();
    match reason {
        NotSent::NotReady => Problem::new(503, "not-ready", detail).retry_after(1),
        NotSent::Overloaded { .. } => Problem::overloaded(detail),
        NotSent::TooLarge(_) => Problem::new(413, "body-too-large", detail),
        NotSent::Faulty(_) => {
            tracing::error!(cause = detail, "a command could not be written");
            Problem::internal()
        }
        NotSent::Unconfirmed(_) => {
            let detail =
                format!("{detail}; it may be carried out all the same. Sent again with the same Idempotency-Key it is carried out once");
            Problem::new(503, "unconfirmed", detail).retry_after(1)
        }
    }
}

fn set(response: &mut Response, name: HeaderName, value: String) {
    // An id of another writer may be no text for a header.
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests;
