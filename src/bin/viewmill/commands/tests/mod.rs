//! What is promised about commands, as given–when–then without any Kafka.
//!
//! A story is what stands in the log, and what it makes of the order's row.

mod amounts;
mod golden;
mod lives;
mod reading;
mod transitions;

use serde_json::value::RawValue;
use uuid::Uuid;
use viewmill::Timestamp;
use viewmill::command::{Actor, Aggregate as _, CommandData as _, DecisionContext, EventMeta, Rejection};

use super::{OrderAggregate, OrderCommand};
use crate::events::{Axis, Event};
use crate::order_id::OrderId;
use crate::views::Order;

const CREATE: &str = r#"{"userId":"u1","items":[{"productId":"p1","name":"Tea","price":12.50,"quantity":2},{"productId":"p2","name":"Pot","price":"0.1","quantity":1}],
    "currency":"EUR","shippingAddress":{"recipient":"R","street":"S","city":"C","postalCode":"1","country":"DE","express":true}}"#;
const CREATED: &str = r#"{"userId":"u1","items":[],"totalAmount":20,"currency":"EUR"}"#;
const SHIP: &str = r#"{"carrier":"CJ","trackingNumber":"6001"}"#;
const PAID: &str = r#"{"paymentId":"pay-1","amount":20}"#;

/// The time of the first event of a story, 2026-03-01T00:30:00Z; each further one comes a second later.
const START_MS: i64 = 1_772_325_000_000;

fn command(kind: &str, data: &str) -> Result<OrderCommand, Rejection> {
    OrderCommand::from_json(kind, serde_json::from_str::<&RawValue>(data).unwrap())
}

/// The order `o1`.
#[derive(Clone, Default)]
struct Story {
    aggregate: OrderAggregate,
    actor: Option<Actor>,
    state: Option<Order>,
    log: Vec<Event>,
}

impl Story {
    /// What others wrote, with versions that count up: types, and their data.
    fn given(events: &[(&str, &str)]) -> Story {
        let mut story = Story::default();
        events.iter().for_each(|(kind, data)| story.other_writes(kind, data, Numbered::Next));
        story
    }

    fn by(mut self, id: &str, operator: bool) -> Story {
        self.actor = Some(Actor { id: id.to_owned(), operator });
        self
    }

    fn now(&self) -> i64 {
        START_MS + 1_000 * self.log.len() as i64
    }

    /// What another service writes, which has been read before the next command.
    fn other_writes(&mut self, kind: &str, data: &str, numbered: Numbered) {
        let axis = Event::from_json(format!(r#"{{"type":"{kind}","aggregateId":"o1","data":{data}}}"#).as_bytes()).unwrap().axis();
        let versions = self.state.as_ref().map(|state| state.versions(axis).clone()).unwrap_or_default();
        let version = match numbered {
            Numbered::Not => None,
            Numbered::Next => versions.next(),
            Numbered::Ahead(count) => versions.next().and_then(|next| next.checked_add(count)),
            Numbered::Late => versions.missing().first().map(|(first, _)| *first).or(versions.next()),
        };
        let version = version.map_or("null".to_owned(), |version| version.to_string());
        let id = self.log.len();
        let json = format!(r#"{{"type":"{kind}","aggregateId":"o1","eventId":"other-{id}","version":{version},"data":{data}}}"#);
        self.read(&json);
    }

    fn read(&mut self, json: &str) {
        let event = Event::from_json(json.as_bytes()).unwrap();
        self.take(event);
    }

    /// A command, and the types of the events that it leads to.
    fn when(&mut self, kind: &str, data: &str) -> Result<Vec<&'static str>, Rejection> {
        let command = command(kind, data)?;
        let (command_id, now) = (format!("command-{}", self.log.len()), Timestamp(self.now()));
        let actor = self.actor.clone();
        let context = DecisionContext { now, actor: actor.as_ref(), command_id: &command_id };
        let facts = self.aggregate.decide(self.state.as_ref(), &command, &context)?;
        let mut types = Vec::new();
        for fact in facts {
            let event_id = Uuid::from_u128(self.log.len() as u128 + 1);
            let meta = EventMeta { event_id, time: now, command_id: &command_id, correlation_id: "talk-1", actor: context.actor };
            let event = self.aggregate.event(self.state.as_ref(), &OrderId::from("o1"), fact, &meta);
            let json = serde_json::to_vec(&event).unwrap();
            assert_eq!(Event::from_json(&json).unwrap(), event, "what is written can be read");
            assert_eq!(self.aggregate.event_id(&event), Some(event_id), "it is known again");
            types.push(event.type_name());
            self.take(event);
            let before = self.state.clone();
            self.evolve(self.log.len() - 1);
            assert_eq!(self.state, before, "an event of our own, read back, changes nothing");
        }
        Ok(types)
    }

    fn take(&mut self, event: Event) {
        self.log.push(event);
        self.evolve(self.log.len() - 1);
    }

    fn evolve(&mut self, place: usize) {
        let time = Timestamp(START_MS + 1_000 * place as i64);
        self.aggregate.evolve(&mut self.state, &self.log[place], time).unwrap();
    }

    fn state(&self) -> &Order {
        self.state.as_ref().unwrap()
    }
}

/// How another service counts its events.
#[derive(Clone, Copy, Debug)]
enum Numbered {
    Not,
    Next,
    /// So many versions are left out, and may come later.
    Ahead(u64),
    /// One that was left out, if any was.
    Late,
}

/// The member of what a rejection tells, as JSON text.
fn told(rejection: &Rejection, member: &str) -> String {
    rejection.data.get(member).map_or("-", |value| value.get()).to_owned()
}

/// The places and codes of all faults.
fn faults(rejection: &Rejection) -> Vec<String> {
    assert_eq!(rejection.code, "validation-failed", "{rejection:?}");
    let errors: Vec<serde_json::Value> = serde_json::from_str(&told(rejection, "errors")).unwrap();
    errors.iter().map(|error| format!("{} {}", error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap())).collect()
}
