//! Stores as JSON.

use serde_json::{Value, json};

use super::{Client, Reply, Running, quick};
use crate::http::inspect_routes::inspect_routes;
use crate::query::TaskView;
use crate::query::tests::fixture::{Fixture, task};
use crate::state::Batch;

struct Stores {
    fixture: Fixture,
    client: Client,
    _running: Running,
}

/// Three partitions with parcels `k0` to `k5`, and a sum in two of them.
async fn stores() -> Stores {
    let fixture = Fixture::new(3);
    (0..6).for_each(|n| fixture.put(&format!("k{n}"), n % 2, i64::from(n)));
    for (partition, sum) in [(2, 5), (0, 4)] {
        fixture.write(fixture.handles.sums, partition, &"EUR".to_string(), Some(&sum));
        fixture.write(fixture.handles.pairs, partition, &("EUR".to_string(), sum), Some(&1));
    }
    let running = Running::start(inspect_routes(&fixture.views), quick()).await;
    let client = Client::to(running.address).await;
    Stores { fixture, client, _running: running }
}

impl Stores {
    async fn get(&mut self, path: &str) -> Reply {
        self.client.ask("GET", path).await
    }

    async fn problem(&mut self, path: &str, status: u16, code: &str) -> Value {
        let without_query = path.split('?').next().unwrap();
        self.get(path).await.assert_problem(status, code, without_query)
    }

