//! The routes that every application has: probes, metrics, and what the engine does.
//!
//! They tell of this instance alone (`scope=local`), but for `/v1/members`.

use std::sync::Arc;

use serde::Serialize;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use warp::reply::{self, Response};
use warp::{Filter, Rejection, Reply};

use super::inspect_routes::inspect_routes;
use super::members_route::MembersJson;
use super::outputs::outputs_route;
use super::readiness::{DiskCheck, checks};
use super::{Problem, Query, Routes, openapi, query};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::query::{InstanceId, Views};
use crate::record::Timestamp;
use crate::runtime::{InstanceStatus, LagReport, LagVerdict, Members, TaskRow};

/// What the engine's routes tell of.
#[derive(Clone)]
pub struct Engine {
    /// The instance's figures.
    pub status: InstanceStatus,
    /// The process' metrics.
    pub metrics: Metrics,
    /// For ages of records.
    pub clock: Arc<dyn Clock>,
    /// The instance's id.
    pub instance: InstanceId,
    /// The stores, for inspection.
    pub views: Views,
    /// The members of the application.
    pub members: Members,
    /// What runs, in each format.
    pub topology: Arc<[TopologyText]>,
    /// Whether the state directory can be written.
    pub disk: DiskCheck,
}

/// What runs, in one format.
#[derive(Clone, Debug)]
pub struct TopologyText {
    /// Its name in the query string. The first one is the default.
    pub format: &'static str,
    /// How it is announced.
    pub content_type: &'static str,
    /// The text.
    pub text: String,
}

/// `/livez`, `/readyz`, `/metrics`, `/v1/tasks`, `/v1/lag`, `/v1/members`, `/v1/topology`, how far outputs are, and the stores below `/v1/stores`.
pub fn engine_routes(engine: Engine) -> Routes {
    let formats: Vec<(&str, &str)> = engine.topology.iter().map(|topology| (topology.format, topology.content_type)).collect();
    Routes::new()
        .get("/livez", with(&engine, &[], |_, _| async { Ok(json(StatusCode::OK, &Live { live: true })) }))
        .described(openapi::livez())
        .get("/readyz", with(&engine, &["verbose"], |engine, _| async move { Ok(readiness(&engine).await) }))
        .described(openapi::readyz())
        .get("/metrics", with(&engine, &[], |engine, _| async move { Ok(text(METRICS_TYPE, engine.metrics.render())) }))
        .described(openapi::metrics())
        .get("/v1/tasks", with(&engine, &["scope"], |engine, query| async move { local(&query, || tasks(&engine)) }))
        .described(openapi::tasks())
        .get("/v1/lag", with(&engine, &["scope"], |engine, query| async move { local(&query, || lag(&engine)) }))
        .described(openapi::lag())
        .get("/v1/members", with(&engine, &[], |engine, _| async move { Ok(members(&engine)) }))
        .described(openapi::members())
        .get("/v1/topology", with(&engine, &["format"], |engine, query| async move { topology(&engine, &query) }))
        .described(openapi::topology(&formats))
        .and(outputs_route(&engine.views))
        .and(inspect_routes(&engine.views))
        .schemas(openapi::engine_schemas())
}

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A handler that is given the engine and its parameters, of which there are only these.
fn with<F: Future<Output = Result<Response, Problem>> + Send + 'static>(
    engine: &Engine,
    parameters: &'static [&'static str],
    handler: impl Fn(Engine, Query) -> F + Clone + Send + Sync + 'static,
) -> BoxedFilter<(Response,)> {
    let engine = engine.clone();
    let answer = query().and_then(move |query: Query| {
        let (engine, handler) = (engine.clone(), handler.clone());
        async move {
            query.only(parameters)?;
            handler(engine, query).await.map_err(Rejection::from)
        }
    });
    answer.boxed()
}

#[derive(Serialize)]
struct Live {
    live: bool,
}

async fn readiness(engine: &Engine) -> Response {
    #[derive(Serialize)]
    struct Readiness {
        ready: bool,
        checks: Vec<super::readiness::Check>,
    }
    let checks = checks(&engine.status, &engine.disk).await;
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &Readiness { ready, checks })
}

/// Only this instance can be asked yet, and it must not look as if it were all.
pub(super) fn local(query: &Query, answer: impl FnOnce() -> Response) -> Result<Response, Problem> {
    match query.get("scope") {
        None | Some("local") => Ok(answer()),
        Some(_) => Err(one_of("scope", &["local"])),
    }
}

