//! What happens to one request between hyper and the filter that answers it.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use hyper::body::{Body as _, Incoming};
use warp::http::header::{ALLOW, CONTENT_TYPE, EXPECT, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use warp::http::request::Parts;
use warp::http::{Method, Request, StatusCode};
use warp::reply::Response;

use super::body::{self, BodyFault, WholeBody};
use super::percent::decode;
use super::request_count::{self, RequestCount};
use super::routes::{Endpoint, Found, PathParams, RouteTable};
use super::server::{OPERATOR_ROUTES, ServerSettings};
use super::template::Params;
use super::{Problem, Query, redirect};
use crate::metrics::Metrics;

/// Longer paths with query strings are refused.
const LONGEST_URI_BYTES: usize = 8_192;

/// Answers the requests of all connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct HttpService {
    inner: Arc<Inner>,
    /// Of a connection over the bound.
    is_surplus: bool,
}

struct Inner {
    routes: RouteTable,
    metrics: Metrics,
    settings: ServerSettings,
}

impl HttpService {
    pub(super) fn new(routes: RouteTable, metrics: Metrics, settings: ServerSettings) -> Self {
        request_count::begin_at_zero(&metrics, routes.endpoints());
        HttpService { inner: Arc::new(Inner { routes, metrics, settings }), is_surplus: false }
    }

    /// The same for a connection over the bound.
    pub(super) fn surplus(&self) -> Self {
        HttpService { is_surplus: true, ..self.clone() }
    }
}

impl hyper::service::Service<Request<Incoming>> for HttpService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let HttpService { inner, is_surplus } = self.clone();
        Box::pin(async move { Ok(inner.answer(request, is_surplus).await) })
    }
}

impl Inner {
    async fn answer(&self, request: Request<Incoming>, is_surplus: bool) -> Response {
        let mut count = RequestCount::begin(self.metrics.clone(), request.method());
        let uri = request.uri().clone();
        let mut response = match self.route(request, is_surplus, &mut count).await {
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

    async fn route(&self, request: Request<Incoming>, is_surplus: bool, count: &mut RequestCount) -> Result<Response, Problem> {
        let (head, body) = request.into_parts();
        let (found, query) = match self.find(&head, is_surplus, count) {
            Ok(found) => found,
            Err(problem) => {
                // Who waits for "100 Continue" has not sent it.
                if !body.is_end_stream() && !head.headers.contains_key(EXPECT) {
                    body::discard(body).await;
                }
                return Err(problem);
            }
        };
        let (endpoint, params) = found;
        let body = match is_too_large_and_unsent(&head, &body, self.settings.max_body_bytes) {
            true => Err(BodyFault::TooLarge),
            false => body::read(body, self.settings.max_body_bytes, self.settings.body_timeout).await,
        };
        let body = body.map_err(|fault| self.body_problem(fault))?;
        self.call(endpoint, prepare(head, params, query, WholeBody::new(body))).await
    }

    /// The route of a request, and its parameters, where it is to be answered.
    fn find(&self, head: &Parts, is_surplus: bool, count: &mut RequestCount) -> Result<((&Endpoint, Params), Query), Problem> {
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
                if is_surplus && !OPERATOR_ROUTES.contains(&endpoint.template.text) {
                    return Err(self.too_many_connections());
                }
                endpoint.admit()?;
                Ok(((endpoint, params), query))
            }
            Found::OtherMethods(template, methods) => {
                count.set_route(template);
                Err(method_not_allowed(&methods))
            }
            Found::Nothing => Err(Problem::new(404, "not-found", "there is nothing here")),
        }
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