    /// The keys of all pages.
    async fn keys(&mut self, store: &str, query: &str) -> Vec<Value> {
        let (mut keys, mut cursor) = (Vec::new(), String::new());
        loop {
            let reply = self.get(&format!("/v1/stores/{store}/items?{query}{cursor}")).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            let body = reply.json();
            keys.extend(body["items"].as_array().unwrap().iter().map(|item| item["key"].clone()));
            match body["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return keys,
            }
        }
    }
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn stores_have_this_shape() {
    let mut stores = stores().await;
    stores.fixture.registry.publish(task(1), TaskView::Restoring);
    stores.fixture.begin_filling(2, "sums");
    let store = |name: &str, kind: &str, indexes: Value, here: Value, restoring: Value| {
        json!({"name": name, "kind": kind, "subtopology": "events", "changelog": format!("p.app-{name}-changelog"),
               "indexes": indexes, "partitionsHere": here, "restoring": restoring})
    };
    let expected = json!({"stores": [
        store("parcels", "keyed", json!(["by-status"]), json!([0, 2]), json!([1])),
        store("sums", "partial", json!(["by-sum"]), json!([0]), json!([1, 2])),
        store("pairs", "partial", json!([]), json!([0, 2]), json!([1])),
    ]});
    assert_eq!(stores.get("/v1/stores").await.json(), expected);
    assert_eq!(stores.get("/v1/stores?scope=local").await.json(), expected);
    stores.problem("/v1/stores?scope=x", 400, "validation-failed").await;
}

#[tokio::test]
async fn a_key_shows_its_row_and_how_fresh_it_is() {
    let mut stores = stores().await;
    let partition = stores.fixture.partition_of("k3");
    for path in ["/v1/stores/parcels/items/k3", "/v1/stores/parcels/items/%22k3%22"] {
        let reply = stores.get(path).await;
        assert_eq!(reply.json(), json!({"key": "k3", "value": {"status": 1, "at": 3}}));
        assert_eq!(reply.header("view-position"), Some(format!("p.events:{partition}={}", 100 + partition).as_str()));
        assert_eq!((reply.header("served-by"), reply.header("cache-control")), (Some("i-1"), Some("no-store")));
    }
    let reply = stores.get("/v1/stores/sums/items/EUR").await;
    assert_eq!(reply.json(), json!({"key": "EUR", "values": [{"partition": 0, "value": 4}, {"partition": 2, "value": 5}]}));
    assert_eq!(reply.header("view-position"), Some("p.events:0=100,p.events:1=101,p.events:2=102"));
    let reply = stores.get("/v1/stores/pairs/items/%5B%22EUR%22,5%5D").await;
    assert_eq!(reply.json(), json!({"key": ["EUR", 5], "values": [{"partition": 2, "value": 1}]}));
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let mut stores = stores().await;
    let problem = stores.problem("/v1/stores/parcels/items/nobody", 404, "key-not-found").await;
    assert_eq!(problem["detail"], "store parcels has no row of the key \"nobody\"");
    stores.problem("/v1/stores/sums/items/USD", 404, "key-not-found").await;
    for path in ["/v1/stores/orders/items/1", "/v1/stores/orders/items", "/v1/stores/orders/owner/1"] {
        let problem = stores.problem(path, 404, "store-not-found").await;
        assert_eq!(problem["detail"], "there is no store orders; there are: parcels, sums, pairs");
    }
    stores.problem("/v1/stores/pairs/items/EUR", 400, "validation-failed").await;
    let problem = stores.problem("/v1/stores/parcels/items?index=by-colour", 400, "validation-failed").await;
    assert_eq!(pointers(&problem), ["?index"]);
}

#[tokio::test]
async fn items_come_in_key_order_page_by_page() {
    let mut stores = stores().await;
    let all = json!(["k0", "k1", "k2", "k3", "k4", "k5"]);
    for limit in 1..8 {
        assert_eq!(json!(stores.keys("parcels", &format!("limit={limit}")).await), all);
    }
    assert_eq!(json!(stores.keys("parcels", "from=k1&to=k4&limit=2").await), json!(["k1", "k2", "k3"]));
    assert_eq!(json!(stores.keys("parcels", "prefix=k&from=k4").await), json!(["k4", "k5"]));
    assert_eq!(json!(stores.keys("parcels", "prefix=x").await), json!([]));
    assert_eq!(json!(stores.keys("parcels", "index=by-status&limit=2").await), json!(["k4", "k2", "k0", "k5", "k3", "k1"]));
    let pairs = stores.get("/v1/stores/pairs/items?from=%5B%22EUR%22,5%5D").await;
    assert_eq!(pairs.json(), json!({"items": [{"key": ["EUR", 5], "partition": 2, "value": 1}], "nextCursor": null}));
    assert_eq!(pairs.header("view-lag-seconds"), Some("2.000"));
}

#[tokio::test]
async fn all_faults_of_a_list_are_named_at_once() {
    let mut stores = stores().await;
    let path = "/v1/stores/pairs/items?limit=501&scope=x&prefix=EUR&from=EUR&to=%5B1%5D&page=2";
    let problem = stores.problem(path, 400, "validation-failed").await;
    assert_eq!(pointers(&problem), ["?page", "?scope", "?limit", "?prefix", "?from", "?to"]);
    let problem = stores.problem("/v1/stores/parcels/items?cursor=AQID", 400, "validation-failed").await;
    assert_eq!(pointers(&problem), ["?cursor"]);
    let problem = stores.problem("/v1/stores/parcels/items?index=by-status&from=a", 400, "validation-failed").await;
    assert_eq!(pointers(&problem), ["?from"]);
}

#[tokio::test]
async fn a_partition_that_is_elsewhere_is_named() {
    let mut stores = stores().await;
    stores.fixture.registry.withdraw(&task(1));
    let problem = stores.problem("/v1/stores/parcels/items", 503, "partial").await;
    assert_eq!(
        problem["missing"],
        json!([{"task": "events_1", "subtopology": "events", "partition": 1, "state": "unknown", "owner": null}])
    );
    stores.problem("/v1/stores/sums/items/EUR", 503, "partial").await;
    let here = stores.keys("parcels", "scope=local").await;
    let wanted: Vec<String> = (0..6).map(|n| format!("k{n}")).filter(|key| stores.fixture.partition_of(key) != 1).collect();
    assert_eq!(json!(here), json!(wanted));
}

#[tokio::test]
async fn a_key_has_an_owner() {
    let mut stores = stores().await;
    let partition = stores.fixture.partition_of("k1");
    let owner = |here: bool| json!({"partition": partition, "task": format!("events_{partition}"), "here": here});
    assert_eq!(stores.get("/v1/stores/parcels/owner/k1").await.json(), owner(true));
    stores.fixture.registry.withdraw(&task(partition));
    assert_eq!(stores.get("/v1/stores/parcels/owner/k1").await.json(), owner(false));
    stores.problem("/v1/stores/sums/owner/EUR", 400, "validation-failed").await;
    stores.problem("/v1/stores/parcels/owner/k1?x=1", 400, "validation-failed").await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_our_fault() {
    let mut stores = stores().await;
    let mut batch = Batch::default();
    batch.put(crate::state::Column(1), b"bad\0\0", b"\x63\x00\x01");
    stores.fixture.databases.iter().for_each(|database| database.database().write(&batch).unwrap());
    stores.problem("/v1/stores/parcels/items/bad", 500, "internal-error").await;
    stores.problem("/v1/stores/parcels/items", 500, "internal-error").await;
    assert_eq!(json!(stores.keys("parcels", "from=k").await).as_array().unwrap().len(), 6);
}
