//! Clients that send each command until it is answered, under a key of its own, and know what must stand in the log then.
//!
//! A command is not answered by silence, by 202 and by 503 or 504: then it is sent again, to the next instance. Whatever is decided must be
//! decided once, so that the answer to every sending is known before: also the entity tag, and where it is refused the reason.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::{eventually, lines, order_of, parsed};
use crate::support::{HttpClient, LOOK_INTERVAL, Response};

const CLIENTS: usize = 8;
/// Every such client does not wait for an outcome, but sends again at once: two of a command are on their way.
const HASTY: usize = 4;

/// The clients, and what they know.
pub struct Customers {
    addresses: Vec<SocketAddr>,
    answered: AtomicUsize,
    sent: AtomicUsize,
    replayed: AtomicUsize,
    is_over: AtomicBool,
}

/// An order that was created, all its commands and its events.
#[derive(Default)]
pub struct Life {
    pub order: String,
    commands: Vec<(Command, Answer)>,
    /// Those that must be in the log, by topic, in order.
    pub events: BTreeMap<&'static str, Vec<&'static str>>,
}

/// One command, as it is sent however often.
struct Command {
    headers: Vec<(&'static str, String)>,
    path: String,
    body: Value,
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    tag: Option<String>,
    body: Value,
}

/// What must come of a command.
enum Then {
    Event(&'static str, &'static str),
    /// It is so already.
    Nothing,
    Refused(u16, &'static str),
}

use Then::{Event, Nothing, Refused};

const ORDERS: &str = "order-events";
const PAYMENTS: &str = "payment-events";

impl Customers {
    pub fn of(addresses: &[SocketAddr]) -> Customers {
        let [answered, sent, replayed] = Default::default();
        Customers { addresses: addresses.to_vec(), answered, sent, replayed, is_over: AtomicBool::new(false) }
    }

    /// Orders are created and led through their lives by all clients, as long as something lasts.
    pub fn order_during(&self, what: impl FnOnce()) -> Vec<Life> {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || Client::of(self, client).work())).collect();
            {
                let _over = Over(&self.is_over);
                what();
            }
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        })
    }

    /// Waits until so many further commands are answered.
    pub fn wait_answers(&self, further: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + further;
        eventually("commands are answered", || (self.answered.load(Ordering::Relaxed) >= wanted).then_some(()));
    }

    /// Sends all commands once more: the answers must be those of the first time.
    pub fn assert_told_again(&self, lives: &[Life]) {
        thread::scope(|scope| {
            for (client, lives) in lives.chunks(lives.len().div_ceil(CLIENTS)).enumerate() {
                scope.spawn(move || {
                    let mut client = Client::of(self, client);
                    lives.iter().flat_map(|life| &life.commands).for_each(|(command, answer)| client.assert_told_again(command, answer));
                });
            }
        });
    }

    /// How many commands were answered, how often one was sent, and how many answers were told again.
    pub fn counts(&self) -> [usize; 3] {
        [&self.answered, &self.sent, &self.replayed].map(|count| count.load(Ordering::Relaxed))
    }
}

/// The end of the work, also when a test fails: nobody waits for clients that never end.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Client<'a> {
    customers: &'a Customers,
    number: usize,
    name: String,
    clients: Vec<HttpClient>,
    /// Which instance is asked next.
    at: usize,
    keys: usize,
}

