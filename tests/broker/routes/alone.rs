//! An instance that has everything: what is asked rightly, what is asked wrongly, and what comes too late.

use std::time::Duration;

use serde_json::{Value, json};
use viewmill::Position;
use viewmill::clock::{Clock as _, SystemClock};
use viewmill::kafka::{KafkaSettings, RecordWriter};
use viewmill::query::ConsistencyToken;
use viewmill::record::{Headers, Offset, OutputRecord, Timestamp};

use super::Table;
use super::asker::{Asker, Request};
use crate::commands::eventually;
use crate::support::{HttpClient, Instance, Response, Run};

const JSON: &str = "application/json";
const CREATE: &str = "POST /api/orders";
const MAX_BODY_BYTES: usize = 20_000;
const MAX_CONNECTIONS: usize = 16;
/// More orders than it takes to meet every partition.
const LATE: usize = 64;

/// All that such an instance answers.
pub fn answers() -> Table {
    let run = Run::new("routes");
    let [bytes, connections] = [MAX_BODY_BYTES, MAX_CONNECTIONS].map(|bound| bound.to_string());
    let settings = [("VIEWMILL__HTTP__MAX_BODY_BYTES", &*bytes), ("VIEWMILL__HTTP__MAX_CONNECTIONS", &*connections)];
    let mut instance = Instance::start(&run, "a", &settings);
    instance.wait_ready();
    let mut asker = Asker::of(&instance);
    wrongly_asked(&mut asker);
    documents(&mut asker);
    let written = views(&mut asker);
    let task = stores(&mut asker, &written.order);
    not_caught_up(&mut asker, &run, &written, &task);
    commands_done(&mut asker);
    commands_refused(&mut asker);
    order_taken(&mut asker, &run);
    too_many_connections(&mut asker, &instance);
    // The last: from now on it is half an hour later for all partitions.
    too_late(&mut asker, &run);
    asker.table()
}

/// All connections are taken. Whoever watches the instance is answered on another.
fn too_many_connections(asker: &mut Asker, instance: &Instance) {
    // Others may be kept yet by who asked before; so these are asked again and again until they are all that there are.
    let mut taken = Vec::new();
    eventually("all connections are taken", || {
        taken.push(instance.client());
        taken.retain_mut(|client: &mut HttpClient| client.get("/v1/tasks").is_ok_and(|answer| answer.status == 200));
        (taken.len() == MAX_CONNECTIONS).then_some(())
    });
    let refuses = asker.document.routes_with(429, "overloaded");
    for route in asker.document.routes() {
        if refuses.contains(&route) {
            asker.expect(&route, &Request::new(), 429, "overloaded");
        } else {
            assert_eq!(asker.ask(&route, &Request::new()).status, 200, "{route}");
        }
    }
}

/// An order that was created.
struct Written {
    order: String,
    /// The command that created it.
    command: String,
    /// Up to where the views of both had read then.
    positions: Vec<Position>,
}

/// What any route may be asked wrongly.
fn wrongly_asked(asker: &mut Asker) {
    for route in asker.document.routes() {
        asker.expect(&route, &asker.example(&route, Request::new()).query("nope=1"), 400, "validation-failed");
        asker.expect(&route, &Request::new().body(&"x".repeat(MAX_BODY_BYTES + 1)), 413, "body-too-large");
        asker.expect(&route, &Request::new().query(&format!("x={}", "x".repeat(8_192))), 414, "uri-too-long");
    }
    for route in asker.document.routes_with(400, "bad-path") {
        asker.expect(&route, &Request::new().segments("%FF"), 400, "bad-path");
    }
    for route in asker.document.routes_with(415, "unsupported-media-type") {
        asker.expect(&route, &Request::new().header("Content-Type", "text/plain").body("{}"), 415, "unsupported-media-type");
    }
}

/// What is there without anything being asked before.
fn documents(asker: &mut Asker) {
    for route in asker.document.routes().into_iter().filter(|route| route.starts_with("GET ") && !route.contains('{')) {
        let answer = asker.ask(&route, &Request::new());
        assert_eq!(answer.status, 200, "{route}: {answer:?}");
        if !asker.document.routes_with(304, "").contains(&route) {
            continue;
        }
        asker.expect(&route, &Request::new().header("If-None-Match", answer.header("etag").unwrap()), 304, "");
    }
    for format in asker.document.values("GET /v1/topology", "format") {
        assert_eq!(asker.ask("GET /v1/topology", &Request::new().query(&format!("format={format}"))).status, 200, "{format}");
    }
}

