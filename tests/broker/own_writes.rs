//! Who has written reads what he wrote: by id, by status and in the statistics, at either of two instances, under load.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use viewmill::Position;
use viewmill::kafka::{KafkaProducer, KafkaSettings};
use viewmill::ports::TransactionalProducer;
use viewmill::query::ConsistencyToken;
use viewmill::record::{OutputRecord, Timestamp};

use crate::support::{HttpClient, Instance, LOOK_INTERVAL, PATIENCE, Run};

const SEED: u64 = 11;
/// Each has a currency that nobody else uses, so that its part of the statistics is known exactly.
const WRITERS: [&str; 4] = ["GBP", "CHF", "CAD", "AUD"];
const ROUNDS: usize = 80;
/// Records a second from somebody else.
const LOAD: u32 = 1_000;

/// What was seen, over all writers.
#[derive(Default)]
struct Seen {
    reads: AtomicUsize,
    /// Of reads without a token, right after the write.
    stale_without: AtomicUsize,
    longest_ms: AtomicUsize,
    /// Orders that came into being, so that later ones are newer.
    orders: AtomicUsize,
}

/// Writes events and reads them back.
struct Writer<'a> {
    run: &'a Run,
    currency: &'static str,
    producer: KafkaProducer,
    /// Of all that it has written.
    token: ConsistencyToken,
    clients: [HttpClient; 2],
    elsewhere: Vec<(SocketAddr, HttpClient)>,
    seen: &'a Seen,
}

impl Writer<'_> {
    /// Writes an event and remembers where it came to lie.
    fn write(&mut self, id: &str, event: &Value) {
        let topic = format!("{}order-events", self.run.topic_prefix);
        self.producer.begin().unwrap();
        let value = serde_json::to_vec(event).unwrap();
        let (key, timestamp) = (Some(id.as_bytes()), Some(Timestamp(1_767_600_000_000)));
        let record = OutputRecord { topic: &topic, partition: None, key, value: Some(&value), timestamp, headers: Default::default() };
        self.producer.send(&record).unwrap();
        let delivered = self.producer.flush(PATIENCE).unwrap();
        self.producer.commit(PATIENCE).unwrap();
        let position = Position(delivered.into_iter().map(|(partition, last)| (partition, last.next())).collect());
        self.token.include(&ConsistencyToken::new(&self.run.id, &position));
    }

    /// Asks an instance, with the token; one redirect is followed, with the same headers.
    fn read(&mut self, at: usize, path: &str) -> Value {
        let headers = format!("Consistency-Token: {}\r\n", self.token);
        let began = Instant::now();
        let mut response = self.clients[at].get_with(path, &headers).unwrap();
        if response.status == 307 {
            let location = response.header("location").unwrap().strip_prefix("http://").unwrap().to_owned();
            let (server, path) = location.split_at(location.find('/').unwrap());
            let server: SocketAddr = server.parse().unwrap();
            if self.elsewhere.iter().all(|(known, _)| *known != server) {
                self.elsewhere.push((server, HttpClient::new(server)));
            }
            let (_, client) = self.elsewhere.iter_mut().find(|(known, _)| *known == server).unwrap();
            response = client.get_with(path, &headers).unwrap();
        }
        self.seen.reads.fetch_add(1, Ordering::Relaxed);
        self.seen.longest_ms.fetch_max(began.elapsed().as_millis() as usize, Ordering::Relaxed);
        assert_eq!((response.status, response.header("view-stale")), (200, None), "{path}: {}", response.body);
        serde_json::from_str(&response.body).unwrap()
    }

    /// An order comes into being and is approved; after each step every view must show it.
    fn round(&mut self, round: usize) {
        let (id, at) = (format!("own-{}-{round}", self.currency), round % 2);
        // Newer than all that somebody else makes, while the record's own time is older: it does not wait for theirs.
        let number = self.seen.orders.fetch_add(1, Ordering::Relaxed);
        let time = format!("2031-01-01T{:02}:{:02}:00.000Z", number / 60, number % 60);
        let items = serde_json::json!([{"productId": "p", "name": "P", "price": 2, "quantity": 5}]);
        let address =
            serde_json::json!({"recipient": "r", "street": "s", "city": "c", "postalCode": "1", "country": "GB", "express": false});
        let data = serde_json::json!({"orderId": id, "userId": "u", "items": items, "totalAmount": 10, "currency": self.currency,
            "shippingAddress": address, "estimatedDelivery": time});
        let created = serde_json::json!({"type": "ORDER_CREATED", "aggregateId": id, "version": 1, "timestamp": time, "data": data});
        self.write(&id, &created);
        if round % 4 == 3 {
            // One of them has the order's task; the other redirects.
            let path = format!("/api/orders/{id}");
            let is_stale = self.clients.iter_mut().any(|client| client.get(&path).unwrap().status == 404);
            self.seen.stale_without.fetch_add(usize::from(is_stale), Ordering::Relaxed);
        }
        self.check(&id, at, "CREATED", round + 1);
        let approved = serde_json::json!({"type": "ORDER_APPROVED", "aggregateId": id, "version": 2, "timestamp": time, "data": {}});
        self.write(&id, &approved);
        self.check(&id, 1 - at, "APPROVED", round + 1);
    }

    fn check(&mut self, id: &str, at: usize, status: &str, orders: usize) {
        let order = self.read(at, &format!("/api/orders/{id}"));
        assert_eq!(order["status"], status, "{id}");
        // Each instance answers for its own partitions; together they are all.
        let lists = [0, 1].map(|at| self.read(at, &format!("/api/orders?status={status}&limit=50&scope=local")));
        let listed = lists.iter().flat_map(|list| list["orders"].as_array().unwrap()).any(|order| order["orderId"] == id);
        assert!(listed, "{id} is not among the newest of {status}");
        let gross = [0, 1].map(|at| {
            let dashboard = self.read(at, "/api/dashboard?scope=local");
            dashboard["revenue"][self.currency]["gross"].as_f64().unwrap_or(0.0)
        });
        assert_eq!(gross.iter().sum::<f64>(), (10 * orders) as f64, "{} after {orders} orders", self.currency);
    }
}

