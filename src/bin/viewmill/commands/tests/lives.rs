//! Random lives of an order: whatever is commanded, and whatever others write in between, no rule is broken.

use proptest::prelude::*;

use super::*;
use crate::views::orders::{Applied, fold};

/// Something that happens to an order.
#[derive(Clone, Debug)]
enum Happening {
    /// Somebody commands; `DUE` in the data stands for what is due.
    Command(&'static str, String),
    /// Another service writes.
    Other(&'static str, &'static str, Numbered),
    /// The log is read on, by up to so many events.
    ReadOn(usize),
}

fn ours() -> impl Strategy<Value = Happening> {
    let plain = prop::sample::select(vec![
        ("CREATE_ORDER", CREATE),
        ("CREATE_ORDER", CREATE),
        ("APPROVE_ORDER", "{}"),
        ("APPROVE_ORDER", "{}"),
        ("REJECT_ORDER", r#"{"reason":"r"}"#),
        ("CANCEL_ORDER", r#"{"reason":"r"}"#),
        ("SHIP_ORDER", SHIP),
        ("SHIP_ORDER", r#"{"carrier":"CJ","trackingNumber":"6002"}"#),
        ("DELIVER_ORDER", "{}"),
        ("CHANGE_SHIPPING_ADDRESS", r#"{"shippingAddress":{"recipient":"R","street":"S","city":"C","postalCode":"1","country":"DE"}}"#),
    ]);
    prop_oneof![
        5 => plain.prop_map(|(kind, data)| Happening::Command(kind, data.to_owned())),
        2 => (0..3_u32, prop_oneof![4 => Just("DUE"), 1 => Just("1.5")]).prop_map(|(id, amount)|
            Happening::Command("RECORD_PAYMENT", format!(r#"{{"paymentId":"{id}","method":"M","amount":{amount}}}"#))),
        1 => (0..3_u32).prop_map(|id| Happening::Command("FAIL_PAYMENT", format!(r#"{{"paymentId":"{id}","code":"C"}}"#))),
        2 => (0..3_u32, 0..4_u32, 1..2_000_u32).prop_map(|(id, refund, cents)| Happening::Command("REFUND_PAYMENT",
            format!(r#"{{"paymentId":"{id}","refundId":"{refund}","amount":{}.{:02},"reason":"r"}}"#, cents / 100, cents % 100))),
    ]
}

fn numbered() -> impl Strategy<Value = Numbered> {
    prop_oneof![2 => Just(Numbered::Not), 4 => Just(Numbered::Next), 1 => (1..4_u64).prop_map(Numbered::Ahead), 2 => Just(Numbered::Late)]
}

fn parcels() -> impl Strategy<Value = Happening> {
    let kinds =
        vec!["SHIPMENT_CREATED", "SHIPMENT_IN_TRANSIT", "SHIPMENT_OUT_FOR_DELIVERY", "SHIPMENT_DELIVERED", "SHIPMENT_DELIVERY_FAILED"];
    (prop::sample::select(kinds), numbered()).prop_map(|(kind, numbered)| Happening::Other(kind, "{}", numbered))
}

fn others() -> impl Strategy<Value = Happening> {
    let decisions = prop::sample::select(vec![
        ("ORDER_CREATED", CREATED),
        ("ORDER_APPROVED", "{}"),
        ("ORDER_REJECTED", "{}"),
        ("ORDER_CANCELLED", "{}"),
        ("ORDER_SHIPPED", SHIP),
        ("ORDER_SHIPPED", "{}"),
        ("ORDER_DELIVERED", "{}"),
        ("ORDER_ADDRESS_CHANGED", r#"{"shippingAddress":{}}"#),
        ("PAYMENT_FAILED", r#"{"paymentId":"0"}"#),
        ("PAYMENT_COMPLETED", r#"{"paymentId":"0","amount":0}"#),
        ("PAYMENT_COMPLETED", r#"{"paymentId":"1","amount":10}"#),
        ("PAYMENT_REFUNDED", r#"{"paymentId":"1","refundId":"1","amount":5}"#),
        ("PAYMENT_REFUNDED", r#"{"paymentId":"1","refundId":"2","amount":30}"#),
    ]);
    let decision = (decisions, numbered()).prop_map(|((kind, data), numbered)| Happening::Other(kind, data, numbered));
    prop_oneof![3 => decision, 1 => parcels()]
}

fn life(happening: impl Strategy<Value = Happening>) -> impl Strategy<Value = Vec<Happening>> {
    prop::collection::vec(happening, 0..30)
}

/// Commands and what others write, which is read at once. And how long the log was after each.
fn live(happenings: &[Happening]) -> (Story, Vec<usize>) {
    let mut story = Story::default();
    let mut lengths = Vec::new();
    for happening in happenings {
        match happening {
            Happening::Command(kind, data) => {
                let due = story.state.as_ref().map_or("1".to_owned(), |state| state.total_amount.to_string());
                let log = story.log.len();
                let written = story.when(kind, &data.replace("DUE", &due)).map_or(0, |types| types.len());
                assert_eq!(story.log.len(), log + written, "a rejection is no event");
            }
            Happening::Other(kind, data, numbered) => story.other_writes(kind, data, *numbered),
            Happening::ReadOn(_) => {}
        }
        lengths.push(story.log.len());
    }
    (story, lengths)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn our_own_events_count_up_and_never_break_a_rule(happenings in life(ours())) {
        let (story, _) = live(&happenings);
        let mut row = None;
        for event in &story.log {
            prop_assert_eq!(fold(&mut row, event, 0), Applied::InOrder, "no version is missing, none comes twice");
        }
        if let Some(state) = &story.state {
            prop_assert!(state.refunded_amount <= state.paid_amount && state.paid_amount <= state.total_amount);
        }
        // The log alone, read again from its start, twice.
        let mut state = None;
        for event in story.log.iter().chain(&story.log) {
            OrderAggregate::default().evolve(&mut state, event, Timestamp(0)).unwrap();
        }
        prop_assert_eq!(state, story.state);
    }

    #[test]
    fn whatever_others_write_in_between_commands_are_answered(happenings in life(prop_oneof![ours(), others()])) {
        live(&happenings);
    }

    #[test]
    fn how_far_the_log_has_been_read_does_not_matter(happenings in life(prop_oneof![4 => ours(), 2 => parcels(), 1 => (1..5_usize).prop_map(Happening::ReadOn)])) {
        let (at_once, lengths) = live(&happenings);
        let evolved = |events: &mut dyn Iterator<Item = &Event>| {
            let mut state = None;
            events.for_each(|event| OrderAggregate::default().evolve(&mut state, event, Timestamp(0)).unwrap());
            // A shell is no order to a decision.
            state.filter(|order: &Order| !order.is_shell())
        };
        let mut read = 0;
        for (happening, length) in happenings.iter().zip(lengths) {
            if let Happening::ReadOn(count) = happening {
                read = (read + count).min(length);
            }
            // A decision knows our own events from the moment in which they are decided, those of others when it gets there.
            let (read, unread) = at_once.log[..length].split_at(read);
            let decided_on = evolved(&mut read.iter().chain(unread.iter().filter(|event| event.axis() != Axis::Shipping)));
            prop_assert_eq!(decided_on.map(decided), evolved(&mut at_once.log[..length].iter()).map(decided));
        }
    }
}

/// What our own events decide.
fn decided(order: Order) -> impl PartialEq + std::fmt::Debug {
    let versions = [Axis::Order, Axis::Payment].map(|axis| order.versions(axis).clone());
    (order.status, order.payment_status, order.paid_amount, order.refunded_amount, order.failures, versions)
}
