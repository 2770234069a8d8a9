//! What happens to one request between hyper and the filter that answers it.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;
use warp::http::header::{ALLOW, CONTENT_TYPE, EXPECT, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use warp::http::request::Parts;
use warp::http::{Method, Request, StatusCode};
use warp::reply::Response;

use super::body::{self, BodyFault, WholeBody};
use super::percent::decode;
use super::place::Place;
use super::request_count::{self, RequestCount};
use super::routes::{Endpoint, Found, PathParams, RouteTable};
use super::server::{OPERATOR_ROUTES, ServerSettings};
use super::template::Params;
use super::{Problem, Query, redirect};
use crate::metrics::Metrics;

/// Longer paths with query strings are refused.
const LONGEST_URI_BYTES: usize = 8_192;

/// So long lie between two refusals on one connection, where its client asks again at once though it was told to come in a second: else a
/// flood of such clients takes the time of those who are let in.
const REFUSALS_APART: Duration = Duration::from_millis(250);

/// Answers the requests of all connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct HttpService {
    inner: Arc<Inner>,
}

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct ConnectionService {
    inner: Arc<Inner>,
    connection: Arc<Connection>,
}

/// What is known of a connection.
struct Connection {
    place: Place,
    /// When its last request was refused, if it was.
    refused_at: Mutex<Option<Instant>>,
}

struct Inner {
    routes: RouteTable,
    metrics: Metrics,
    settings: ServerSettings,
}

impl HttpService {
    pub(super) fn new(routes: RouteTable, metrics: Metrics, settings: ServerSettings) -> Self {
        request_count::begin_at_zero(&metrics, routes.endpoints());
        HttpService { inner: Arc::new(Inner { routes, metrics, settings }) }
    }

    /// The same for one connection, which has this place.
    pub(super) fn of_connection(&self, place: Place) -> ConnectionService {
        ConnectionService { inner: self.inner.clone(), connection: Arc::new(Connection { place, refused_at: Mutex::new(None) }) }
    }
}

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let ConnectionService { inner, connection } = self.clone();
        Box::pin(async move { Ok(inner.answer(request, &connection).await) })
    }
}

impl Connection {
    /// Until when the next refusal has to wait.
    fn next_refusal(&self) -> Option<Instant> {
        let refused_at = *self.refused_at.lock().unwrap_or_else(PoisonError::into_inner);
        refused_at.map(|at| at + REFUSALS_APART).filter(|next| *next > Instant::now())
    }

    fn note(&self, is_refused: bool) {
        *self.refused_at.lock().unwrap_or_else(PoisonError::into_inner) = is_refused.then(Instant::now);
    }
}

