//! The description of the routes, and the page that shows it.

use super::{Client, Running, quick};
use crate::http::{Example, Operation, Parameter, Routes, param, with_document};
use serde_json::json;
use warp::Filter as _;

fn greet() -> Operation {
    Operation::new("people", "greet", "Greets somebody")
        .parameter(Parameter::path("name", "Who is greeted"))
        .json(200, "The greeting", json!({"type": "string"}))
        .problem(404, &["nobody-there"])
        .example(Example::new("kim").with("name", "Kim"))
}

fn routes() -> Routes {
    let plain = || param("name").map(|name: String| name);
    Routes::new().get("/hello/{name}", plain()).described(greet()).get("/bye/{name}", plain())
}

#[tokio::test]
async fn the_document_tells_of_the_routes_that_are_served_and_of_itself() {
    let running = Running::start(with_document(routes(), "greetings"), quick()).await;
    let mut client = Client::to(running.address).await;
    let reply = client.ask("GET", "/openapi.json").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let document = reply.json();
    assert_eq!((&document["openapi"], &document["info"]["title"]), (&json!("3.1.0"), &json!("greetings")));
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/bye/{name}", "/docs", "/docs/docs.css", "/docs/docs.js", "/hello/{name}", "/openapi.json"]);
    let greet = &document["paths"]["/hello/{name}"]["get"];
    assert_eq!(greet["parameters"][0]["examples"], json!({"kim": {"value": "Kim"}}));
    let statuses: Vec<&String> = greet["responses"].as_object().unwrap().keys().collect();
    assert_eq!(statuses, ["200", "400", "404", "408", "413", "414", "429", "500", "504"]);
    let missing = &greet["responses"]["404"]["content"]["application/problem+json"]["schema"];
    assert_eq!(missing["allOf"][1]["properties"]["code"]["enum"], json!(["nobody-there"]));

    let tag = reply.header("etag").unwrap();
    let known = client.get_with("/openapi.json", &[("If-None-Match", tag)]).await;
    assert_eq!((known.status, known.header("etag"), &*known.body), (304, Some(tag), ""));
    client.ask("GET", "/openapi.json?version=3").await.assert_problem(400, "validation-failed", "/openapi.json");
}

#[tokio::test]
async fn the_page_comes_from_this_server_alone() {
    let running = Running::start(with_document(routes(), "greetings"), quick()).await;
    let mut client = Client::to(running.address).await;
    for (path, kind) in [("/docs", "text/html"), ("/docs/docs.css", "text/css"), ("/docs/docs.js", "text/javascript")] {
        let reply = client.ask("GET", path).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(&*format!("{kind}; charset=utf-8"))));
        let policy = reply.header("content-security-policy");
        assert_eq!(policy.is_some_and(|policy| policy.starts_with("default-src 'none'")), kind == "text/html");
        assert!(!reply.body.contains("://"), "{path} names another server");
    }
}

#[test]
fn a_route_that_nobody_describes_is_known() {
    assert_eq!(routes().undescribed(), ["GET /bye/{name}"]);
    let bye = &routes().document()["paths"]["/bye/{name}"]["get"];
    assert_eq!((&bye["parameters"][0]["name"], bye.get("tags")), (&json!("name"), None));
}

#[test]
fn a_description_fits_its_route() {
    let plain = || warp::any().map(|| "");
    let faults = |routes: Routes| routes.table().err().unwrap_or_default();
    let described = || Operation::new("a", "a", "a");
    assert_eq!(faults(Routes::new().get("/{other}", plain()).described(greet())), ["GET /{other} is described with other segments"]);
    assert_eq!(faults(Routes::new().described(described())), ["a description stands before the first route"]);
    assert_eq!(faults(Routes::new().get("/a", plain()).described(described()).described(described())), ["GET /a is described twice"]);
}