impl Client<'_> {
    fn of(customers: &Customers, number: usize) -> Client<'_> {
        let clients = customers.addresses.iter().map(|address| HttpClient::new(*address)).collect();
        Client { customers, number, name: format!("client-{number}"), clients, at: number % customers.addresses.len(), keys: 0 }
    }

    fn work(mut self) -> Vec<Life> {
        let mut lives = Vec::new();
        while !self.customers.is_over.load(Ordering::Relaxed) {
            lives.push(self.live(lives.len()));
        }
        lives
    }

    /// An order from its creation on.
    fn live(&mut self, number: usize) -> Life {
        let mut life = Life::default();
        // Somebody else's order is not created, nor is one that does not exist moved.
        let other = order_of("somebody-else");
        self.ask(&mut life, "/api/orders".to_owned(), None, other, Refused(403, "forbidden"));
        let none = format!("/api/orders/none-{}-{number}/cancel", self.number);
        self.ask(&mut life, none, None, json!({"reason": "r"}), Refused(404, "order-not-found"));
        let created = self.ask(&mut life, "/api/orders".to_owned(), None, order_of(&self.name), Event(ORDERS, "ORDER_CREATED"));
        life.order = created["orderId"].as_str().unwrap().to_owned();
        if number % 4 == 3 {
            self.race(&mut life);
        }
        for (step, if_match, body, then) in steps(number) {
            let path = format!("/api/orders/{}/{step}", life.order);
            self.ask(&mut life, path, if_match, body, then);
        }
        // The key of the creation, for something else.
        let headers = life.commands[2].0.headers.clone();
        let mut other = order_of(&self.name);
        other["items"][0]["quantity"] = json!(3);
        self.send(&mut life, Command { headers, path: "/api/orders".to_owned(), body: other }, Refused(422, "idempotency-key-reused"));
        life
    }

    /// Two commands of which only one is possible, right behind each other: the second is decided before the event of the first comes back
    /// from the log.
    fn race(&mut self, life: &mut Life) {
        let rivals = [("cancel", "ORDER_CANCELLED"), ("reject", "ORDER_REJECTED")];
        let rivals = rivals.map(|(step, kind)| {
            (
                Command { headers: self.headers(None), path: format!("/api/orders/{}/{step}", life.order), body: json!({"reason": "r"}) },
                kind,
            )
        });
        for (command, _) in &rivals {
            self.try_send(command, true);
        }
        for (command, kind) in rivals {
            let response = self.answer_of(&command);
            let then = if response.status == 200 { Event(ORDERS, kind) } else { Refused(409, "invalid-transition") };
            self.take(life, command, &response, then);
        }
        assert_eq!(life.events[ORDERS].len(), 2, "one of two rivals wins: {:?}", life.events);
    }

    fn ask(&mut self, life: &mut Life, path: String, if_match: Option<&str>, body: Value, then: Then) -> Value {
        let headers = self.headers(if_match);
        self.send(life, Command { headers, path, body }, then)
    }

    /// With a key that was not used before.
    fn headers(&mut self, if_match: Option<&str>) -> Vec<(&'static str, String)> {
        self.keys += 1;
        let mut headers = vec![("Idempotency-Key", format!("k-{}", self.keys)), ("X-Actor", self.name.clone())];
        headers.extend(if_match.map(|version| ("If-Match", format!("\"{version}\""))));
        headers
    }

    /// Sends a command until it is answered; that must be what was to come of it.
    fn send(&mut self, life: &mut Life, command: Command, then: Then) -> Value {
        let response = self.answer_of(&command);
        self.take(life, command, &response, then)
    }

    fn answer_of(&mut self, command: &Command) -> Response {
        let mut is_first = true;
        let response = eventually("the command is answered", || {
            let response = self.try_send(command, std::mem::take(&mut is_first) && self.number % HASTY == HASTY - 1);
            if response.is_none() {
                self.at = (self.at + 1) % self.clients.len();
                thread::sleep(LOOK_INTERVAL);
            }
            response
        });
        self.customers.answered.fetch_add(1, Ordering::Relaxed);
        self.customers.replayed.fetch_add(usize::from(is_replayed(&response)), Ordering::Relaxed);
        response
    }

    /// Notes an answer, which must be what was to come of the command.
    fn take(&mut self, life: &mut Life, command: Command, response: &Response, then: Then) -> Value {
        let answer = Answer::of(response);
        match then {
            Refused(status, code) => {
                assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{}: {answer:?}", command.path)
            }
            Event(topic, kind) => {
                life.events.entry(topic).or_default().push(kind);
                let count = |topic| life.events.get(topic).map_or(0, Vec::len);
                let expected = (if kind == "ORDER_CREATED" { 201 } else { 200 }, format!("\"{}-{}-0\"", count(ORDERS), count(PAYMENTS)));
                assert_eq!((answer.status, answer.tag.clone()), (expected.0, Some(expected.1)), "{}: {answer:?}", command.path);
            }
            Nothing => assert_eq!((answer.status, &answer.tag), (200, &life.tag()), "{}: {answer:?}", command.path),
        }
        let body = answer.body.clone();
        life.commands.push((command, answer));
        body
    }

    /// Sends a command once: its answer, if it is one.
    fn try_send(&mut self, command: &Command, is_hasty: bool) -> Option<Response> {
        self.customers.sent.fetch_add(1, Ordering::Relaxed);
        let prefer = if is_hasty { "respond-async" } else { "wait=2" };
        let mut headers: Vec<(&str, &str)> = command.headers.iter().map(|(name, value)| (*name, &**value)).collect();
        headers.push(("Prefer", prefer));
        let body = if command.body.is_null() { String::new() } else { command.body.to_string() };
        let response = self.clients[self.at].post(&command.path, &lines(&headers, !body.is_empty()), &body).ok()?;
        assert_ne!(parsed(&response)["code"], "outcome-lost", "{}", response.body);
        (!matches!(response.status, 202 | 503 | 504)).then_some(response)
    }

    fn assert_told_again(&mut self, command: &Command, answer: &Answer) {
        // What is not valid for the order as it is, is asked of the order as it is now.
        if answer.status != 400 {
            let again = eventually("the command is answered", || self.try_send(command, false));
            assert_eq!(Answer::of(&again), *answer);
            assert_eq!(is_replayed(&again), answer.status != 422, "{}", again.body);
        }
    }
}

