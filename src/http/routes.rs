//! The table of routes: a method, a template, and the warp filter that answers.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use warp::http::{Method, Request};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use serde_json::{Map, Value};

use super::Problem;
use super::body::WholeBody;
use super::openapi::{About, Operation, assemble};
use super::rejection::problem_of;
use super::template::{Params, Template};

/// What an application answers, and the engine beside it.
///
/// ```
/// # use warp::Filter as _;
/// use viewmill::http::{Problem, Routes, param};
///
/// let greet = param("name").and_then(|name: String| async move {
///     match name.as_str() {
///         "nobody" => Err(warp::Rejection::from(Problem::not_found("nobody-there", "there is nobody"))),
///         name => Ok(format!("Hello {name}")),
///     }
/// });
/// let routes = Routes::new().get("/hello/{name}", greet);
/// ```
#[derive(Clone, Default)]
pub struct Routes {
    endpoints: Vec<Endpoint>,
    faults: Vec<String>,
    about: Option<About>,
    schemas: Map<String, Value>,
}

type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;
type Admission = Arc<dyn Fn() -> Result<(), Problem> + Send + Sync>;

/// One route.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub method: Method,
    pub template: Template,
    pub operation: Option<Arc<Operation>>,
    admission: Option<Admission>,
    call: Arc<dyn Fn(Request<WholeBody>) -> Answer + Send + Sync>,
}

impl Endpoint {
    /// Whether a request may come in now.
    pub(super) fn admit(&self) -> Result<(), Problem> {
        self.admission.as_ref().map_or(Ok(()), |admission| admission())
    }

    /// Runs the filter.
    pub(super) fn call(&self, request: Request<WholeBody>) -> Answer {
        (self.call)(request)
    }
}

impl Routes {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers GET, and HEAD with the same headers and no body.
    pub fn get<R: Reply + 'static>(self, template: &'static str, filter: impl Answers<R>) -> Self {
        self.route(Method::GET, template, filter)
    }

    /// Answers POST.
    pub fn post<R: Reply + 'static>(self, template: &'static str, filter: impl Answers<R>) -> Self {
        self.route(Method::POST, template, filter)
    }

    /// Answers PUT.
    pub fn put<R: Reply + 'static>(self, template: &'static str, filter: impl Answers<R>) -> Self {
        self.route(Method::PUT, template, filter)
    }

    /// Answers DELETE.
    pub fn delete<R: Reply + 'static>(self, template: &'static str, filter: impl Answers<R>) -> Self {
        self.route(Method::DELETE, template, filter)
    }

    /// Answers any method. The filter need look neither at the path nor at the method; [`param`] gives the named segments.
    pub fn route<R: Reply + 'static>(mut self, method: Method, template: &'static str, filter: impl Answers<R>) -> Self {
        let Some(template) = Template::parse(template) else {
            self.faults.push(format!("{template:?} is no template: write it like /orders/{{id}}"));
            return self;
        };
        let to_problem = |rejection: Rejection| async move { Ok::<_, Infallible>(problem_of(&rejection).into_response()) };
        let answering = filter.map(Reply::into_response).boxed().recover(to_problem).unify().boxed();
        let service = TowerToHyperService::new(warp::service(answering));
        let call = move |request| -> Answer {
            let answer = service.call(request);
            Box::pin(async move { answer.await.unwrap_or_else(|never: Infallible| match never {}) })
        };
        self.endpoints.push(Endpoint { method, template, operation: None, admission: None, call: Arc::new(call) });
        self
    }

    /// Describes the route that was declared last, for `/openapi.json`.
    pub fn described(mut self, operation: Operation) -> Self {
        match self.endpoints.last_mut() {
            Some(endpoint) if endpoint.operation.is_none() => endpoint.operation = Some(Arc::new(operation)),
            Some(endpoint) => self.faults.push(format!("{} {} is described twice", endpoint.method, endpoint.template.text)),
            None => self.faults.push("a description stands before the first route".to_owned()),
        }
        self
    }

    /// Asks before each request to the route that was declared last whether it may come in: before its body is read, so that an instance that has
    /// too much to do spends next to nothing on what it refuses.
    pub fn admitted_by(mut self, admission: impl Fn() -> Result<(), Problem> + Send + Sync + 'static) -> Self {
        match self.endpoints.last_mut() {
            Some(endpoint) => endpoint.admission = Some(Arc::new(admission)),
            None => self.faults.push("an admission stands before the first route".to_owned()),
        }
        self
    }

    /// Schemas by their names, to which descriptions refer as `#/components/schemas/…`.
    pub fn schemas(mut self, schemas: Map<String, Value>) -> Self {
        self.schemas.extend(schemas);
        self
    }

    /// Says what all of it is.
    pub fn about(mut self, about: About) -> Self {
        self.about = Some(about);
        self
    }

    /// The routes that nobody has described, with their methods.
    pub fn undescribed(&self) -> Vec<String> {
        let bare = self.endpoints.iter().filter(|endpoint| endpoint.operation.is_none());
        bare.map(|endpoint| format!("{} {}", endpoint.method, endpoint.template.text)).collect()
    }

    /// The OpenAPI document of these routes.
    pub fn document(&self) -> Value {
        assemble(self.about.as_ref(), &self.endpoints, &self.schemas)
    }

    /// Says what all of it is, unless somebody has.
    pub(super) fn about_otherwise(mut self, about: About) -> Self {
        self.about.get_or_insert(about);
        self
    }

    /// These routes and others.
    pub fn and(mut self, other: Routes) -> Self {
        self.endpoints.extend(other.endpoints);
        self.faults.extend(other.faults);
        self.schemas.extend(other.schemas);
        self.about = self.about.or(other.about);
        self
    }

    /// Puts the routes in order of precedence.
    ///
    /// # Errors
    /// Every template that cannot be read, every route that is declared twice, and every description that does not fit its route.
    pub(super) fn table(self) -> Result<RouteTable, Vec<String>> {
        let Routes { mut endpoints, mut faults, .. } = self;
        for (at, endpoint) in endpoints.iter().enumerate() {
            let same = |other: &&Endpoint| other.method == endpoint.method && other.template.same_paths(&endpoint.template);
            if endpoints[..at].iter().any(|other| same(&other)) {
                faults.push(format!("{} {} is declared twice", endpoint.method, endpoint.template.text));
            }
            if endpoint.operation.as_ref().is_some_and(|operation| !operation.path_names().eq(endpoint.template.names())) {
                faults.push(format!("{} {} is described with other segments", endpoint.method, endpoint.template.text));
            }
        }
        endpoints.sort_by(|a, b| a.template.by_precedence(&b.template));
        if faults.is_empty() { Ok(RouteTable { endpoints }) } else { Err(faults) }
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints.iter().map(|e| format!("{} {}", e.method, e.template.text))).finish()
    }
}

