//! Who has written reads what he wrote: by id, by status and in the statistics, at either of two instances, under load.
//!
//! After each write all views are asked at both instances at the same time, by as many readers, with the token of the write. In some
//! rounds they are asked before without it, which shows that this test can tell what is stale.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use viewmill::Position;
use viewmill::kafka::{KafkaProducer, KafkaSettings};
use viewmill::ports::TransactionalProducer;
use viewmill::query::ConsistencyToken;
use viewmill::record::{OutputRecord, Timestamp};

use crate::support::{HttpClient, Instance, LOOK_INTERVAL, PATIENCE, Response, Run};

const SEED: u64 = 11;
/// How many reads with a token there are, unless `VIEWMILL_OWN_WRITES_READS` tells.
const READS: usize = 20_000;
/// Each writer has a currency that nobody else uses, so that its part of the statistics is known exactly.
const WRITERS: [&str; 16] =
    ["GBP", "CHF", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "BGN", "TRY", "ILS", "ZAR"];
/// Readers of each view at each instance, for each writer.
const READERS: usize = 2;
/// Reads after each write.
const READS_A_WRITE: usize = READERS * VIEWS.len() * 2;
/// In every such round they read without a token too.
const CONTROL: usize = 8;
/// Records a second from somebody else.
const LOAD: u32 = 1_000;

#[derive(Clone, Copy, Debug)]
enum View {
    ById,
    ByStatus,
    Statistics,
}

const VIEWS: [View; 3] = [View::ById, View::ByStatus, View::Statistics];

/// What was seen, over all writers.
#[derive(Default)]
struct Seen {
    reads: AtomicUsize,
    longest_ms: AtomicUsize,
    /// Looks without a token, right after the write: at a view, at both instances.
    looks_without: AtomicUsize,
    /// Those that did not show the write, by view.
    stale_without: [AtomicUsize; VIEWS.len()],
    /// Orders that came into being, so that later ones are newer.
    orders: AtomicUsize,
}

/// Asks one instance for one view.
struct Reader {
    view: View,
    client: HttpClient,
    elsewhere: Vec<(SocketAddr, HttpClient)>,
}

/// What a write must have led to.
#[derive(Clone, Copy)]
struct Written<'a> {
    id: &'a str,
    status: &'a str,
    currency: &'a str,
}

/// A part of what is served of an order: for the statistics the sum of its currency, for the others whether it is there.
type Shown = f64;

impl Reader {
    fn new(view: View, client: HttpClient) -> Reader {
        Reader { view, client, elsewhere: Vec::new() }
    }

    /// What this instance shows of a write. Each answers for its own partitions; together they are all.
    fn look(&mut self, written: Written<'_>, headers: &str) -> Shown {
        let Written { id, status, currency } = written;
        let path = match self.view {
            View::ById => format!("/api/orders/{id}"),
            View::ByStatus => format!("/api/orders?status={status}&limit=50&scope=local"),
            View::Statistics => "/api/dashboard?scope=local".to_owned(),
        };
        let response = self.ask(&path, headers);
        if response.status == 404 {
            return 0.0;
        }
        assert_eq!((response.status, response.header("view-stale")), (200, None), "{path}: {}", response.body);
        let body: Value = serde_json::from_str(&response.body).unwrap();
        match self.view {
            View::ById => f64::from(u8::from(body["status"] == status)),
            View::ByStatus => f64::from(u8::from(body["orders"].as_array().unwrap().iter().any(|order| order["orderId"] == id))),
            View::Statistics => body["revenue"][currency]["gross"].as_f64().unwrap_or(0.0),
        }
    }

    /// One redirect is followed, with the same headers.
    fn ask(&mut self, path: &str, headers: &str) -> Response {
        let response = self.client.get_with(path, headers).unwrap();
        if response.status != 307 {
            return response;
        }
        let location = response.header("location").unwrap().strip_prefix("http://").unwrap();
        let (server, path) = location.split_at(location.find('/').unwrap());
        let server: SocketAddr = server.parse().unwrap();
        if self.elsewhere.iter().all(|(known, _)| *known != server) {
            self.elsewhere.push((server, HttpClient::new(server)));
        }
        let (_, client) = self.elsewhere.iter_mut().find(|(known, _)| *known == server).unwrap();
        client.get_with(path, headers).unwrap()
    }
}

/// Writes events and has them read.
struct Writer<'a> {
    run: &'a Run,
    currency: &'static str,
    producer: KafkaProducer,
    /// Of all that it has written.
    token: ConsistencyToken,
    /// For each view one at each of the instances.
    readers: Vec<[Reader; 2]>,
    seen: &'a Seen,
}