fn topology(engine: &Engine, query: &Query) -> Result<Response, Problem> {
    let wanted = match query.get("format") {
        None => engine.topology.first(),
        Some(wanted) => engine.topology.iter().find(|topology| topology.format == wanted),
    };
    match wanted {
        Some(topology) => Ok(text(topology.content_type, topology.text.clone())),
        None => Err(one_of("format", &engine.topology.iter().map(|topology| topology.format).collect::<Vec<_>>())),
    }
}

fn one_of(parameter: &str, words: &[&str]) -> Problem {
    let detail = format!("must be one of {}", words.join(", "));
    Problem::validation_failed("the query string has faults").with_error(format!("?{parameter}"), "invalid-value", detail)
}

fn members(engine: &Engine) -> Response {
    json(StatusCode::OK, &MembersJson::new(engine.members.rows()))
}

/// A row of `/v1/tasks`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskJson {
    /// `null` when this program does not know the token.
    id: Option<String>,
    token: i32,
    subtopology: Option<String>,
    partition: Option<i32>,
    role: Option<&'static str>,
    state: &'static str,
    instance: Arc<str>,
    thread: String,
    /// `null` when it is not known.
    restore_remaining: Option<i64>,
    /// Changelog offsets a second, of late; this and the next are `null` when it is not being restored.
    restore_rate: Option<f64>,
    restore_eta_seconds: Option<f64>,
}

fn tasks(engine: &Engine) -> Response {
    #[derive(Serialize)]
    struct Tasks {
        tasks: Vec<TaskJson>,
    }
    let figures = engine.metrics.restore.figures();
    let restoring = |row: &TaskRow| figures.iter().find(|figures| row.task.as_ref().is_some_and(|task| figures.task == task.to_string()));
    let row = |row: TaskRow| TaskJson {
        restore_rate: restoring(&row).and_then(|figures| figures.rate),
        restore_eta_seconds: restoring(&row).and_then(|figures| figures.eta_seconds),
        id: row.task.as_ref().map(ToString::to_string),
        token: row.token,
        subtopology: row.task.as_ref().map(|task| task.subtopology.to_string()),
        partition: row.task.as_ref().map(|task| task.partition),
        role: row.task.as_ref().map(|_| "active"),
        state: row.state,
        instance: engine.instance.0.clone(),
        restore_remaining: match row.state {
            "active" => Some(0),
            _ => restoring(&row).map(|figures| figures.remaining),
        },
        thread: row.thread,
    };
    let mut rows = engine.status.tasks();
    rows.sort_by_key(|row| row.token);
    json(StatusCode::OK, &Tasks { tasks: rows.into_iter().map(row).collect() })
}

/// A row of `/v1/lag`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LagJson {
    topic: Arc<str>,
    partition: i32,
    task: String,
    position: i64,
    committed: i64,
    end: Option<i64>,
    lag_records: Option<i64>,
    lag_seconds: Option<f64>,
    verdict: Option<&'static str>,
    eta_seconds: Option<f64>,
}

fn lag(engine: &Engine) -> Response {
    #[derive(Serialize)]
    struct Lag {
        rows: Vec<LagJson>,
    }
    let now = engine.clock.now();
    let mut rows: Vec<LagJson> = engine.status.lag_reports().into_iter().map(|report| lag_row(report, now)).collect();
    rows.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    json(StatusCode::OK, &Lag { rows })
}

fn lag_row(report: LagReport, now: Timestamp) -> LagJson {
    let LagReport { row, verdict, eta_seconds } = report;
    LagJson {
        lag_seconds: row.lag_ms(now).map(|ms| ms as f64 / 1000.0),
        lag_records: row.lag_records(),
        verdict: verdict.map(LagVerdict::name),
        eta_seconds,
        position: row.position.0,
        committed: row.committed.0,
        end: row.end.map(|end| end.0),
        topic: row.topic,
        partition: row.partition,
        task: row.task,
    }
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let reply = reply::with_status(reply::json(value), status);
    reply::with_header(reply, CACHE_CONTROL, "no-store").into_response()
}

fn text(content_type: &'static str, text: String) -> Response {
    let reply = reply::with_header(text, CONTENT_TYPE, content_type);
    reply::with_header(reply, CACHE_CONTROL, "no-store").into_response()
}
