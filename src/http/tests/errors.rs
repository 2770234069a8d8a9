//! Everything that goes wrong is a problem document.

use serde::Deserialize;
use warp::{Filter as _, Rejection};

use super::{Client, Running, quick};
use crate::http::{Problem, Routes, Server, ServerError, param, query};
use crate::query::{InstanceId, QueryError};

#[derive(Deserialize)]
struct Greeting {
    name: String,
}

fn routes() -> Routes {
    let echo = warp::body::json().map(|greeting: Greeting| greeting.name);
    let limited = query().and_then(|query: crate::http::Query| async move {
        query.only(&["limit"])?;
        Ok::<_, Rejection>("fine")
    });
    let failing = param("code").and_then(|code: String| async move { Err::<String, _>(Rejection::from(Problem::new(409, code, "no"))) });
    let elsewhere = warp::any().and_then(|| async {
        let task = serde_json::from_value(serde_json::json!({"subtopology": "orders", "partition": 3})).unwrap();
        let error = QueryError::Elsewhere { task, instance: InstanceId("b".into()), url: "https://b.example:9".into() };
        Err::<String, _>(Rejection::from(Problem::from(error)))
    });
    Routes::new()
        .get("/elsewhere/{id}", elsewhere)
        .post("/elsewhere/{id}", elsewhere)
        .get("/items/{id}", param("id"))
        .delete("/items/{id}", param("id"))
        .get("/items/all", warp::any().map(|| "all of them"))
        .post("/echo", echo)
        .get("/limited", limited)
        .get("/failing/{code}", failing)
        .get("/panics", warp::any().map(|| -> String { panic!("on purpose") }))
        .get("/header", warp::header::<u32>("x-count").map(|count: u32| count.to_string()))
        .get("/wrong", param("not-in-the-template"))
        .get("/slow", warp::any().and_then(|| async { std::future::pending::<Result<String, Rejection>>().await }))
}

async fn running() -> (Running, Client) {
    let running = Running::start(routes(), quick()).await;
    let client = Client::to(running.address).await;
    (running, client)
}

#[tokio::test]
async fn unknown_paths_are_404() {
    let (_running, mut client) = running().await;
    for path in ["/", "/nothing", "/items", "/items/", "/items/1/", "//items/1", "/Items/1", "/items/../echo"] {
        client.ask("GET", path).await.assert_problem(404, "not-found", path);
    }
}

#[tokio::test]
async fn what_another_instance_has_is_redirected_there_with_path_and_query_untouched() {
    let (_running, mut client) = running().await;
    for (method, path) in [("GET", "/elsewhere/a%2Fb%20c?x=%20&y"), ("POST", "/elsewhere/1"), ("HEAD", "/elsewhere/1?z")] {
        let reply = client.ask(method, path).await;
        assert_eq!((reply.status, reply.header("location")), (307, Some(format!("https://b.example:9{path}").as_str())), "{method}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        if method != "HEAD" {
            let document = reply.assert_problem(307, "owner-elsewhere", path.split('?').next().unwrap());
            assert_eq!(document["task"], "orders_3");
            assert_eq!(document["owner"], serde_json::json!({"instance": "b", "url": "https://b.example:9"}));
        }
    }
}

#[tokio::test]
async fn other_methods_are_405_and_name_those_that_are_allowed() {
    let (_running, mut client) = running().await;
    for (method, path, allow) in [
        ("POST", "/items/1", "DELETE, GET, HEAD"),
        ("GET", "/echo", "POST"),
        ("BREW", "/limited", "GET, HEAD"),
        ("OPTIONS", "/echo", "POST"),
    ] {
        let reply = client.ask(method, path).await;
        reply.assert_problem(405, "method-not-allowed", path);
        assert_eq!(reply.header("allow"), Some(allow));
    }
}