/// A warp filter that makes one reply.
pub trait Answers<R>: Filter<Extract = (R,), Error: Into<Rejection>> + Clone + Send + Sync + 'static {}
impl<R, F: Filter<Extract = (R,), Error: Into<Rejection>> + Clone + Send + Sync + 'static> Answers<R> for F {}

/// Routes in the order in which they are tried.
pub(super) struct RouteTable {
    endpoints: Vec<Endpoint>,
}

/// What a request's path and method lead to.
pub(super) enum Found<'a> {
    Endpoint(&'a Endpoint, Params),
    /// The path is known with other methods.
    OtherMethods(&'static str, Vec<&'a Method>),
    Nothing,
}

impl RouteTable {
    pub(super) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// `path` is decoded; HEAD goes where GET goes.
    pub(super) fn find(&self, method: &Method, path: &[String]) -> Found<'_> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let mut others: Option<(&Template, Vec<&Method>)> = None;
        for endpoint in &self.endpoints {
            let Some(params) = endpoint.template.matches(path) else { continue };
            if endpoint.method == *method {
                return Found::Endpoint(endpoint, params);
            }
            let (_, methods) = others.get_or_insert((&endpoint.template, Vec::new()));
            methods.push(&endpoint.method);
        }
        others.map_or(Found::Nothing, |(template, methods)| Found::OtherMethods(template.text, methods))
    }
}

/// The named segments of a request's path; an extension of the request.
#[derive(Clone)]
pub(super) struct PathParams(pub Arc<Params>);

/// A named segment of the path, decoded and not empty.
pub fn param(name: &'static str) -> impl Filter<Extract = (String,), Error = Rejection> + Clone {
    warp::ext::get::<PathParams>().and_then(move |PathParams(params): PathParams| async move {
        match params.iter().find(|(param, _)| *param == name) {
            Some((_, value)) => Ok(value.clone()),
            None => {
                tracing::error!(name, "the template of this route does not name a segment that its filter asks for");
                Err(Rejection::from(Problem::internal()))
            }
        }
    })
}