impl Life {
    /// How many commands were refused.
    pub fn refused(&self) -> usize {
        self.commands.iter().filter(|(_, answer)| answer.status >= 400).count()
    }

    /// The entity tag that was told last.
    fn tag(&self) -> Option<String> {
        self.commands.iter().rev().find_map(|(_, answer)| answer.tag.clone())
    }
}

impl Answer {
    fn of(response: &Response) -> Answer {
        Answer { status: response.status, tag: response.header("etag").map(str::to_owned), body: parsed(response) }
    }
}

fn is_replayed(response: &Response) -> bool {
    response.header("idempotency-replayed").is_some()
}

/// What is asked of an order after its creation: step, `If-Match`, body, and what must come of it.
fn steps(number: usize) -> Vec<(&'static str, Option<&'static str>, Value, Then)> {
    let address = json!({"shippingAddress": order_of("")["shippingAddress"]});
    let (reason, parcel) = (json!({"reason": "r"}), json!({"carrier": "DHL", "trackingNumber": "t-1"}));
    let pay = |amount| json!({"paymentId": "pay-1", "method": "CARD", "amount": amount});
    let refund = |amount: &str| json!({"amount": amount, "reason": "r"});
    let impossible = Refused(409, "invalid-transition");
    match number % 4 {
        0 => vec![
            ("deliver", None, json!({}), impossible),
            ("address", None, address, Event(ORDERS, "ORDER_ADDRESS_CHANGED")),
            ("payments", None, json!({"paymentId": "pay-0", "code": "declined"}), Event(PAYMENTS, "PAYMENT_FAILED")),
            ("payments", None, pay(25), Event(PAYMENTS, "PAYMENT_COMPLETED")),
            ("approve", Some("2-2-0"), Value::Null, Event(ORDERS, "ORDER_APPROVED")),
            ("approve", None, Value::Null, Nothing),
            ("payments/pay-1/refunds", None, refund("5.50"), Event(PAYMENTS, "PAYMENT_REFUNDED")),
            ("payments/pay-1/refunds", None, refund("19.51"), Refused(400, "validation-failed")),
        ],
        1 => vec![
            ("payments", None, pay(24), Refused(400, "validation-failed")),
            ("payments", None, pay(25), Event(PAYMENTS, "PAYMENT_COMPLETED")),
            ("cancel", None, reason.clone(), Event(ORDERS, "ORDER_CANCELLED")),
            ("address", None, address, impossible),
            ("cancel", None, reason, Nothing),
            // Each has an id of its command, so that it is told by its key alone from the other.
            ("payments/pay-1/refunds", None, refund("10"), Event(PAYMENTS, "PAYMENT_REFUNDED")),
            ("payments/pay-1/refunds", None, refund("10"), Event(PAYMENTS, "PAYMENT_REFUNDED")),
        ],
        2 => vec![
            ("approve", None, Value::Null, Event(ORDERS, "ORDER_APPROVED")),
            ("cancel", Some("1"), reason.clone(), Refused(412, "version-mismatch")),
            ("ship", None, parcel, Event(ORDERS, "ORDER_SHIPPED")),
            ("cancel", None, reason, impossible),
            ("deliver", None, json!({}), Event(ORDERS, "ORDER_DELIVERED")),
        ],
        _ => vec![
            // After the race for its end.
            ("approve", None, Value::Null, impossible),
            ("payments", None, pay(25), Event(PAYMENTS, "PAYMENT_COMPLETED")),
        ],
    }
}
