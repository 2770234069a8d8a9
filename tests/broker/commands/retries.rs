//! Commands that are sent again, also because the process died in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::{Shop, eventually, lines, log, order_of, parsed};
use crate::support::{HttpClient, Instance, LOOK_INTERVAL, Run, free_address};

#[test]
fn a_key_is_one_command() {
    let run = Run::new("command-keys");
    let mut instance = Instance::start(&run, "a", &[]);
    instance.wait_ready();
    let mut shop = Shop::of(&instance);
    let key = ("Idempotency-Key", "k-1");
    let first = shop.post("/api/orders", &[key], &order_of("kim"));
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None), "{}", first.body);
    let again = shop.post("/api/orders", &[key], &order_of("kim"));
    assert_eq!((again.status, again.header("idempotency-replayed"), &again.body), (201, Some("true"), &first.body));
    for same in ["etag", "location"] {
        assert_eq!(again.header(same), first.header(same), "{same}");
    }
    shop.refused(422, "idempotency-key-reused", "/api/orders", &[key], &order_of("lee"));
    // Another's key is another key.
    let other = shop.done(201, "/api/orders", &[key, ("X-Actor", "kim")], &order_of("kim")).0;
    let id = parsed(&first)["orderId"].as_str().unwrap().to_owned();
    assert_ne!(other["orderId"], id);

    let cancel = format!("/api/orders/{id}/cancel");
    let ship = (format!("/api/orders/{id}/ship"), json!({"carrier": "DHL", "trackingNumber": "t"}));
    let refused = shop.refused(409, "invalid-transition", &ship.0, &[("Idempotency-Key", "k-2")], &ship.1);
    shop.done(200, &format!("/api/orders/{id}/approve"), &[], &Value::Null);
    // It would be possible now; but what was decided stays.
    let replayed = shop.post(&ship.0, &[("Idempotency-Key", "k-2")], &ship.1);
    assert_eq!((replayed.status, replayed.header("idempotency-replayed"), parsed(&replayed)), (409, Some("true"), refused));
    shop.refused(422, "idempotency-key-reused", &cancel, &[("Idempotency-Key", "k-2")], &json!({"reason": "r"}));
    let types: Vec<String> = log(&run).into_iter().filter(|event| event[1] == id).map(|[_, _, kind, ..]| kind).collect();
    assert_eq!(types, ["ORDER_CREATED", "ORDER_APPROVED"]);
}

const CLIENTS: usize = 4;
const KEYS: usize = 25;
/// After so many answers, over all clients, the process is killed.
const KILLS: [usize; 2] = [20, 60];

#[test]
fn each_key_is_one_order_through_kills() {
    let run = Run::new("command-kills");
    let address = free_address();
    let listen = address.to_string();
    let settings = [("VIEWMILL__HTTP__LISTEN", &*listen)];
    let mut instance = Instance::start(&run, "a", &settings);
    instance.wait_ready();
    let (answered, sent) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let orders: BTreeMap<String, String> = thread::scope(|scope| {
        let (answered, sent) = (&answered, &sent);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn(move || {
                    let create = |number| {
                        let key = format!("k-{client}-{number}");
                        let order = create(address, &key, sent);
                        answered.fetch_add(1, Ordering::Relaxed);
                        (key, order)
                    };
                    (0..KEYS).map(create).collect::<Vec<_>>()
                })
            })
            .collect();
        for kill in KILLS {
            eventually("orders are created", || (answered.load(Ordering::Relaxed) >= kill).then_some(()));
            instance.kill();
            instance = Instance::start(&run, "a", &settings);
        }
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    instance.wait_ready();
    assert!(answered.load(Ordering::Relaxed) < sent.load(Ordering::Relaxed), "some were sent again");
    let ids: BTreeSet<&String> = orders.values().collect();
    assert_eq!((orders.len(), ids.len()), (CLIENTS * KEYS, CLIENTS * KEYS), "each key has its own order");
    let events = log(&run);
    let created: Vec<&String> = events.iter().filter(|event| event[2] == "ORDER_CREATED").map(|event| &event[1]).collect();
    assert_eq!((created.len(), created.iter().copied().collect::<BTreeSet<_>>()), (events.len(), ids), "one event a key, and no other");
    println!("{} orders, sent {} times", orders.len(), sent.load(Ordering::Relaxed));
    let mut shop = Shop::of(&instance);
    for (key, order) in &orders {
        let again = shop.post("/api/orders", &[("Idempotency-Key", key)], &order_of("kim"));
        assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")), "{}", again.body);
        assert_eq!(parsed(&again)["orderId"], **order);
    }
    assert_eq!(log(&run).len(), events.len());
}

/// Sends a command until it is answered: by nobody, by 202 and by 503 it is not.
fn create(address: SocketAddr, key: &str, sent: &AtomicUsize) -> String {
    let mut client = HttpClient::new(address);
    let (headers, body) = (lines(&[("Idempotency-Key", key)], true), order_of("kim").to_string());
    eventually("the order is created", || {
        sent.fetch_add(1, Ordering::Relaxed);
        let answer = client.post("/api/orders", &headers, &body);
        match answer {
            Ok(response) if response.status == 201 => return Some(parsed(&response)["orderId"].as_str().unwrap().to_owned()),
            Ok(response) => assert!(matches!(response.status, 202 | 503), "{}", response.body),
            Err(_) => {}
        }
        thread::sleep(LOOK_INTERVAL);
        None
    })
}