#[test]
fn a_reader_with_a_token_sees_what_it_wrote_at_either_instance() {
    let run = Run::new("own-writes");
    let mut load = run.begin_producing(100_000, SEED, Some(LOAD));
    let settings = [("VIEWMILL__TOPICS__PARTITIONS", "4"), ("VIEWMILL__HTTP__MAX_WAIT_MS", "20000")];
    let mut instances = [Instance::start(&run, "a", &settings), Instance::start(&run, "b", &settings)];
    instances.iter_mut().for_each(Instance::wait_ready);
    let deadline = Instant::now() + PATIENCE;
    while !instances.iter_mut().all(|instance| tasks(instance) == [4, 4]) {
        assert!(Instant::now() < deadline, "each runs four tasks, and both know");
        thread::sleep(LOOK_INTERVAL);
    }
    let (seen, began) = (Seen::default(), Instant::now());
    thread::scope(|scope| {
        for currency in WRITERS {
            let settings = KafkaSettings::new(&run.bootstrap, &run.id, currency);
            let mut producer = KafkaProducer::without_transactions(&settings);
            producer.replace(Duration::from_secs(10)).unwrap();
            let clients = [instances[0].client(), instances[1].client()];
            let token = ConsistencyToken::new(&run.id, &Position::default());
            let mut writer = Writer { run: &run, currency, producer, token, clients, elsewhere: Vec::new(), seen: &seen };
            scope.spawn(move || (0..ROUNDS).for_each(|round| writer.round(round)));
        }
    });
    assert!(load.runs(), "there was load all the time");
    let (reads, stale) = (seen.reads.load(Ordering::Relaxed), seen.stale_without.load(Ordering::Relaxed));
    println!("0 stale of {reads} reads in {:?}, the longest took {} ms", began.elapsed(), seen.longest_ms.load(Ordering::Relaxed));
    println!("without a token {stale} of {} reads by id right after the write were stale", WRITERS.len() * ROUNDS / 4);
    assert!(stale > 0, "this test can tell");
}

/// How many tasks each of the two runs, as an instance sees it.
fn tasks(instance: &mut Instance) -> Vec<usize> {
    let answer: Value = serde_json::from_str(&instance.try_get("/v1/members").unwrap().body).unwrap();
    let is_active = |task: &&Value| task["role"] == "active" && task["state"] == "active";
    let members = answer["members"].as_array().unwrap().iter();
    members.map(|member| member["tasks"].as_array().unwrap().iter().filter(is_active).count()).collect()
}
