//! The descriptions of what can be asked of an order.

use serde_json::{Value, json};
use viewmill::http::{ActorRule, AnswerHeader, Example, Operation, Parameter};

use super::{CANCELLED_ORDER, ORDER, REJECTED_ORDER, schema};

const KEY: &str = "Idempotency-Key";

/// `POST /api/orders`.
pub fn create(actors: &ActorRule) -> Operation {
    let location = AnswerHeader::new("Location", "The order.").always();
    let operation = operation("createOrder", "Places an order", actors)
        .about("Its total is computed here. Under the same key the same order is meant, whose id follows from it.")
        .body(schema("CreateOrder"), true)
        .problem(403, &["forbidden"]);
    answered(operation, 201, "The order was created", "Created")
        .header(201, location)
        .example(placed(
            "tea",
            "order-1",
            order("kim", json!({"productId": "p-1", "name": "Tea", "price": "12.50", "quantity": 2}), Some("EUR")),
        ))
        .example(placed("won", "order-2", order("lee", json!({"productId": "p-2", "name": "김치", "price": 39_000, "quantity": 1}), None)))
        .example(placed(
            "mistake",
            "order-3",
            order("kim", json!({"productId": "p-3", "name": "Cup", "price": 9.9, "quantity": 100}), Some("EUR")),
        ))
}

/// `POST /api/orders/{id}/…` of a command whose route says what it is.
///
/// # Panics
/// For a command that is no such step; all are described, as a test shows.
pub fn step(type_name: &str, actors: &ActorRule) -> Operation {
    let step = |id, summary, shape, required, example: Example| {
        let operation = of_order(operation(id, summary, actors)).body(schema(shape), required);
        answered(operation, 200, "It is so", "Done").example(example)
    };
    match type_name {
        "APPROVE_ORDER" => {
            let example = of("approved", ORDER, "approve-1").body(json!({"note": "in stock"}));
            step("approveOrder", "Accepts an order", "ApproveOrder", false, example)
                .about("Of an order that is accepted already, nothing changes.")
        }
        "REJECT_ORDER" => {
            let example = of("sold-out", REJECTED_ORDER, "reject-1").body(json!({"reason": "sold out"}));
            step("rejectOrder", "Refuses an order", "RejectOrder", true, example)
        }
        "SHIP_ORDER" => {
            let example = of("sent", ORDER, "ship-1").with("If-Match", "\"3\"").body(json!({"carrier": "DHL", "trackingNumber": "t-1"}));
            step("shipOrder", "Hands an order to a carrier", "ShipOrder", true, example)
                .about("Shipped again under the same tracking number, nothing changes. Without `shippedAt` it is now.")
        }
        "DELIVER_ORDER" => {
            let example = of("arrived", ORDER, "deliver-1").body(json!({"deliveredAt": "2026-03-04T11:20:00+01:00"}));
            step("deliverOrder", "Says that an order arrived", "DeliverOrder", false, example).about("Without `deliveredAt` it is now.")
        }
        "CANCEL_ORDER" => {
            let example = of("mistake", CANCELLED_ORDER, "cancel-1").body(json!({"reason": "ordered by mistake"}));
            step("cancelOrder", "Calls an order off", "CancelOrder", true, example)
                .about("Of an order that is cancelled already, nothing changes.")
        }
        "CHANGE_SHIPPING_ADDRESS" => {
            let example =
                of("moved", ORDER, "address-1").body(json!({"shippingAddress": address("Kim", "Ringstr. 5", "Wien", "1010", "AT")}));
            step("changeAddress", "Sends an order elsewhere", "ChangeAddress", true, example).about("Before it is shipped.")
        }
        other => unreachable!("{other} is no step"),
    }
}

/// `POST /api/orders/{id}/payments`.
pub fn payment(actors: &ActorRule) -> Operation {
    let failed = of("declined", ORDER, "payment-0").body(json!({"paymentId": "pay-0", "code": "card_declined"}));
    let arrived = of("paid", ORDER, "payment-1").body(json!({"paymentId": "pay-1", "method": "CARD", "amount": 25}));
    let operation = of_order(operation("recordPayment", "Tells of a payment that arrived or failed", actors)).body(schema("Payment"), true);
    answered(operation, 200, "It is so", "Done")
        .about("What arrives must be what is due. A payment is known by its id: told again, nothing changes.")
        .example(failed)
        .example(arrived)
}

