//! `GET /api/commands/{id}`: what became of a command.

use serde::Serialize;
use viewmill::command::{CommandState, KnownCommand, Members, Outcome};
use viewmill::http::{ActorRule, Consistency, Problem, Query, Routes, consistency, param, query, with_freshness};
use viewmill::{Read, Scope, Store, Views};
use warp::Filter as _;
use warp::http::HeaderMap;
use warp::reply::Response;

use super::command_answer::set_token;
use super::{reply, spec};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    command_id: String,
    order_id: String,
    state: CommandState,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Members::is_empty")]
    data: Members,
}

/// The route.
pub fn routes(commands: Store<String, KnownCommand>, views: Views, actors: ActorRule) -> Routes {
    let (headers, operation) = (warp::header::headers_cloned(), spec::command(&actors));
    let by_id = param("id").and(query()).and(consistency()).and(headers).and_then(
        move |id: String, query: Query, wanted: Consistency, headers: HeaderMap| {
            let (views, actors) = (views.clone(), actors.clone());
            async move {
                actors.actor(&headers)?;
                query.only(&[Consistency::PARAMETER])?;
                let read = wanted.read(&views, Scope::All)?;
                one(&views, commands, &id, &read).await.map_err(warp::Rejection::from)
            }
        },
    );
    Routes::new().get("/api/commands/{id}", by_id).described(operation)
}

async fn one(views: &Views, commands: Store<String, KnownCommand>, id: &String, read: &Read) -> Result<Response, Problem> {
    let answer = views.get(commands, id, read).await?;
    let Some(known) = &answer.value else {
        return Err(Problem::not_found("command-not-found", format!("there is no command {id}, or its outcome is not known any more")));
    };
    let Outcome { command_id, aggregate_id, state, code, detail, data, .. } = serde_json::from_str(&known.outcome).map_err(|error| {
        tracing::error!(%error, id, "a stored outcome cannot be read");
        Problem::internal()
    })?;
    let mut response = reply::json(&Known { command_id, order_id: aggregate_id, state, code, detail, data })?;
    if let Some(position) = &known.position {
        set_token(&mut response, position, views);
    }
    Ok(with_freshness(response, &answer))
}
