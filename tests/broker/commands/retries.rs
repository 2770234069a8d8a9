//! Commands that are sent again, also because the process died in the middle or the order's task moved.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::customers::{Customers, Life};
use super::{Shop, eventually, log, order_of, parsed};
use crate::support::{Instance, PATIENCE, Run, eventually_served, free_address};

const DRAIN_LIMIT: Duration = Duration::from_secs(30);

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

/// The process is killed when so many further commands are answered: also while it starts, or has just begun.
const KILLS: [usize; 10] = [40, 1, 30, 60, 1, 80, 5, 50, 20, 60];

#[test]
fn each_key_is_one_order_through_kills() {
    let run = Run::new("command-kills");
    let (address, began) = (free_address(), Instant::now());
    let mut instance = start(&run, "a", address);
    instance.wait_ready();
    let customers = Customers::of(&[address]);
    let lives = customers.order_during(|| {
        for further in KILLS {
            customers.wait_answers(further);
            instance.kill();
            instance = start(&run, "a", address);
        }
        customers.wait_answers(30);
    });
    assert_right(&run, &customers, &lives, &mut [&mut instance]);
    println!("{} kills, all in {:?}", KILLS.len(), began.elapsed());
}

/// How an instance leaves.
#[derive(Clone, Copy, Debug)]
enum Leaving {
    Told,
    Killed,
}

#[test]
fn each_key_is_one_order_while_tasks_move_between_two_processes() {
    let run = Run::new("command-moves");
    let (names, addresses, began) = (["a", "b"], [free_address(), free_address()], Instant::now());
    let mut instances = [0, 1].map(|at| start(&run, names[at], addresses[at]));
    instances.iter_mut().for_each(Instance::wait_ready);
    let customers = Customers::of(&addresses);
    let lives = customers.order_during(|| {
        for (at, leaving) in [(1, Leaving::Told), (0, Leaving::Killed), (1, Leaving::Told), (0, Leaving::Told)] {
            wait_tasks(&mut instances[1 - at], &[4, 4]);
            customers.wait_answers(30);
            let left = Instant::now();
            match leaving {
                Leaving::Told => assert!(instances[at].terminate(DRAIN_LIMIT).success(), "a drained instance ends with 0"),
                Leaving::Killed => instances[at].kill(),
            }
            wait_tasks(&mut instances[1 - at], &[8]);
            println!("{} is {leaving:?}: the other has all tasks after {:?}", names[at], left.elapsed());
            customers.wait_answers(30);
            instances[at] = start(&run, names[at], addresses[at]);
        }
        wait_tasks(&mut instances[1], &[4, 4]);
        customers.wait_answers(30);
    });
    let [a, b] = &mut instances;
    assert_right(&run, &customers, &lives, &mut [a, b]);
    println!("eight moves, all in {:?}", began.elapsed());
}

fn start(run: &Run, name: &str, address: SocketAddr) -> Instance {
    let mut instance =
        Instance::start(run, name, &[("VIEWMILL__HTTP__LISTEN", &address.to_string()), ("VIEWMILL__TOPICS__PARTITIONS", "4")]);
    instance.follow_one_redirect();
    instance
}

fn wait_tasks(instance: &mut Instance, tasks: &[usize]) {
    eventually("the tasks are shared out", || (instance.tasks_of_members() == tasks).then_some(()));
}

/// The log has what was answered and nothing else, the views show it, and each command that is sent again is answered as before.
fn assert_right(run: &Run, customers: &Customers, lives: &[Life], instances: &mut [&mut Instance]) {
    instances.iter_mut().for_each(|instance| instance.wait_ready());
    let [answered, sent, replayed] = customers.counts();
    let refused: usize = lives.iter().map(Life::refused).sum();
    println!("{} orders, {answered} commands ({refused} refused) sent {sent} times, {replayed} first heard of as replayed", lives.len());
    assert!(sent > answered && replayed > 0, "some were sent again, and some of these had been decided");
    let orders: BTreeSet<&str> = lives.iter().map(|life| &*life.order).collect();
    assert_eq!(orders.len(), lives.len(), "each key has its own order");

    let events = log(run);
    assert_in_the_log(&events, lives);
    eventually_served(&run.fold().orders, instances, PATIENCE);
    customers.assert_told_again(lives);
    assert_eq!(log(run), events, "what is told again is no event");
}

/// Every order has its events, in their order and with versions from 1 on in each topic, and no id is there twice.
fn assert_in_the_log(events: &[[String; 5]], lives: &[Life]) {
    let ids: BTreeSet<&str> = events.iter().map(|[.., id]| &**id).collect();
    assert_eq!(ids.len(), events.len(), "an event is in the log twice");
    let mut logged: BTreeMap<(&str, &str), Vec<(&str, &str)>> = BTreeMap::new();
    for [topic, order, kind, version, _] in events {
        logged.entry((order, topic)).or_default().push((kind, version));
    }
    for life in lives {
        for (topic, kinds) in &life.events {
            let versions: Vec<String> = (1..=kinds.len()).map(|version| version.to_string()).collect();
            let expected: Vec<(&str, &str)> = kinds.iter().copied().zip(versions.iter().map(|version| &**version)).collect();
            assert_eq!(logged.remove(&(&*life.order, *topic)).unwrap_or_default(), expected, "{topic} of {}", life.order);
        }
    }
    assert_eq!(logged, BTreeMap::new(), "nobody was told of these");
}