/// The routes of one order and of one command.
fn views(asker: &mut Asker) -> Written {
    let created = asker.expect(CREATE, &asker.example(CREATE, Request::new()), 201, JSON);
    let (id, command) = (member(&created, "orderId"), member(&created, "commandId"));
    let written = |request: Request| request.header("Consistency-Token", created.header("consistency-token").unwrap());
    let mut positions = Vec::new();
    for (route, of, query) in [
        ("GET /api/orders/{id}", &id, "stale=allow"),
        ("GET /api/orders/{id}/history", &id, "asOf=1"),
        ("GET /api/commands/{id}", &command, ""),
    ] {
        let request = written(Request::of(of).query(query));
        // What became of the command is read back from its own topic.
        let answer = eventually("it is read", || Some(asker.ask(route, &request)).filter(|answer| answer.status == 200));
        positions.push(Position::parse(answer.header("view-position").unwrap()).unwrap());
        if let Some(tag) = answer.header("etag") {
            asker.expect(route, &request.header("If-None-Match", tag), 304, "");
        }
    }
    for (code, routes) in [
        ("order-not-found", &["GET /api/orders/{id}", "GET /api/orders/{id}/history"][..]),
        ("command-not-found", &["GET /api/commands/{id}"]),
    ] {
        routes.iter().for_each(|route| _ = asker.expect(route, &Request::new(), 404, code));
    }
    asker.expect("GET /api/orders/{id}/history", &Request::of(&id).query("asOf=999"), 404, "version-not-found");
    Written { order: id, command, positions }
}

/// The engine's routes of one store. Answers the task that has an order.
fn stores(asker: &mut Asker, id: &str) -> String {
    let (item, items, owner) = ("GET /v1/stores/{store}/items/{key}", "GET /v1/stores/{store}/items", "GET /v1/stores/{store}/owner/{key}");
    asker.expect(items, &Request::new(), 200, JSON);
    asker.expect(item, &Request::of(id), 200, JSON);
    asker.expect(item, &Request::new(), 404, "key-not-found");
    let task = member(&asker.expect(owner, &Request::of(id), 200, JSON), "task");
    for route in [item, items, owner] {
        asker.expect(route, &Request::new().segment("store", "none"), 404, "store-not-found");
    }
    asker.expect("GET /v1/tasks/{task}/outputs", &Request::new().segment("task", &task), 200, JSON);
    asker.expect("GET /v1/tasks/{task}/outputs", &Request::new().segment("task", "none"), 404, "task-not-found");
    task
}

/// A token that is ahead of all that is written.
fn not_caught_up(asker: &mut Asker, run: &Run, written: &Written, task: &str) {
    let mut ahead = Position::default();
    written.positions.iter().for_each(|position| ahead.0.extend(position.0.clone()));
    ahead.0.values_mut().for_each(|next| *next = Offset(next.0 + 1_000_000));
    let token = ConsistencyToken::new(&run.id, &ahead).to_string();
    for route in asker.document.routes_with(503, "view-not-caught-up") {
        let of = if route.contains("commands") { &written.command } else { &written.order };
        let request = Request::of(of).segment("task", task).header("Consistency-Token", &token).header("Prefer", "wait=0");
        asker.expect(&route, &request, 503, "view-not-caught-up");
    }
}

/// An order to which these steps were told, each with its example.
fn order_after(asker: &mut Asker, steps: &[&str]) -> String {
    let created = asker.expect(CREATE, &asker.example(CREATE, Request::new()), 201, JSON);
    let (id, due) = (member(&created, "orderId"), parsed(&created)["totalAmount"].clone());
    for step in steps {
        let route = format!("POST /api/orders/{{id}}/{step}");
        let request = match *step {
            // The document's first example is one that failed.
            "payments" => Request::of(&id).json(&json!({"paymentId": "pay-1", "method": "CARD", "amount": due})),
            _ => asker.example(&route, Request::of(&id)),
        };
        asker.expect(&route, &request, 200, JSON);
    }
    id
}

fn commands_done(asker: &mut Asker) {
    for (step, before) in [
        ("approve", &[][..]),
        ("reject", &[]),
        ("cancel", &[]),
        ("address", &[]),
        ("payments", &[]),
        ("payments/{pid}/refunds", &["payments"]),
        ("ship", &["approve"]),
        ("deliver", &["approve", "ship"]),
    ] {
        let route = format!("POST /api/orders/{{id}}/{step}");
        let id = order_after(asker, before);
        asker.expect(&route, &asker.example(&route, Request::of(&id)), 200, JSON);
    }
}

