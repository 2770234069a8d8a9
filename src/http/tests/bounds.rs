//! Nothing that a client does takes more than its share.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;
use tokio::time::Instant;
use warp::{Filter as _, Rejection};

use super::client::PATIENCE;
use super::{Client, Reply, Running, quick};
use crate::http::{Answers, Problem, Routes, Server, ServerError, ServerSettings};

fn routes() -> Routes {
    Routes::new()
        .get("/hello", warp::any().map(|| "hello"))
        .post("/length", length())
        .get("/large", warp::any().map(|| "x".repeat(64 * 1_048_576)))
}

fn length() -> impl Answers<String> {
    warp::body::bytes().map(|bytes: hyper::body::Bytes| bytes.len().to_string())
}

/// A route that tells when it has been entered and waits until it is let go.
fn gate() -> (Routes, Arc<Notify>, Arc<Notify>) {
    let (entered, open) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, opened) = (entered.clone(), open.clone());
    let waiting = warp::any().and_then(move || {
        let (enter, opened) = (enter.clone(), opened.clone());
        async move {
            enter.notify_one();
            opened.notified().await;
            Ok::<_, Rejection>("through")
        }
    });
    (routes().get("/gate", waiting), entered, open)
}

#[tokio::test]
async fn a_connection_takes_many_requests_even_at_once() {
    let running = Running::start(routes(), quick()).await;
    let mut client = Client::to(running.address).await;
    for _ in 0..100 {
        assert_eq!(client.ask("GET", "/hello").await.body, "hello");
    }
    client.send(&"GET /hello HTTP/1.1\r\nhost: test\r\n\r\n".repeat(10)).await;
    for _ in 0..10 {
        assert_eq!(client.reply().await.body, "hello");
    }
    client.send("GET /hello HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    assert!(client.rest().await.ends_with("hello"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_the_client_gets_to_see_it() {
    let running = Running::start(routes(), quick()).await;
    let problem = |reply: Reply| {
        let document = reply.assert_problem(413, "body-too-large", "/length");
        assert_eq!(document["limitBytes"], 100);
    };
    let mut client = Client::to(running.address).await;
    assert_eq!(client.post("/length", "text/plain", &"x".repeat(100)).await.body, "100");
    problem(client.post("/length", "text/plain", &"x".repeat(101)).await);
    // It was read to its end, so the connection is in order.
    assert_eq!(client.ask("GET", "/hello").await.body, "hello");
    problem(client.post("/length", "text/plain", &"x".repeat(4 * 1_048_576)).await);

    let mut client = Client::to(running.address).await;
    client.send("POST /length HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..3 {
        client.send(&format!("32\r\n{}\r\n", "x".repeat(50))).await;
    }
    client.send("0\r\n\r\n").await;
    problem(client.reply().await);
    assert_eq!(client.ask("GET", "/hello").await.body, "hello");

    // Who asks first is told before anything was sent.
    let mut client = Client::to(running.address).await;
    client.send("POST /length HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 101\r\n\r\n").await;
    problem(client.reply().await);
    let mut client = Client::to(running.address).await;
    client.send("POST /length HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await;
    assert_eq!(client.reply().await.status, 100);
    client.send("four").await;
    assert_eq!(client.reply().await.body, "4");
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_does_not_hurt_the_connection() {
    let running = Running::start(routes(), quick()).await;
    let mut client = Client::to(running.address).await;
    for _ in 0..3 {
        client.post("/nothing", "text/plain", &"x".repeat(200_000)).await.assert_problem(404, "not-found", "/nothing");
        client.post("/hello", "text/plain", "x").await.assert_problem(405, "method-not-allowed", "/hello");
    }
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_headers_is_cut() {
    let running = Running::start(routes(), quick()).await;
    let mut slow = Client::to(running.address).await;
    slow.send("GET /hello HTTP/1.1\r\nho").await;
    let idle = Client::to(running.address).await;
    for client in [slow, idle] {
        assert_eq!(tokio::time::timeout(PATIENCE, client.rest()).await.expect("cut in time"), "");
    }
}

#[tokio::test]
async fn a_client_that_is_slow_with_its_body_is_told() {
    let running = Running::start(routes(), quick()).await;
    let mut client = Client::to(running.address).await;
    client.send("POST /length HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nfour").await;
    client.reply().await.assert_problem(408, "request-timeout", "/length");
}

#[tokio::test]
async fn a_client_that_takes_no_bytes_is_cut() {
    let settings = ServerSettings { max_connections: 1, header_timeout: Duration::from_secs(60), ..quick() };
    let running = Running::start(routes(), settings).await;
    let mut greedy = Client::to(running.address).await;
    greedy.send("GET /large HTTP/1.1\r\nhost: test\r\n\r\n").await;
    // Its place is free again once it was cut, though it is still connected. Until then others are sent away.
    let freed = async {
        while Client::to(running.address).await.ask("GET", "/hello").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.expect("cut in time");
    drop(greedy);
}

#[tokio::test]
async fn connections_over_the_cap_are_told_at_once_to_come_again() {
    let (routes, entered, open) = gate();
    let routes = routes.get("/livez", warp::any().map(|| "alive"));
    let running = Running::start(routes, ServerSettings { max_connections: 2, header_timeout: Duration::from_secs(60), ..quick() }).await;
    let mut first = Client::to(running.address).await;
    assert_eq!(first.ask("GET", "/hello").await.body, "hello");
    let mut second = Client::to(running.address).await;
    second.send("GET /gate HTTP/1.1\r\nhost: test\r\n\r\n").await;
    entered.notified().await;

    // Also one with a body, which is read and thrown away, so that the answer arrives.
    let mut third = Client::to(running.address).await;
    let began = Instant::now();
    let refused = third.post("/length", "text/plain", "four").await;
    refused.assert_problem(429, "overloaded", "/length");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Who does not come again in a second but at once waits a little for the same answer; who keeps still is cut.
    third.ask("GET", "/hello").await.assert_problem(429, "overloaded", "/hello");
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    assert_eq!(tokio::time::timeout(PATIENCE, third.rest()).await.expect("cut in time"), "");
    // Whoever watches the instance sees that it lives.
    assert_eq!(Client::to(running.address).await.ask("GET", "/livez").await.body, "alive");
    // The others are served meanwhile.
    assert_eq!(first.ask("GET", "/hello").await.body, "hello");
    open.notify_one();
    assert_eq!(second.reply().await.body, "through");
    drop(first);
    // Also for a connection that had none.
    let mut fourth = Client::to(running.address).await;
    let freed = async {
        while fourth.ask("GET", "/hello").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.expect("there is room again");
}

#[tokio::test]
async fn more_than_can_be_told_so_wait_their_turn() {
    let running = Running::start(routes(), ServerSettings { max_connections: 1, header_timeout: Duration::from_secs(60), ..quick() }).await;
    let mut first = Client::to(running.address).await;
    assert_eq!(first.ask("GET", "/hello").await.body, "hello");
    // They say nothing, and are cut. Each takes two files here.
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).expect("as many as are allowed");
    let mut silent = Vec::new();
    for _ in 0..1_100 {
        silent.push(Client::to(running.address).await);
    }
    let asked = async { Client::to(running.address).await.ask("GET", "/hello").await.status };
    assert_eq!(tokio::time::timeout(PATIENCE, asked).await.expect("its turn came"), 429);
    drop(silent);
}

#[tokio::test]
async fn the_end_lets_requests_under_way_finish() {
    let (routes, entered, open) = gate();
    let running = Running::start(routes, ServerSettings { shutdown_deadline: Duration::from_secs(60), ..quick() }).await;
    let address = running.address;
    let mut idle = Client::to(address).await;
    assert_eq!(idle.ask("GET", "/hello").await.body, "hello");
    let mut busy = Client::to(address).await;
    busy.send("GET /gate HTTP/1.1\r\nhost: test\r\n\r\n").await;
    entered.notified().await;
    let ended = running.stop();
    assert_eq!(idle.rest().await, "", "an idle connection is closed at once");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody new is let in");
    assert!(!ended.is_finished());
    open.notify_one();
    let reply = busy.reply().await;
    assert_eq!((reply.body.as_str(), reply.header("connection")), ("through", Some("close")));
    tokio::time::timeout(PATIENCE, ended).await.expect("ended in time").unwrap();
}

#[tokio::test]
async fn the_end_cuts_requests_that_go_past_its_deadline() {
    let (routes, entered, _open) = gate();
    let running = Running::start(routes, quick()).await;
    let (metrics, mut client) = (running.metrics.clone(), Client::to(running.address).await);
    client.send("GET /gate HTTP/1.1\r\nhost: test\r\n\r\n").await;
    entered.notified().await;
    tokio::time::timeout(PATIENCE, running.stop()).await.expect("ended in time").unwrap();
    assert_eq!(client.rest().await, "");
    assert!(metrics.render().contains(r#"viewmill_http_requests_total{code="499",method="GET",route="/gate"} 1"#));
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_and_its_handler_dropped() {
    let (routes, entered, _open) = gate();
    let running = Running::start(routes, quick()).await;
    let mut client = Client::to(running.address).await;
    client.send("GET /gate HTTP/1.1\r\nhost: test\r\n\r\n").await;
    entered.notified().await;
    client.stream.shutdown().await.unwrap();
    let counted = async {
        while running.series("viewmill_http_requests_total{code=\"499\"").is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("counted in time");
}

#[tokio::test]
async fn the_number_of_series_does_not_grow_with_what_clients_send() {
    let running = Running::start(routes(), ServerSettings { header_timeout: Duration::from_secs(60), ..quick() }).await;
    let mut client = Client::to(running.address).await;
    let count = |running: &Running| running.metrics.render().lines().filter(|line| line.starts_with("viewmill_http")).count();
    for method in ["GET", "BREW"] {
        client.ask(method, "/first").await;
        client.ask(method, "/hello").await;
    }
    let before = count(&running);
    for n in 0..1_000 {
        client.ask("GET", &format!("/path/{n}?x={n}")).await;
        if n % 10 == 0 {
            client.ask(&format!("BREW{n}"), "/hello").await;
            client.ask(&format!("BREW{n}"), &format!("/path/{n}")).await;
        }
    }
    assert_eq!(count(&running), before);
    let other = running.series("viewmill_http_requests_total{code=\"404\",method=\"GET\",route=\"other\"}");
    assert_eq!(other, [r#"viewmill_http_requests_total{code="404",method="GET",route="other"} 1001"#]);
    let known = running.series("viewmill_http_requests_total{code=\"405\",method=\"OTHER\",route=\"/hello\"}");
    assert_eq!(known, [r#"viewmill_http_requests_total{code="405",method="OTHER",route="/hello"} 101"#]);
}

#[tokio::test]
async fn series_of_routes_are_there_before_the_first_request() {
    let running = Running::start(routes(), quick()).await;
    // The server has begun once it answers.
    Client::to(running.address).await.ask("GET", "/nothing").await;
    let begun = running.series("viewmill_http_requests_total{code=\"200\",method=\"POST\",route=\"/length\"}");
    assert_eq!(begun, [r#"viewmill_http_requests_total{code="200",method="POST",route="/length"} 0"#]);
    let timed = running.series("viewmill_http_request_duration_seconds_count{method=\"POST\",route=\"/length\"}");
    assert_eq!(timed, [r#"viewmill_http_request_duration_seconds_count{method="POST",route="/length"} 0"#]);
}

#[tokio::test]
async fn who_is_not_admitted_is_refused_before_the_body_is_read_and_the_filter_runs() {
    let open = Arc::new(AtomicBool::new(false));
    let asked = open.clone();
    let admission = move || match asked.load(Ordering::Acquire) {
        true => Ok(()),
        false => Err(Problem::overloaded("there is no room")),
    };
    let running = Running::start(routes().admitted_by(|| Ok(())).post("/room", length()).admitted_by(admission), quick()).await;
    let mut client = Client::to(running.address).await;
    // A body that would be too large is none of our business.
    let began = Instant::now();
    let refused = client.post("/room", "text/plain", &"x".repeat(101)).await;
    refused.assert_problem(429, "overloaded", "/room");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // The connection is in order. Asked again at once, the same is told a little later.
    client.post("/room", "text/plain", "four").await.assert_problem(429, "overloaded", "/room");
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    // What has room does not wait, and then the next refusal does not either.
    let mut soonest = Duration::MAX;
    for _ in 0..5 {
        let asked = Instant::now();
        assert_eq!(client.post("/length", "text/plain", "four").await.body, "4");
        client.post("/room", "text/plain", "four").await.assert_problem(429, "overloaded", "/room");
        soonest = soonest.min(asked.elapsed());
    }
    assert!(soonest < Duration::from_millis(250), "{soonest:?}");
    // Who asks first is told before anything was sent.
    client.send("POST /room HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await;
    client.reply().await.assert_problem(429, "overloaded", "/room");
    open.store(true, Ordering::Release);
    let mut client = Client::to(running.address).await;
    assert_eq!(client.post("/room", "text/plain", "four").await.body, "4");
    let counted = running.series("viewmill_http_requests_total{code=\"429\",method=\"POST\",route=\"/room\"}");
    assert_eq!(counted, [r#"viewmill_http_requests_total{code="429",method="POST",route="/room"} 8"#]);
}

/// One thread, which does not get to accept anything meanwhile: all of them wait in the system.
#[tokio::test]
async fn connections_that_come_all_at_once_are_not_dropped() {
    let running = Running::start(routes(), quick()).await;
    let may_wait = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok().and_then(|text| text.trim().parse().ok());
    if may_wait.is_some_and(|count: u32| count < 600) {
        return;
    }
    let connect = |_| TcpStream::connect_timeout(&running.address, Duration::from_millis(900)).expect("it waits to be accepted");
    let many: Vec<TcpStream> = (0..600).map(connect).collect();
    drop(many);
    assert_eq!(Client::to(running.address).await.ask("GET", "/hello").await.status, 200);
}

#[tokio::test]
async fn an_address_in_use_is_told_by_name() {
    let running = Running::start(routes(), quick()).await;
    let error = Server::bind(running.address, quick()).unwrap_err();
    assert!(matches!(error, ServerError::Bind { .. }));
    let text = error.to_string();
    assert!(text.contains(&running.address.to_string()) && text.contains("http.listen"), "{text}");
}
