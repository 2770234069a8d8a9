//! The state machine: each cell of its table, and who may move it.

use super::*;
use crate::money::Currency;
use crate::views::OrderStatus;

/// What a command leads to, in a word.
fn outcome(story: &Story, kind: &str, data: &str) -> String {
    let mut story = story.clone();
    let (state, log) = (story.state.clone(), story.log.len());
    match story.when(kind, data) {
        Ok(types) if types.is_empty() => {
            assert_eq!((story.state, story.log.len()), (state, log), "what is so already writes nothing");
            "no-op".to_owned()
        }
        Ok(types) => types.join(" "),
        Err(rejection) => {
            assert_eq!((story.state, story.log.len()), (state, log), "a rejection is no event");
            rejection.code.into_owned()
        }
    }
}

const COMMANDS: [(&str, &str); 8] = [
    ("APPROVE_ORDER", "{}"),
    ("REJECT_ORDER", r#"{"reason":"sold out"}"#),
    ("CANCEL_ORDER", r#"{"reason":"mistake"}"#),
    ("SHIP_ORDER", SHIP),
    ("SHIP_ORDER", r#"{"carrier":"CJ","trackingNumber":"6002"}"#),
    ("DELIVER_ORDER", "{}"),
    ("CHANGE_SHIPPING_ADDRESS", r#"{"shippingAddress":{"recipient":"R","street":"S","city":"C","postalCode":"1","country":"DE"}}"#),
    ("CREATE_ORDER", CREATE),
];

const A: (&str, &str) = ("ORDER_CREATED", CREATED);
const APPROVED: (&str, &str) = ("ORDER_APPROVED", "{}");
const SHIPPED: (&str, &str) = ("ORDER_SHIPPED", SHIP);

#[test]
fn every_cell_of_the_table_is_as_written() {
    let (ok, no) = ("no-op", "invalid-transition");
    let (approved, rejected, cancelled) = ("ORDER_APPROVED", "ORDER_REJECTED", "ORDER_CANCELLED");
    let (shipped, delivered, moved) = ("ORDER_SHIPPED", "ORDER_DELIVERED", "ORDER_ADDRESS_CHANGED");
    let nothing = "order-not-found";
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], [&'a str; 8]);
    //            approve, reject, cancel, ship, ship under another number, deliver, address, create
    let table: [Row<'_>; 9] = [
        ("-", &[], [nothing, nothing, nothing, nothing, nothing, nothing, nothing, "ORDER_CREATED"]),
        ("-", &[("PAYMENT_COMPLETED", PAID)], [nothing, nothing, nothing, nothing, nothing, nothing, nothing, "ORDER_CREATED"]),
        ("CREATED", &[A], [approved, rejected, cancelled, no, no, no, moved, no]),
        ("APPROVED", &[A, APPROVED], [ok, no, cancelled, shipped, shipped, no, moved, no]),
        ("SHIPPED", &[A, APPROVED, SHIPPED], [no, no, no, ok, no, delivered, no, no]),
        ("DELIVERED", &[A, APPROVED, SHIPPED, ("ORDER_DELIVERED", "{}")], [no, no, no, no, no, ok, no, no]),
        ("CANCELLED", &[A, ("ORDER_CANCELLED", "{}")], [no, no, ok, no, no, no, no, no]),
        ("REJECTED", &[A, ("ORDER_REJECTED", "{}")], [no, no, no, no, no, no, no, no]),
        ("SHIPPED", &[A, APPROVED, ("ORDER_SHIPPED", "{}")], [no, no, no, no, no, delivered, no, no]),
    ];
    for (status, given, expected) in table {
        let story = Story::given(given);
        assert_eq!(story.state.as_ref().filter(|state| !state.is_shell()).map_or("-", |state| state.status.name()), status);
        assert_eq!(COMMANDS.map(|(kind, data)| outcome(&story, kind, data)), expected, "{status}");
    }
}

#[test]
fn a_whole_life_is_written_with_versions_that_count_up() {
    let mut story = Story::default();
    for (kind, data) in [
        ("CREATE_ORDER", CREATE),
        ("RECORD_PAYMENT", r#"{"paymentId":"pay-1","method":"CARD","amount":25.1}"#),
        ("APPROVE_ORDER", r#"{"note":"ok"}"#),
        ("SHIP_ORDER", SHIP),
        ("REFUND_PAYMENT", r#"{"paymentId":"pay-1","amount":0.1,"reason":"late"}"#),
        ("DELIVER_ORDER", r#"{"deliveredAt":"2026-03-02T09:00:00+09:00"}"#),
    ] {
        assert_eq!(story.when(kind, data).unwrap().len(), 1, "{kind}");
    }
    let versions = story.log.iter().map(|event| (event.axis(), event.envelope.version().unwrap()));
    use Axis::{Order, Payment};
    assert_eq!(versions.collect::<Vec<_>>(), [(Order, 1), (Payment, 1), (Order, 2), (Order, 3), (Payment, 2), (Order, 4)]);
    assert_eq!(story.state().status, OrderStatus::Delivered);
    let refund = story.log[4].clone();
    assert!(
        serde_json::to_string(&refund).unwrap().contains(r#""refundId":"command-4""#),
        "a refund without an id is known by its command"
    );
}

#[test]
fn a_rejection_names_the_status_and_what_is_possible() {
    let paid = ("PAYMENT_COMPLETED", PAID);
    let failed = ("PAYMENT_FAILED", r#"{"paymentId":"pay-0"}"#);
    let half = ("PAYMENT_REFUNDED", r#"{"paymentId":"pay-1","refundId":"r1","amount":10}"#);
    let rest = ("PAYMENT_REFUNDED", r#"{"paymentId":"pay-1","refundId":"r2","amount":10}"#);
    let no_such = ("DELIVER_ORDER", "{}");
    let no_other = COMMANDS[4];
    for (given, command, status, payment, allowed) in [
        (&[A][..], no_such, "CREATED", "PENDING", r#"["approve","reject","cancel","address","payments"]"#),
        (&[A, failed], no_such, "CREATED", "FAILED", r#"["approve","reject","cancel","address","payments"]"#),
        (&[A, APPROVED, paid], no_such, "APPROVED", "PAID", r#"["ship","cancel","address","refunds"]"#),
        (&[A, APPROVED, SHIPPED, paid, half], no_other, "SHIPPED", "PARTIALLY_REFUNDED", r#"["deliver","refunds"]"#),
        (&[A, ("ORDER_CANCELLED", "{}"), paid, half, rest], no_such, "CANCELLED", "REFUNDED", "[]"),
    ] {
        let rejection = Story::given(given).when(command.0, command.1).unwrap_err();
        assert_eq!(rejection.code, "invalid-transition");
        assert!(rejection.detail.contains(status) && rejection.detail.contains(command.0), "{}", rejection.detail);
        let quoted = |name| format!("\"{name}\"");
        assert_eq!((told(&rejection, "status"), told(&rejection, "paymentStatus")), (quoted(status), quoted(payment)));
        assert_eq!(told(&rejection, "allowed"), allowed);
    }
}

#[test]
fn a_user_sees_and_changes_only_their_own_orders() {
    let (approve, own) = (COMMANDS[0], COMMANDS[7]);
    let story = Story::given(&[A]);
    assert_eq!(outcome(&story, approve.0, approve.1), "ORDER_APPROVED", "nobody says who acts");
    assert_eq!(outcome(&story.clone().by("u1", false), approve.0, approve.1), "ORDER_APPROVED");
    assert_eq!(outcome(&story.clone().by("boss", true), approve.0, approve.1), "ORDER_APPROVED");
    let mut other = story.clone().by("u2", false);
    for (kind, data) in &COMMANDS[..7] {
        assert_eq!(outcome(&other, kind, data), "order-not-found");
    }
    let taken = other.when(own.0, &own.1.replace("u1", "u2")).unwrap_err();
    assert_eq!((&*taken.code, told(&taken, "status")), ("invalid-transition", "-".to_owned()), "of another's order nothing is told");
    let none = Story::default();
    assert_eq!(outcome(&none.clone().by("u1", false), own.0, own.1), "ORDER_CREATED");
    assert_eq!(outcome(&none.clone().by("u2", false), own.0, own.1), "forbidden");
    assert_eq!(outcome(&none.by("boss", true), own.0, own.1), "ORDER_CREATED");
}

#[test]
fn an_order_may_have_to_be_paid_before_it_is_approved() {
    let mut story = Story::given(&[A]);
    story.aggregate.settings.approve_only_when_paid = true;
    let rejection = story.when("APPROVE_ORDER", "{}").unwrap_err();
    assert_eq!(told(&rejection, "allowed"), r#"["reject","cancel","address","payments"]"#);
    story.other_writes("PAYMENT_COMPLETED", PAID, Numbered::Not);
    assert_eq!(outcome(&story, "APPROVE_ORDER", "{}"), "ORDER_APPROVED");
}

#[test]
fn an_order_without_a_currency_has_the_one_that_is_configured_then() {
    let bare = CREATE.replace(r#""currency":"EUR","#, "");
    for (data, expected) in [(CREATE, "EUR"), (&*bare, "USD")] {
        let mut story = Story::default();
        story.aggregate.settings.default_currency = Currency::USD;
        assert_eq!(story.when("CREATE_ORDER", data).unwrap(), ["ORDER_CREATED"]);
        assert_eq!(story.state().currency.as_str(), expected);
        // It stands in the event: another setting later, or elsewhere, makes the same of it.
        let mut elsewhere = Story::default();
        elsewhere.take(story.log[0].clone());
        assert_eq!(elsewhere.state, story.state);
    }
}

#[test]
fn versions_go_on_after_those_of_others() {
    let mut story = Story::default();
    story.other_writes("ORDER_CREATED", CREATED, Numbered::Not);
    story.other_writes("ORDER_ADDRESS_CHANGED", r#"{"shippingAddress":{}}"#, Numbered::Not);
    story.when("APPROVE_ORDER", "{}").unwrap();
    assert_eq!(story.log[2].envelope.version(), Some(3), "after two without versions");
    story.read(r#"{"type":"ORDER_ADDRESS_CHANGED","aggregateId":"o1","version":9,"data":{"shippingAddress":{}}}"#);
    story.when("SHIP_ORDER", SHIP).unwrap();
    assert_eq!(story.log[4].envelope.version(), Some(10), "after a gap");
    let last = u64::MAX;
    story.read(&format!(r#"{{"type":"ORDER_ADDRESS_CHANGED","aggregateId":"o1","version":{last},"data":{{"shippingAddress":{{}}}}}}"#));
    assert_eq!(outcome(&story, "DELIVER_ORDER", "{}"), "invalid-transition", "there is no version left");
}
