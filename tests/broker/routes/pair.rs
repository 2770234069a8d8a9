//! Two instances that share the tasks: what the other one has, commands that it does not decide, and a broker that stops answering.

use std::thread;
use std::time::Duration;

use super::Table;
use super::asker::{Asker, Request};
use crate::commands::eventually;
use crate::embedded;
use crate::support::{HttpClient, Instance, Run};

/// So many commands may wait on an instance.
const WAITING: usize = 128;
/// More keys than it takes to meet a partition of each.
const KEYS: usize = 64;
/// A command waits for ten seconds for its outcome, and as long for Kafka.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// All that such instances answer.
pub fn answers() -> Table {
    let mut run = Run::new("routes-pair");
    let mut first = embedded::start(&mut run, "a", "127.0.0.1:0");
    first.wait_ready();
    let mut second = Instance::start(&run, "b", &[]);
    second.wait_ready();
    let mut asker = Asker::of(&first);
    let keys: Vec<String> = (0..KEYS).map(|number| format!("k-{number}")).collect();
    let elsewhere = eventually("the second has tasks, and the first knows it", || elsewhere(&mut asker, &keys));
    for route in asker.document.routes_with(503, "partial") {
        // A row in each partition.
        asker.expect(&route, &Request::of("EUR").segment("store", "order-stats"), 503, "partial");
    }
    too_many(&mut asker, &mut first, &mut second, &elsewhere);
    let mut table = asker.table();
    table.add(unconfirmed(&mut first, &second));
    table
}

/// Keys of every route that redirects, if each of them has one: the orders among them.
fn elsewhere(asker: &mut Asker, keys: &[String]) -> Option<Vec<String>> {
    let mut orders = Vec::new();
    for route in asker.document.routes_with(307, "owner-elsewhere") {
        let tasks = (0..KEYS).map(|partition| format!("events_{partition}"));
        let requests = keys.iter().zip(tasks).map(|(key, task)| (key, Request::of(key).segment("task", &task)));
        let found: Vec<&String> = requests.filter(|(_, request)| asker.ask(&route, request).status == 307).map(|(key, _)| key).collect();
        if found.is_empty() {
            return None;
        }
        if route == "GET /api/orders/{id}" {
            orders = found.into_iter().cloned().collect();
        }
    }
    Some(orders)
}

/// The second does not decide, so the commands that it should decide wait at the first: as many as may, and further ones are refused.
fn too_many(asker: &mut Asker, first: &mut Instance, second: &mut Instance, orders: &[String]) {
    second.pause();
    for route in asker.document.routes_with(202, "application/json") {
        let request = asker.example(&route, Request::of(&orders[0]).header("Prefer", "respond-async"));
        // A new order may be one that the first decides, and that at once.
        eventually("it is not waited for", || Some(()).filter(|()| asker.ask(&route, &request).status == 202));
    }
    let cancel = "POST /api/orders/{id}/cancel";
    let send = |number: usize| {
        let request = asker.example(cancel, Request::of(&orders[number % orders.len()]).header("Request-Timeout", "60"));
        let (path, mut client) = (request.path(cancel), first.client().waiting(ANSWERED_WITHIN));
        thread::spawn(move || client.send(&format!("POST {path}"), &request.headers(), request.sent_body()).unwrap())
    };
    let waiting: Vec<_> = (0..WAITING).map(send).collect();
    eventually("all wait", || Some(()).filter(|()| first.metric("viewmill_commands_waiting", &[]) == WAITING as f64));
    for route in asker.document.routes_with(429, "overloaded").into_iter().filter(|route| route.starts_with("POST ")) {
        asker.expect(&route, &asker.example(&route, Request::new()), 429, "overloaded");
    }
    second.resume();
    for answer in waiting {
        assert_eq!(answer.join().unwrap().status, 404, "whoever waited is answered");
    }
}

/// The first has the broker: while it stands still nobody knows what became of a command.
fn unconfirmed(first: &mut Instance, second: &Instance) -> Table {
    let mut asker = Asker::of(second);
    first.pause();
    let send = |route: String| {
        let request = asker.example(&route, Request::new());
        let (path, method) = (request.path(&route), route.split_once(' ').unwrap().0.to_owned());
        let mut client: HttpClient = second.client().waiting(ANSWERED_WITHIN);
        let send = move || client.send(&format!("{method} {path}"), &request.headers(), request.sent_body()).map(|answer| (path, answer));
        (route, thread::spawn(send))
    };
    let sent: Vec<_> = asker.document.routes_with(503, "unconfirmed").into_iter().map(send).collect();
    for (route, sent) in sent {
        let (path, answer) = sent.join().unwrap().unwrap();
        assert_eq!(asker.note(&route, &path, &answer).kind, "unconfirmed", "{route}");
    }
    first.resume();
    asker.table()
}
