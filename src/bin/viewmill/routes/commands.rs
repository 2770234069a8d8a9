//! `POST /api/orders` and `POST /api/orders/{id}/…`: what can be asked of an order.
//!
//! Where there is no room for it, a command is refused before it is read: whoever has too much to do must not do that too. Else it is read whole
//! before anything is written. Then it goes through its topic, and the answer is what its task has decided.

use viewmill::command::{CommandRecord, Commands};
use viewmill::http::{ActorRule, Problem, Query, Routes, param, query};
use viewmill::{Timestamp, Views};
use warp::http::HeaderMap;
use warp::reply::Response;
use warp::{Filter as _, Rejection};

use super::command_answer::{self, Asked};
use super::command_body::{self, Kind, REFUND};
use super::command_request::{self, CommandRequest};
use super::spec;
use crate::topology::COMMAND_TOPIC;

/// The steps whose route says what they are.
const STEPS: [(&str, &str); 6] = [
    ("/api/orders/{id}/approve", "APPROVE_ORDER"),
    ("/api/orders/{id}/reject", "REJECT_ORDER"),
    ("/api/orders/{id}/ship", "SHIP_ORDER"),
    ("/api/orders/{id}/deliver", "DELIVER_ORDER"),
    ("/api/orders/{id}/cancel", "CANCEL_ORDER"),
    ("/api/orders/{id}/address", "CHANGE_SHIPPING_ADDRESS"),
];

/// Where the body says which command it is, one that is refused before that counts as this.
const UNREAD: &str = "unread";

/// What the routes work with. Cheap to clone.
#[derive(Clone)]
struct Gate {
    commands: Commands,
    views: Views,
    actors: ActorRule,
}

/// What every command has besides its path.
struct Given {
    query: Query,
    headers: HeaderMap,
    body: bytes::Bytes,
}

/// The routes.
pub fn routes(commands: Commands, views: Views, actors: ActorRule) -> Routes {
    let gate = Gate { commands, views, actors };
    let given =
        query().and(warp::header::headers_cloned()).and(warp::body::bytes()).map(|query, headers, body| Given { query, headers, body });
    let create = gate.clone();
    let create = given.clone().and_then(move |given| create.clone().answer(Kind::Fixed("CREATE_ORDER"), None, given));
    let actors = gate.actors.clone();
    let mut routes = Routes::new().post("/api/orders", create).admitted_by(gate.room("CREATE_ORDER")).described(spec::create(&actors));
    for (template, type_name) in STEPS {
        let (gate, room) = (gate.clone(), gate.room(type_name));
        let step = param("id").and(given.clone());
        let step = step.and_then(move |id, given| gate.clone().answer(Kind::Fixed(type_name), Some(id), given));
        routes = routes.post(template, step).admitted_by(room).described(spec::step(type_name, &actors));
    }
    let (room_of_payments, room_of_refunds) = (gate.room(UNREAD), gate.room(REFUND));
    let payments = gate.clone();
    let payments = param("id").and(given.clone()).and_then(move |id, given| payments.clone().answer(Kind::Payment, Some(id), given));
    let refunds = param("id").and(param("pid")).and(given);
    let refunds = refunds.and_then(move |id, payment, given| gate.clone().answer(Kind::Refund(payment), Some(id), given));
    routes
        .post("/api/orders/{id}/payments", payments)
        .admitted_by(room_of_payments)
        .described(spec::payment(&actors))
        .post("/api/orders/{id}/payments/{pid}/refunds", refunds)
        .admitted_by(room_of_refunds)
        .described(spec::refund(&actors))
}

impl Gate {
    /// Whether a command of this type has room.
    fn room(&self, type_name: &'static str) -> impl Fn() -> Result<(), Problem> + Send + Sync + 'static {
        let commands = self.commands.clone();
        move || commands.look_for_room(type_name).map_err(command_answer::not_sent)
    }

    /// `order`: which one there is; none where one is created.
    async fn answer(self, kind: Kind, order: Option<String>, given: Given) -> Result<Response, Rejection> {
        Ok(self.ask(&kind, order, &given).await?)
    }

    async fn ask(&self, kind: &Kind, order: Option<String>, given: &Given) -> Result<Response, Problem> {
        let request = CommandRequest::read(&given.headers, &self.actors)?;
        given.query.only(&[])?;
        let command = command_body::read(kind, &given.headers, &given.body)?;
        let creates = order.is_none();
        let order_id = order.unwrap_or_else(|| request.new_order_id().unwrap_or_else(|| self.commands.new_id()));
        let command_id = request.command_id(&order_id).unwrap_or_else(|| self.commands.new_id());
        let now = self.commands.now();
        let deadline = now.as_millis().saturating_add(i64::try_from(request.timeout.as_millis()).unwrap_or(i64::MAX));
        let record = CommandRecord {
            command_id: Some(command_id.clone()),
            aggregate_id: Some(order_id.clone()),
            idempotency_key: request.idempotency_key(),
            digest: Some(command_request::digest(&command)),
            actor: request.actor.clone(),
            expected_version: request.expected_version,
            deadline: Some(Timestamp(deadline)),
            timestamp: Some(now),
            ..CommandRecord::new(command)
        };
        let sent = self.commands.send(COMMAND_TOPIC, &order_id, record, request.wait()).await;
        command_answer::answer(sent, Asked { order_id, command_id, creates, is_async: request.is_async }, &self.views)
    }
}
