//! Payments and refunds, and what an order costs.

use super::*;
use crate::events::{Body, OrderCreated, OrderEvent};

const ORDERED: (&str, &str) = ("ORDER_CREATED", CREATED);

/// What the commands lead to, one after the other: an event's type, `no-op`, or a code with the payment's status or the faults.
fn outcomes(story: &mut Story, commands: &[(&str, &str)]) -> Vec<String> {
    let mut outcome = |(kind, data): &(&str, &str)| match story.when(kind, data) {
        Ok(types) => types.first().map_or("no-op".to_owned(), |kind| kind.to_string()),
        Err(rejection) if rejection.code == "validation-failed" => faults(&rejection).join(", "),
        Err(rejection) => format!("{} {}", rejection.code, told(&rejection, "paymentStatus")),
    };
    commands.iter().map(&mut outcome).collect()
}

const fn pay(data: &str) -> (&str, &str) {
    ("RECORD_PAYMENT", data)
}

const fn fail(data: &str) -> (&str, &str) {
    ("FAIL_PAYMENT", data)
}

const fn refund(data: &str) -> (&str, &str) {
    ("REFUND_PAYMENT", data)
}

const WHOLE: &str = r#"{"paymentId":"b","method":"CARD","amount":"20.00"}"#;

#[test]
fn a_payment_is_what_is_due_and_counts_once() {
    let mut story = Story::given(&[ORDERED]);
    let commands = [
        pay(r#"{"paymentId":"a","method":"CARD","amount":19.99}"#),
        pay(r#"{"paymentId":"a","method":"CARD","amount":20.000000001}"#),
        fail(r#"{"paymentId":"a","code":"DECLINED"}"#),
        fail(r#"{"paymentId":"a","code":"DECLINED"}"#),
        fail(r#"{"paymentId":"b","code":"DECLINED"}"#),
        pay(WHOLE),
        pay(WHOLE),
        pay(r#"{"paymentId":"c","method":"CARD","amount":20}"#),
        fail(r#"{"paymentId":"c","code":"DECLINED"}"#),
        fail(r#"{"paymentId":"b","code":"DECLINED"}"#),
    ];
    assert_eq!(
        outcomes(&mut story, &commands),
        [
            "/amount mismatch",
            "/amount mismatch",
            "PAYMENT_FAILED",
            "no-op",
            "PAYMENT_FAILED",
            "PAYMENT_COMPLETED",
            "no-op",
            r#"invalid-transition "PAID""#,
            r#"invalid-transition "PAID""#,
            "no-op",
        ]
    );
    assert_eq!(story.state().paid_amount.to_string(), "20.00");
    let rejection = Story::given(&[ORDERED]).when("RECORD_PAYMENT", r#"{"paymentId":"a","method":"M","amount":1}"#).unwrap_err();
    assert_eq!((told(&rejection, "due"), told(&rejection, "currency")), ("20".to_owned(), "\"EUR\"".to_owned()));
}

#[test]
fn no_more_goes_back_than_was_paid() {
    let mut story = Story::given(&[ORDERED]);
    let commands = [
        refund(r#"{"paymentId":"b","refundId":"1","amount":1,"reason":"r"}"#),
        pay(WHOLE),
        refund(r#"{"paymentId":"z","refundId":"1","amount":1,"reason":"r"}"#),
        refund(r#"{"paymentId":"b","refundId":"1","amount":20.01,"reason":"r"}"#),
        refund(r#"{"paymentId":"b","refundId":"1","amount":79228162514264337593543950335,"reason":"r"}"#),
        refund(r#"{"paymentId":"b","refundId":"1","amount":5.5,"reason":"r"}"#),
        refund(r#"{"paymentId":"b","refundId":"1","amount":5.5,"reason":"r"}"#),
        refund(r#"{"paymentId":"b","refundId":"2","amount":14.51,"reason":"r"}"#),
        refund(r#"{"paymentId":"b","refundId":"2","amount":14.5,"reason":"r"}"#),
        refund(r#"{"paymentId":"b","refundId":"2","amount":14.5,"reason":"r"}"#),
        refund(r#"{"paymentId":"b","refundId":"3","amount":0.01,"reason":"r"}"#),
        pay(r#"{"paymentId":"c","method":"CARD","amount":20}"#),
    ];
    assert_eq!(
        outcomes(&mut story, &commands),
        [
            r#"invalid-transition "PENDING""#,
            "PAYMENT_COMPLETED",
            "/paymentId mismatch",
            "/amount mismatch",
            "/amount mismatch",
            "PAYMENT_REFUNDED",
            "no-op",
            "/amount mismatch",
            "PAYMENT_REFUNDED",
            "no-op",
            r#"invalid-transition "REFUNDED""#,
            r#"invalid-transition "REFUNDED""#,
        ]
    );
    assert_eq!(story.state().refunded_amount, story.state().paid_amount);
}

#[test]
fn money_that_arrived_for_a_cancelled_order_can_go_back() {
    let mut story = Story::given(&[ORDERED, ("ORDER_CANCELLED", "{}")]);
    let back = refund(r#"{"paymentId":"b","amount":20,"reason":"cancelled"}"#);
    assert_eq!(outcomes(&mut story, &[pay(WHOLE), back]), ["PAYMENT_COMPLETED", "PAYMENT_REFUNDED"]);
}

#[test]
fn a_payment_that_came_before_its_order_counts() {
    let mut story = Story::given(&[("PAYMENT_COMPLETED", r#"{"paymentId":"b","amount":25.1}"#)]);
    assert_eq!(outcomes(&mut story, &[pay(WHOLE)]), ["order-not-found -"]);
    let late = pay(r#"{"paymentId":"b","method":"CARD","amount":25.1}"#);
    assert_eq!(outcomes(&mut story, &[("CREATE_ORDER", CREATE), late]), ["ORDER_CREATED", "no-op"]);
}

fn created(data: &str) -> OrderCreated {
    let mut story = Story::default();
    story.when("CREATE_ORDER", data).unwrap();
    let Body::Order(OrderEvent::Created(created)) = story.log.remove(0).body else { panic!("another body") };
    created
}

#[test]
fn totals_and_dates_are_decided_here_once() {
    let express = created(CREATE);
    assert_eq!((express.total_amount.to_string(), express.currency.unwrap().as_str()), ("25.10".to_owned(), "EUR"));
    assert_eq!(express.estimated_delivery, Some(START_MS + 2 * 86_400_000));
    let plain = created(&CREATE.replace(r#","express":true"#, "").replace(r#""currency":"EUR","#, ""));
    assert_eq!((plain.currency.unwrap().as_str(), plain.estimated_delivery), ("KRW", Some(START_MS + 5 * 86_400_000)));
    let cents = created(&CREATE.replace("12.50", "0.1").replace(r#""quantity":2"#, r#""quantity":3"#).replace(r#""0.1""#, "0.2"));
    assert_eq!(cents.total_amount.to_string(), "0.5", "exact, as no binary float is");
}