#[tokio::test]
async fn segments_are_decoded_and_broken_escapes_are_400() {
    let (_running, mut client) = running().await;
    assert_eq!(client.ask("GET", "/items/a%20b%2Fc%C3%A9").await.body, "a b/cé");
    assert_eq!(client.ask("GET", "/items/a+b").await.body, "a+b");
    assert_eq!(client.ask("GET", "/%69tems/all").await.body, "all of them");
    for path in ["/items/%", "/items/%zz", "/items/%ff", "/nothing/%2"] {
        client.ask("GET", path).await.assert_problem(400, "bad-path", path);
    }
    client.ask("GET", "/items/1?x=%zz").await.assert_problem(400, "validation-failed", "/items/1");
    client.ask("OPTIONS", "*").await.assert_problem(400, "bad-path", "*");
    let long = format!("/items/{}", "x".repeat(9_000));
    client.ask("GET", &long).await.assert_problem(414, "uri-too-long", &long);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_400_and_415() {
    let (_running, mut client) = running().await;
    assert_eq!(client.post("/echo", "application/json", r#"{"name":"ann"}"#).await.body, "ann");
    for body in ["", "{", "[]", r#"{"nam":"ann"}"#, "\u{0}"] {
        client.post("/echo", "application/json", body).await.assert_problem(400, "validation-failed", "/echo");
    }
    client.post("/echo", "text/plain", r#"{"name":"ann"}"#).await.assert_problem(415, "unsupported-media-type", "/echo");
}

#[tokio::test]
async fn headers_and_parameters_are_named_when_they_are_wrong() {
    let (_running, mut client) = running().await;
    let document = client.ask("GET", "/header").await.assert_problem(400, "validation-failed", "/header");
    assert!(document["detail"].as_str().unwrap().contains("x-count"), "{document}");
    let document = client.ask("GET", "/limited?limt=1&x=2").await.assert_problem(400, "validation-failed", "/limited");
    assert_eq!(document["errors"][0]["pointer"], "?limt");
    assert_eq!(document["errors"][1]["code"], "unknown-parameter");
    assert_eq!(client.ask("GET", "/limited?limit=1").await.body, "fine");
}

#[tokio::test]
async fn a_problem_of_a_handler_reaches_the_client() {
    let (_running, mut client) = running().await;
    client.ask("GET", "/failing/invalid-transition").await.assert_problem(409, "invalid-transition", "/failing/invalid-transition");
}

#[tokio::test]
async fn a_panic_is_500_and_the_connection_lives_on() {
    let (running, mut client) = running().await;
    let document = client.ask("GET", "/panics").await.assert_problem(500, "internal-error", "/panics");
    assert!(!document.to_string().contains("on purpose"), "{document}");
    client.ask("GET", "/wrong").await.assert_problem(500, "internal-error", "/wrong");
    assert_eq!(client.ask("GET", "/items/1").await.body, "1");
    let counted = running.series("viewmill_http_requests_total{code=\"500\",method=\"GET\",route=\"/panics\"}");
    assert_eq!(counted, [r#"viewmill_http_requests_total{code="500",method="GET",route="/panics"} 1"#]);
}

#[tokio::test]
async fn what_is_no_http_gets_a_problem_too() {
    let (running, _) = running().await;
    let many = "x-many: 1\r\n".repeat(200);
    let long = format!("x-long: {}\r\n", "x".repeat(40_000));
    for (request, status, code) in [
        ("GET /items/a b HTTP/1.1\r\n\r\n", 400, "bad-request"),
        ("GET /items/1 HTTP/1.1\r\nno colon\r\n\r\n", 400, "bad-request"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n", 400, "bad-request"),
        ("POST /echo HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400, "bad-request"),
        (format!("GET /items/1 HTTP/1.1\r\n{many}\r\n").as_str(), 431, "headers-too-large"),
        (format!("GET /items/1 HTTP/1.1\r\n{long}\r\n").as_str(), 431, "headers-too-large"),
    ] {
        let mut client = Client::to(running.address).await;
        client.send(request).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("application/problem+json")), "{request:?} {reply:?}");
        assert_eq!(reply.json()["code"], code);
        client.rest().await;
    }
}

#[tokio::test]
async fn a_handler_that_never_answers_is_504() {
    let settings = crate::http::ServerSettings { handler_timeout: std::time::Duration::from_millis(50), ..quick() };
    let running = Running::start(routes(), settings).await;
    let mut client = Client::to(running.address).await;
    client.ask("GET", "/slow").await.assert_problem(504, "deadline-exceeded", "/slow");
    assert_eq!(client.ask("GET", "/items/1").await.body, "1");
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let (_running, mut client) = running().await;
    let reply = client.ask("HEAD", "/items/all").await;
    assert_eq!((reply.status, reply.header("content-length"), reply.body.as_str()), (200, Some("11"), ""));
    let reply = client.ask("HEAD", "/nothing").await;
    assert_eq!((reply.status, reply.header("content-type")), (404, Some("application/problem+json")));
    assert_eq!(client.ask("GET", "/items/all").await.body, "all of them");
}

#[tokio::test]
async fn every_answer_has_a_type_and_no_banner() {
    let (_running, mut client) = running().await;
    for path in ["/items/1", "/nothing", "/panics"] {
        let reply = client.ask("GET", path).await;
        assert!(reply.header("content-type").is_some(), "{reply:?}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("server"), None);
    }
}

#[tokio::test]
async fn ten_thousand_paths_make_no_series() {
    let (running, mut client) = running().await;
    let mut ask = async |range: std::ops::Range<u32>| {
        for n in range {
            for (method, path) in [("GET", format!("/items/{n}")), ("GET", format!("/nothing/{n}")), ("BREW", format!("/echo?n={n}"))] {
                client.ask(method, &path).await;
            }
        }
        running.metrics.render().lines().filter(|line| line.starts_with("viewmill_http_")).count()
    };
    let few = ask(0..1).await;
    assert_eq!(ask(1..3_400).await, few);
}

#[tokio::test]
async fn routes_that_do_not_fit_together_are_refused_all_at_once() {
    let any = || warp::any().map(|| "");
    let routes = Routes::new().get("/a/{x}", any()).and(Routes::new().get("/a/{y}", any()).post("/a/{x}", any()).get("b", any()));
    let (server, _) = Server::bind("127.0.0.1:0".parse().unwrap(), quick()).unwrap();
    let metrics = super::running::no_metrics();
    let Err(ServerError::Routes { faults }) = server.serve(routes, metrics, std::future::pending()).await else { panic!("refused") };
    assert_eq!(faults, ["\"b\" is no template: write it like /orders/{id}", "GET /a/{y} is declared twice"]);
}