/// `POST /api/orders/{id}/payments/{pid}/refunds`.
pub fn refund(actors: &ActorRule) -> Operation {
    let part = of("late", ORDER, "refund-1").with("pid", "pay-1").body(json!({"refundId": "r-1", "amount": "5.50", "reason": "came late"}));
    let operation = of_order(operation("refundPayment", "Gives money back", actors));
    let operation = operation.parameter(Parameter::path("pid", "The payment, which arrived")).body(schema("Refund"), true);
    answered(operation, 200, "It is so", "Done")
        .about("At most what was paid. A refund is known by its `refundId`: told again, nothing changes.")
        .example(part)
}

/// What all commands have in common before their answers are known.
fn operation(id: &'static str, summary: &'static str, actors: &ActorRule) -> Operation {
    let version = "Only at this version of the order: its `ETag`, or the version alone, as `\"7\"`. `*`: at any.";
    // At most as long as a header may be. One pattern for both, and lengths beside it, mislead generators of requests.
    let tag = json!({"type": "string", "pattern": r#"^"[0-9]{1,19}([-.][!-~]{0,178})?"$"#});
    let any_or_tag = json!({"anyOf": [{"type": "string", "const": "*"}, tag]});
    let timeout = "Seconds after which it must not be carried out.";
    let prefer = "`respond-async`: answer 202 as soon as the command is in the log. `wait=2`: the same after two seconds.";
    actors
        .described(Operation::new("commands", id, summary))
        .parameter(Parameter::header(KEY, "The command is carried out once, however often it is sent under this key.", visible("^[!-~]+$")))
        .parameter(Parameter::header("If-Match", version, any_or_tag))
        .parameter(Parameter::header("Prefer", prefer, json!({"type": "string"})))
        .parameter(Parameter::header("Request-Timeout", timeout, json!({"type": "integer", "minimum": 1, "maximum": 60, "default": 10})))
        .problem(412, &["version-mismatch"])
        .problem(409, &["invalid-transition"])
        .problem(422, &["idempotency-key-reused"])
        .problem(503, &["not-ready", "unconfirmed", "outcome-lost"])
}

fn visible(pattern: &str) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 200, "pattern": pattern})
}

/// It is about an order that there is.
fn of_order(operation: Operation) -> Operation {
    operation.parameter(Parameter::path("id", "The order")).problem(404, &["order-not-found"])
}

/// Answered when it is decided, or before.
fn answered(operation: Operation, status: u16, about: &str, shape: &str) -> Operation {
    let replayed = AnswerHeader::new("Idempotency-Replayed", "It was decided before, and is told again.")
        .of(json!({"type": "string", "const": "true"}));
    let tag = AnswerHeader::new("ETag", "Of the order after it: last versions of order, payments and parcels.");
    let token = AnswerHeader::new("Consistency-Token", "A read that sends it sees at least this.");
    let later = AnswerHeader::new("Location", "Where what becomes of it can be asked.").always();
    let applied =
        AnswerHeader::new("Preference-Applied", "`respond-async` was asked for.").of(json!({"type": "string", "const": "respond-async"}));
    operation
        .json(status, about, schema(shape))
        .header(status, tag.always())
        .header(status, token)
        .header(status, replayed.clone())
        .json(202, "It is in the log, and what becomes of it is not known yet", schema("Pending"))
        .header(202, later)
        .header(202, applied)
        .problem_header(&replayed)
}

fn placed(name: &'static str, key: &str, body: Value) -> Example {
    Example::new(name).with(KEY, key).body(body)
}

fn of(name: &'static str, order: &str, key: &str) -> Example {
    Example::new(name).with("id", order).with(KEY, key)
}

fn order(user: &str, item: Value, currency: Option<&str>) -> Value {
    let address = address("Kim", "Hauptstr. 1", "Berlin", "10115", "DE");
    let mut order = json!({"userId": user, "items": [item], "shippingAddress": address});
    if let Some(currency) = currency {
        order["currency"] = currency.into();
    }
    order
}

fn address(recipient: &str, street: &str, city: &str, postal_code: &str, country: &str) -> Value {
    json!({"recipient": recipient, "street": street, "city": city, "postalCode": postal_code, "country": country, "express": false})
}