fn commands_refused(asker: &mut Asker) {
    let (rejected, paid) = (order_after(asker, &["reject"]), order_after(asker, &["payments"]));
    for route in asker.document.routes_with(404, "order-not-found").into_iter().filter(|route| route.starts_with("POST ")) {
        asker.expect(&route, &asker.example(&route, Request::new()), 404, "order-not-found");
        // Rejected orders can still be paid.
        let order = if route.ends_with("payments") { &paid } else { &rejected };
        asker.expect(&route, &asker.example(&route, Request::of(order)), 409, "invalid-transition");
    }
    for route in asker.document.routes_with(412, "version-mismatch") {
        let request = asker.example(&route, Request::of(&paid).header("If-Match", "\"999\""));
        asker.expect(&route, &request, 412, "version-mismatch");
    }
    for route in asker.document.routes_with(422, "idempotency-key-reused") {
        let request = asker.example(&route, Request::new().header("Idempotency-Key", "again"));
        asker.ask(&route, &request);
        let other = other(&asker.document.example(&route).unwrap());
        asker.expect(&route, &request.json(&other), 422, "idempotency-key-reused");
    }
    asker.expect(CREATE, &asker.example(CREATE, Request::new().header("X-Actor", "somebody-else")), 403, "forbidden");
}

/// A body as valid that asks for something else.
fn other(body: &Value) -> Value {
    let mut other = body.clone();
    let texts = ["/note", "/reason", "/carrier", "/code", "/userId", "/shippingAddress/recipient"];
    match texts.iter().find(|pointer| body.pointer(pointer).is_some()) {
        Some(pointer) => *other.pointer_mut(pointer).unwrap() = json!("other"),
        None => other = json!({}),
    }
    assert_ne!(other, *body);
    other
}

/// An order whose id, that of a key, was taken by somebody else.
fn order_taken(asker: &mut Asker, run: &Run) {
    let key = asker.document.parameter(CREATE, "Idempotency-Key", "tea");
    let id = asker.document.parameter("GET /api/orders/{id}", "id", "tea");
    let created = json!({
        "type": "ORDER_CREATED",
        "aggregateId": id,
        "version": 1,
        "data": {"orderId": id, "userId": "kim", "items": [], "totalAmount": 25, "currency": "EUR"},
    });
    write(run, &[(id.as_str().unwrap(), created)], None);
    eventually("the order is read", || {
        Some(asker.ask("GET /api/orders/{id}", &Request::of(id.as_str().unwrap()))).filter(|answer| answer.status == 200)
    });
    asker.expect(
        CREATE,
        &asker.example(CREATE, Request::new().header("Idempotency-Key", key.as_str().unwrap())),
        409,
        "invalid-transition",
    );
}

/// Records from half an hour ahead in every partition: commands are that late then.
fn too_late(asker: &mut Asker, run: &Run) {
    let ids: Vec<String> = (0..LATE).map(|number| format!("late-{number}")).collect();
    let event = |id: &String| json!({"type": "ORDER_APPROVED", "aggregateId": id, "version": 1, "data": {}});
    let events: Vec<(&str, Value)> = ids.iter().map(|id| (&**id, event(id))).collect();
    write(run, &events, Some(Timestamp(SystemClock::default().now().as_millis() + 1_800_000)));
    let approve = "POST /api/orders/{id}/approve";
    for id in &ids {
        eventually("the record is read", || Some(()).filter(|()| asker.ask(approve, &Request::of(id)).status == 504));
    }
    for route in asker.document.routes_with(504, "deadline-exceeded").into_iter().filter(|route| route.starts_with("POST ")) {
        asker.expect(&route, &asker.example(&route, Request::new()), 504, "deadline-exceeded");
    }
}

/// Events of another team's service.
fn write(run: &Run, events: &[(&str, Value)], timestamp: Option<Timestamp>) {
    let (writer, topic) =
        (RecordWriter::new(&KafkaSettings::new(&run.bootstrap, &run.id, "others")).unwrap(), format!("{}order-events", run.topic_prefix));
    for (key, event) in events {
        let (key, value) = (Some(key.as_bytes()), event.to_string());
        let value = Some(value.as_bytes());
        writer.write(&OutputRecord { topic: &topic, partition: None, key, value, timestamp, headers: Headers::default() }).unwrap();
    }
    writer.flush(Duration::from_secs(20)).unwrap();
}

fn parsed(answer: &Response) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

fn member(answer: &Response, name: &str) -> String {
    parsed(answer)[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer:?}")).to_owned()
}
