//! Reading what was written, over HTTP.

use std::time::Duration;

use tokio::time::Instant;

use super::{Client, Reply, Running, quick};
use crate::http::inspect_routes::inspect_routes;
use crate::http::outputs::outputs_route;
use crate::http::peers;
use crate::query::tests::fixture::{Fixture, task};
use crate::query::{ConsistencyToken, PeerFault, PeerQuestion, Peers};
use crate::record::{Offset, Position, TopicPartition};

const BOUND: Duration = Duration::from_millis(60);

struct Store {
    fixture: Fixture,
    client: Client,
    running: Running,
}

/// One partition that stands at 100, read for at most [`BOUND`].
async fn store() -> Store {
    let mut fixture = Fixture::new(1);
    fixture.put("kim", 1, 7);
    fixture.views = fixture.new_views().waiting(BOUND, Peers::default());
    let running = Running::start(inspect_routes(&fixture.views).and(outputs_route(&fixture.views)), quick()).await;
    let client = Client::to(running.address).await;
    Store { fixture, client, running }
}

fn token(application: &str, topic: &str, partition: i32, next: i64) -> String {
    ConsistencyToken::new(application, &Position([(TopicPartition::new(topic, partition), Offset(next))].into())).to_string()
}

const ITEM: &str = "/v1/stores/parcels/items/kim";

impl Store {
    async fn read(&mut self, path: &str, token: &str) -> Reply {
        self.client.get_with(path, &[("Consistency-Token", token)]).await
    }
}

#[tokio::test]
async fn a_read_with_a_token_answers_when_the_view_has_come_so_far() {
    let mut store = store().await;
    let token = token("app", "p.events", 0, 120);
    for path in [ITEM, "/v1/stores/parcels/items?limit=1"] {
        store.fixture.come_to(0, 100);
        let problem = store.read(path, &token).await;
        let document = problem.assert_problem(503, "view-not-caught-up", path.split('?').next().unwrap());
        assert_eq!((&document["partition"], &document["position"], &document["wanted"]), (&"p.events:0".into(), &100.into(), &120.into()));
        assert_eq!(problem.header("retry-after"), Some("1"));
        store.fixture.come_to(0, 120);
        let reply = store.read(path, &token).await;
        assert_eq!((reply.status, reply.header("view-position"), reply.header("view-stale")), (200, Some("p.events:0=120"), None));
    }
}

#[tokio::test]
async fn who_takes_a_stale_answer_is_told_that_it_is_one() {
    let mut store = store().await;
    let token = token("app", "p.events", 0, 120);
    let reply = store.read(&format!("{ITEM}?stale=allow"), &token).await;
    assert_eq!((reply.status, reply.header("view-stale")), (200, Some("true")));
    assert_eq!(reply.header("view-position"), Some("p.events:0=100"));
    store.fixture.come_to(0, 120);
    assert_eq!(store.read(&format!("{ITEM}?stale=allow"), &token).await.header("view-stale"), None);
    store.read(&format!("{ITEM}?stale=yes"), &token).await.assert_problem(400, "validation-failed", ITEM);
}

#[tokio::test]
async fn a_preference_shortens_the_wait_and_nothing_lengthens_it() {
    let mut store = store().await;
    let token = token("app", "p.events", 0, i64::MAX);
    for (prefer, at_least) in [("wait=0", Duration::ZERO), ("wait=4000000000", BOUND), ("respond-async", BOUND)] {
        let began = Instant::now();
        let reply = store.client.get_with(ITEM, &[("consistency-token", &token), ("prefer", prefer)]).await;
        reply.assert_problem(503, "view-not-caught-up", ITEM);
        let took = began.elapsed();
        assert!((at_least..Duration::from_secs(3)).contains(&took), "{prefer}: {took:?}");
    }
}

#[tokio::test]
async fn what_is_no_token_of_this_application_is_refused() {
    let mut store = store().await;
    let good = token("app", "p.events", 0, 1);
    for strange in [
        "x",
        "",
        "\u{e9}",
        &good[1..],
        &token("other", "p.events", 0, 1),
        &token("app", "p.elsewhere", 0, 1),
        &token("app", "p.events", 1, 1),
        &format!("{good}, x"),
    ] {
        let document = store.read(ITEM, strange).await.assert_problem(400, "validation-failed", ITEM);
        assert_eq!(document["errors"][0]["pointer"], "Consistency-Token", "{strange:?}: {document}");
    }
    let later = token("app", "p.events", 0, 100);
    let both = [("consistency-token", good.as_str()), ("Consistency-Token", &later)];
    assert_eq!(store.client.get_with(ITEM, &both).await.status, 200);
    assert_eq!(store.read(ITEM, &format!("{good} ,{later}")).await.status, 200);
}

#[tokio::test]
async fn instances_tell_each_other_how_far_outputs_are() {
    let store = store().await;
    store.fixture.come_to(0, 110);
    let question = |next, partition| PeerQuestion {
        url: format!("http://{}", store.running.address).into(),
        task: task(partition),
        token: token("app", "p.events", 0, next),
        wait: Duration::from_secs(5),
    };
    let outputs = Position([(TopicPartition::new("p.out", 0), Offset(110))].into());
    assert_eq!(peers().ask(question(110, 0)).await, Ok(outputs));
    assert_eq!(peers().ask(question(111, 0)).await, Err(PeerFault::Behind));
    let hurried = PeerQuestion { wait: Duration::ZERO, ..question(110, 0) };
    assert_eq!(peers().ask(hurried).await, Err(PeerFault::Behind));
    for (question, words) in [
        (question(1, 7), "there is no task events_7"),
        (PeerQuestion { url: "http://127.0.0.1:1".into(), ..question(1, 0) }, "http://127.0.0.1:1 was asked"),
        (PeerQuestion { url: "https://a".into(), ..question(1, 0) }, "only http://"),
        (PeerQuestion { token: "x".into(), ..question(1, 0) }, "a header has faults"),
    ] {
        let answer = peers().ask(question).await;
        let Err(PeerFault::Failed(detail)) = &answer else { panic!("{words}: {answer:?}") };
        assert!(detail.contains(words), "{words}: {detail}");
    }
}