impl Inner {
    async fn answer(&self, request: Request<Incoming>, connection: &Connection) -> Response {
        let mut count = RequestCount::begin(self.metrics.clone(), request.method());
        let uri = request.uri().clone();
        let mut response = match self.route(request, connection, &mut count).await {
            Ok(response) => response,
            Err(problem) => problem.answer(Some(uri.path())),
        };
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            *response.body_mut() = problem.document(Some(uri.path())).into();
            redirect::complete(&mut response, &problem, &uri);
        }
        complete(&mut response);
        count.end(response.status());
        response
    }

    async fn route(&self, request: Request<Incoming>, connection: &Connection, count: &mut RequestCount) -> Result<Response, Problem> {
        let (head, body) = request.into_parts();
        let found = match self.find(&head, count) {
            Ok((endpoint, params, query)) => self.admit(endpoint, connection).await.map(|()| (endpoint, params, query)),
            Err(problem) => Err(problem),
        };
        let (endpoint, params, query) = match found {
            Ok(found) => found,
            Err(problem) => {
                // Who waits for "100 Continue" has not sent it.
                if !body.is_end_stream() && !head.headers.contains_key(EXPECT) {
                    body::discard(body).await;
                }
                return Err(problem);
            }
        };
        let body = match is_too_large_and_unsent(&head, &body, self.settings.max_body_bytes) {
            true => Err(BodyFault::TooLarge),
            false => body::read(body, self.settings.max_body_bytes, self.settings.body_timeout).await,
        };
        let body = body.map_err(|fault| self.body_problem(fault))?;
        self.call(endpoint, prepare(head, params, query, WholeBody::new(body))).await
    }

    /// The route of a request, and its parameters, where it is to be answered.
    fn find(&self, head: &Parts, count: &mut RequestCount) -> Result<(&Endpoint, Params, Query), Problem> {
        let uri = &head.uri;
        if uri.path().len() + uri.query().map_or(0, str::len) > LONGEST_URI_BYTES {
            return Err(Problem::new(414, "uri-too-long", format!("path and query string may have {LONGEST_URI_BYTES} bytes")));
        }
        let bad_path = || Problem::new(400, "bad-path", "the path must begin with '/' and its escapes must be UTF-8");
        let segments = uri.path().strip_prefix('/').ok_or_else(bad_path)?.split('/').map(decode);
        let path: Vec<String> = segments.collect::<Option<_>>().ok_or_else(bad_path)?;
        let query = Query::parse(uri.query().unwrap_or_default());
        match self.routes.find(&head.method, &path) {
            Found::Endpoint(endpoint, params) => {
                count.set_route(endpoint.template.text);
                let query = query.ok_or_else(|| Problem::validation_failed("the escapes of the query string must be UTF-8"))?;
                Ok((endpoint, params, query))
            }
            Found::OtherMethods(template, methods) => {
                count.set_route(template);
                Err(method_not_allowed(&methods))
            }
            Found::Nothing => Err(Problem::new(404, "not-found", "there is nothing here")),
        }
    }

    /// Lets a request in where there is room, at once. So it is refused where there is none, but for one whose client was told the same just before.
    async fn admit(&self, endpoint: &Endpoint, connection: &Connection) -> Result<(), Problem> {
        let admitted = match OPERATOR_ROUTES.contains(&endpoint.template.text) || !connection.place.is_surplus() {
            true => endpoint.admit(),
            false => Err(self.too_many_connections()),
        };
        if admitted.is_err()
            && let Some(next) = connection.next_refusal()
        {
            tokio::time::sleep_until(next).await;
        }
        connection.note(admitted.is_err());
        admitted
    }

    fn too_many_connections(&self) -> Problem {
        Problem::overloaded(format!("this instance has {} connections, as many as it takes", self.settings.max_connections))
    }

    async fn call(&self, endpoint: &Endpoint, request: Request<WholeBody>) -> Result<Response, Problem> {
        let route = endpoint.template.text;
        match tokio::time::timeout(self.settings.handler_timeout, caught(endpoint.call(request))).await {
            Ok(Some(response)) => Ok(response),
            Ok(None) => {
                tracing::error!(route, "a handler panicked");
                Err(Problem::internal())
            }
            Err(_) => {
                let seconds = self.settings.handler_timeout.as_secs_f32();
                tracing::error!(route, seconds, "a handler took too long");
                Err(Problem::deadline_exceeded(format!("there was no answer within {seconds} s")))
            }
        }
    }

    fn body_problem(&self, fault: BodyFault) -> Problem {
        match fault {
            BodyFault::TooLarge => {
                let limit = self.settings.max_body_bytes;
                Problem::new(413, "body-too-large", format!("the body may have {limit} bytes")).with("limitBytes", limit)
            }
            BodyFault::TooSlow => Problem::new(408, "request-timeout", "the body did not arrive in time"),
            BodyFault::Broken => Problem::validation_failed("the body ended before it was whole"),
        }
    }
}

fn is_too_large_and_unsent(head: &Parts, body: &Incoming, limit: u64) -> bool {
    head.headers.contains_key(EXPECT) && body.size_hint().lower() > limit
}

fn method_not_allowed(methods: &[&Method]) -> Problem {
    let mut names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.sort_unstable();
    names.dedup();
    let allow = names.join(", ");
    let problem = Problem::new(405, "method-not-allowed", format!("allowed here: {allow}"));
    match HeaderValue::try_from(allow) {
        Ok(allow) => problem.with_header(ALLOW, allow),
        Err(_) => problem,
    }
}

/// As the filter will see it.
fn prepare(mut head: Parts, params: Params, query: Query, body: WholeBody) -> Request<WholeBody> {
    // hyper leaves the body out of its answer.
    if head.method == Method::HEAD {
        head.method = Method::GET;
    }
    head.extensions.insert(PathParams(Arc::new(params)));
    head.extensions.insert(query);
    Request::from_parts(head, body)
}

/// `None` when it panics.
async fn caught<T>(answer: impl Future<Output = T>) -> Option<T> {
    let mut answer = pin!(answer);
    // The future is not polled again after a panic, and what it shares with others is behind locks that cannot be left half-way.
    std::future::poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))) {
        Ok(progress) => progress.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// What every answer has.
fn complete(response: &mut Response) {
    let has_no_body = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let headers = response.headers_mut();
    if !has_no_body && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
}
