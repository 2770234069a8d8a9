//! `GET /v1/tasks/{task}/outputs`: how far the outputs of a task that is here are, once it has come as far as `Consistency-Token` says.
//! Instances ask each other, for readers of what the task feeds.

use http_body_util::Empty;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use warp::http::{Request, StatusCode, header};
use warp::{Filter as _, Rejection};

use super::engine_routes::json as json_reply;
use super::{Consistency, Problem, Query, Routes, client, consistency, openapi, param, query};
use crate::query::{PeerFault, PeerQuestion, Peers, Scope, Views};
use crate::record::Position;

/// More than the answer of a task with many outputs.
const LARGEST_ANSWER: usize = 1 << 20;

/// The answer. Its text is that of `View-Position`.
#[derive(Serialize, Deserialize)]
struct OutputsJson {
    task: String,
    outputs: String,
}

/// The route.
pub(super) fn outputs_route(views: &Views) -> Routes {
    let views = views.clone();
    let outputs = param("task").and(query()).and(consistency()).and_then(move |task: String, query: Query, wanted: Consistency| {
        let views = views.clone();
        async move {
            query.only(&[])?;
            let outputs = views.outputs(&task, &wanted.read(&views, Scope::Local)?).await.map_err(Problem::from)?;
            Ok::<_, Rejection>(json_reply(StatusCode::OK, &OutputsJson { task, outputs: outputs.to_string() }))
        }
    });
    Routes::new().get("/v1/tasks/{task}/outputs", outputs).described(openapi::outputs())
}

/// Asks other instances by that route.
pub fn peers() -> Peers {
    Peers::new(|question| {
        Box::pin(async move {
            // A timer that is over already may still lose against a quick answer.
            if question.wait.is_zero() {
                return Err(PeerFault::Behind);
            }
            let answer = tokio::time::timeout(question.wait, ask(&question)).await.unwrap_or(Err(PeerFault::Behind));
            answer.map_err(|fault| match fault {
                PeerFault::Failed(detail) => PeerFault::Failed(format!("{} was asked: {detail}", question.url)),
                PeerFault::Behind => PeerFault::Behind,
            })
        })
    })
}

async fn ask(question: &PeerQuestion) -> Result<Position, PeerFault> {
    let failed = |error: &dyn std::fmt::Display| PeerFault::Failed(error.to_string());
    let authority = question.url.strip_prefix("http://").ok_or_else(|| failed(&"only http:// addresses are asked"))?;
    let (authority, path) = authority.split_once('/').map_or((authority, String::new()), |(host, path)| (host, format!("/{path}")));
    let request = Request::get(format!("{path}/v1/tasks/{}/outputs", question.task))
        .header(header::HOST, authority)
        .header("consistency-token", &question.token)
        // Whole seconds; the asker's own time ends it earlier.
        .header("prefer", format!("wait={}", question.wait.as_secs() + 1))
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|e| failed(&e))?;
    let answer = match authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        true => client::ask(authority, request, LARGEST_ANSWER).await,
        false => client::ask((authority, 80), request, LARGEST_ANSWER).await,
    };
    let (status, body) = answer.map_err(|e| failed(&e))?;
    if status != StatusCode::OK {
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        return Err(match problem["code"].as_str() {
            Some("view-not-caught-up") => PeerFault::Behind,
            _ => failed(&format!("{status} {}", problem["detail"])),
        });
    }
    let answer: OutputsJson = serde_json::from_slice(&body).map_err(|e| failed(&e))?;
    Position::parse(&answer.outputs).ok_or_else(|| failed(&format!("{:?} is no position", answer.outputs)))
}