impl Writer<'_> {
    /// An order comes into being and is approved; after each step every view must show it.
    fn round(&mut self, round: usize) {
        let id = format!("own-{}-{round}", self.currency);
        // Newer than all that somebody else makes, while the record's own time is older: it does not wait for theirs.
        let number = self.seen.orders.fetch_add(1, Ordering::Relaxed);
        let time = format!("2031-01-{:02}T{:02}:{:02}:00.000Z", 1 + number / 1_440, number / 60 % 24, number % 60);
        let items = json!([{"productId": "p", "name": "P", "price": 2, "quantity": 5}]);
        let address = json!({"recipient": "r", "street": "s", "city": "c", "postalCode": "1", "country": "GB", "express": false});
        let data = json!({"orderId": id, "userId": "u", "items": items, "totalAmount": 10, "currency": self.currency,
            "shippingAddress": address, "estimatedDelivery": time});
        let created = json!({"type": "ORDER_CREATED", "aggregateId": id, "version": 1, "timestamp": time, "data": data});
        self.write(&id, &created);
        self.check(round, &id, "CREATED");
        let approved = json!({"type": "ORDER_APPROVED", "aggregateId": id, "version": 2, "timestamp": time, "data": {}});
        self.write(&id, &approved);
        self.check(round, &id, "APPROVED");
    }

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

    fn check(&mut self, round: usize, id: &str, status: &str) {
        let written = Written { id, status, currency: self.currency };
        let gross = (10 * (round + 1)) as f64;
        let is_shown = |view: View, shown: [Shown; 2]| match view {
            // Whoever is asked: who has not got it knows who has.
            View::ById => shown == [1.0, 1.0],
            View::ByStatus => shown.contains(&1.0),
            View::Statistics => shown.iter().sum::<f64>() == gross,
        };
        if round % CONTROL == CONTROL - 1 {
            for (view, shown) in self.look(written, "") {
                self.seen.looks_without.fetch_add(1, Ordering::Relaxed);
                self.seen.stale_without[view as usize].fetch_add(usize::from(!is_shown(view, shown)), Ordering::Relaxed);
            }
        }
        let began = Instant::now();
        let looks = self.look(written, &format!("Consistency-Token: {}\r\n", self.token));
        self.seen.longest_ms.fetch_max(began.elapsed().as_millis() as usize, Ordering::Relaxed);
        for (view, shown) in looks {
            assert!(is_shown(view, shown), "{view:?} does not show {id} as {status}, with {gross} {}: {shown:?}", self.currency);
            self.seen.reads.fetch_add(2, Ordering::Relaxed);
        }
    }

    /// All readers look at the same time.
    fn look(&mut self, written: Written<'_>, headers: &str) -> Vec<(View, [Shown; 2])> {
        thread::scope(|scope| {
            let looks: Vec<_> = self
                .readers
                .iter_mut()
                .map(|pair| (pair[0].view, pair.each_mut().map(|reader| scope.spawn(move || reader.look(written, headers)))))
                .collect();
            looks.into_iter().map(|(view, pair)| (view, pair.map(|look| look.join().unwrap()))).collect()
        })
    }
}

#[test]
fn a_reader_with_a_token_sees_what_it_wrote_at_either_instance() {
    let wanted = std::env::var("VIEWMILL_OWN_WRITES_READS").map_or(READS, |text| text.parse().unwrap());
    // At least so many that one is a control.
    let rounds = wanted.div_ceil(WRITERS.len() * 2 * READS_A_WRITE).max(CONTROL);
    let run = Run::new("own-writes");
    let mut load = run.begin_producing(100_000, SEED, Some(LOAD));
    let settings = [("VIEWMILL__TOPICS__PARTITIONS", "4"), ("VIEWMILL__HTTP__MAX_WAIT_MS", "20000")];
    let mut instances = [Instance::start(&run, "a", &settings), Instance::start(&run, "b", &settings)];
    instances.iter_mut().for_each(Instance::wait_ready);
    let deadline = Instant::now() + PATIENCE;
    while !instances.iter_mut().all(|instance| instance.tasks_of_members() == [4, 4]) {
        assert!(Instant::now() < deadline, "each runs four tasks, and both know");
        thread::sleep(LOOK_INTERVAL);
    }
    let (seen, began) = (Seen::default(), Instant::now());
    thread::scope(|scope| {
        for currency in WRITERS {
            let settings = KafkaSettings::new(&run.bootstrap, &run.id, currency);
            let mut producer = KafkaProducer::without_transactions(&settings);
            producer.replace(Duration::from_secs(10)).unwrap();
            let pair = |view| instances.each_ref().map(|instance| Reader::new(view, instance.client()));
            let readers = VIEWS.iter().cycle().take(VIEWS.len() * READERS).map(|view| pair(*view)).collect();
            let token = ConsistencyToken::new(&run.id, &Position::default());
            let mut writer = Writer { run: &run, currency, producer, token, readers, seen: &seen };
            scope.spawn(move || (0..rounds).for_each(|round| writer.round(round)));
        }
    });
    assert!(load.runs(), "there was load all the time");
    let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let stale: Vec<usize> = seen.stale_without.iter().map(of).collect();
    println!("0 stale of {} reads in {:?}, the longest took {} ms", of(&seen.reads), began.elapsed(), of(&seen.longest_ms));
    println!("stale without a token, right after the write: {stale:?} of {} looks at {VIEWS:?}", of(&seen.looks_without) / VIEWS.len());
    assert!(stale.iter().all(|stale| *stale > 0), "this test can tell: {stale:?}");
}
