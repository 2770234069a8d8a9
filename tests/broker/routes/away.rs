//! An instance that has not reached Kafka, and that answers nobody who does not say who acts.

use std::thread;
use std::time::Duration;

use super::Table;
use super::asker::{Asker, Request};
use crate::commands::eventually;
use crate::support::{HttpClient, Instance, Run};

/// A body may take 30 seconds.
const BODY_WITHIN: Duration = Duration::from_secs(45);

/// All that such an instance answers.
pub fn answers() -> Table {
    let run = Run::new("routes-away");
    // Nobody listens there.
    let settings = [("VIEWMILL__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("VIEWMILL__HTTP__ACTOR_REQUIRED", "true")];
    let mut instance = Instance::start(&run, "a", &settings);
    eventually("it listens", || instance.try_get("/livez").ok());
    let mut asker = Asker::of(&instance);
    let slow = slow_bodies(&asker, &instance);
    for route in asker.document.routes_with(401, "actor-required") {
        asker.expect(&route, &asker.example(&route, Request::new()), 401, "actor-required");
    }
    for code in ["not-ready", "restoring"] {
        for route in asker.document.routes_with(503, code) {
            asker.expect(&route, &asker.example(&route, Request::new().header("X-Actor", "kim")), 503, code);
        }
    }
    asker.expect("GET /readyz", &Request::new(), 503, "application/json");
    for (route, path, answer) in slow.into_iter().map(|slow| slow.join().expect("it is answered")) {
        assert_eq!(asker.note(&route, &path, &answer).kind, "request-timeout", "{route}");
    }
    asker.table()
}

/// Of every route a request whose body never comes, all at once.
fn slow_bodies(asker: &Asker, instance: &Instance) -> Vec<thread::JoinHandle<(String, String, crate::support::Response)>> {
    let begin = |route: String, mut client: HttpClient| {
        thread::spawn(move || {
            let path = Request::new().path(&route);
            let method = route.split_once(' ').unwrap().0;
            let headers = "Content-Type: application/json\r\nContent-Length: 9\r\n";
            let answer = client.begin(&format!("{method} {path}"), headers, "{\"rea").unwrap();
            (route, path, answer)
        })
    };
    asker.document.routes().into_iter().map(|route| begin(route, instance.client().waiting(BODY_WITHIN))).collect()
}
