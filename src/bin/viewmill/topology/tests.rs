//! The data flow on the test driver, and what others depend on byte for byte.

use viewmill::testkit::TopologyTestDriver;
use viewmill::{Desc, KeyCodec};

use super::*;
use crate::money::Sum;

const CREATED: &str = r#"{"type":"ORDER_CREATED","aggregateId":"o-1","version":1,"timestamp":"2026-03-01T09:30:00.250Z","data":{"orderId":"o-1","userId":"u-1","items":[{"productId":"p-1","name":"Tea","price":12.50,"quantity":2}],"totalAmount":25.00,"currency":"EUR","shippingAddress":{"recipient":"R","street":"S","city":"C","postalCode":"1","country":"DE","express":false},"estimatedDelivery":"2026-03-06T09:30:00.250Z"}}"#;
const PAID: &str = r#"{"type":"PAYMENT_COMPLETED","aggregateId":"o-1","version":1,"timestamp":"2026-03-01T09:31:00Z","data":{"orderId":"o-1","paymentId":"pay-1","method":"CARD","amount":"25.00"}}"#;
const CANCELLED: &str =
    r#"{"type":"ORDER_CANCELLED","aggregateId":"o-1","version":2,"timestamp":"2026-03-01T09:32:00Z","data":{"reason":"late"}}"#;

fn sum(amount: &str) -> Sum {
    Sum::from(amount.parse::<crate::money::Money>().unwrap())
}

#[test]
fn an_early_payment_waits_in_a_shell_and_counts_with_its_order() {
    let (mut driver, views) = TopologyTestDriver::new(|b| topology(b, OrderSettings::default())).unwrap();
    driver.pipe("payment-events", "o-1", PAID).unwrap();
    assert!(driver.get(views.orders, "o-1").unwrap().is_shell());
    assert_eq!((driver.rows(views.stats), driver.scan(views.by_created, ())), (vec![], vec![]), "a shell is in no list and no sum");
    driver.pipe("order-events", "o-1", CREATED).unwrap();
    let order = driver.get(views.orders, "o-1").unwrap();
    assert!(!order.is_shell());
    assert_eq!(order.paid_amount, order.total_amount);
    let stats = driver.get(views.stats, Currency::EUR).unwrap();
    assert_eq!((stats.by_status.get(OrderStatus::Created), stats.by_status.total()), (1, 1));
    assert_eq!((stats.gross, stats.paid, stats.refunded), (sum("25"), sum("25"), Sum::default()));
}

#[test]
fn a_cancelled_order_leaves_the_revenue_and_what_was_paid_stays() {
    let (mut driver, views) = TopologyTestDriver::new(|b| topology(b, OrderSettings::default())).unwrap();
    for (topic, event) in [("order-events", CREATED), ("payment-events", PAID), ("order-events", CANCELLED), ("order-events", CANCELLED)] {
        driver.pipe(topic, "o-1", event).unwrap();
    }
    let stats = driver.get(views.stats, Currency::EUR).unwrap();
    assert_eq!((stats.by_status.get(OrderStatus::Cancelled), stats.by_status.total()), (1, 1));
    assert_eq!((stats.gross, stats.paid, stats.net().unwrap()), (Sum::default(), sum("25"), sum("25")));
    assert!(driver.scan(views.by_status, OrderStatus::Created).is_empty());
    assert_eq!(driver.scan(views.by_status, OrderStatus::Cancelled).len(), 1);
}

#[test]
fn a_row_notes_where_its_events_stand_and_a_rebuild_notes_the_same() {
    let (mut driver, views) = TopologyTestDriver::new(|b| topology(b, OrderSettings::default())).unwrap();
    let other = CREATED.replace("o-1", "o-2");
    for (topic, key, event) in [
        ("payment-events", "o-1", PAID),
        ("order-events", "o-2", &*other),
        ("order-events", "o-1", CREATED),
        ("order-events", "o-1", CREATED),
        ("payment-events", "o-1", PAID),
        ("order-events", "o-1", CANCELLED),
    ] {
        driver.pipe(topic, key, event).unwrap();
    }
    let places = driver.get(views.orders, "o-1").unwrap().places;
    let of = Axis::ALL.map(|axis| places.of(axis).into_iter().map(|offset| offset.0).collect::<Vec<_>>());
    assert_eq!((of, places.is_cut()), ([vec![1, 3], vec![0], vec![]], false), "what was dropped is not noted");
    assert_eq!(driver.replayed(views.orders), driver.rows(views.orders));
}

#[test]
fn an_event_under_another_orders_key_is_rejected() {
    let (mut driver, views) = TopologyTestDriver::new(|b| topology(b, OrderSettings::default())).unwrap();
    let error = driver.pipe("order-events", "o-2", CREATED).unwrap_err();
    assert!(error.to_string().contains(r#"misplaced: the key is "o-2", the aggregateId "o-1""#), "{error}");
    assert!(driver.get(views.orders, "o-2").is_none());
}

/// Index rows lie on disks: a change here needs another name for the index.
#[test]
fn index_keys_have_these_bytes() {
    let hex = |key: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        key(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let at = Desc(1_772_325_000_250_i64);
    let by_status = OrderStatus::ALL.map(|status| hex(&|out| (status, at).encode_key(out)));
    assert_eq!(
        by_status,
        [
            "017ffffe635932abc5",
            "027ffffe635932abc5",
            "037ffffe635932abc5",
            "047ffffe635932abc5",
            "057ffffe635932abc5",
            "067ffffe635932abc5"
        ]
    );
    assert_eq!(hex(&|out| at.encode_key(out)), "7ffffe635932abc5");
    assert_eq!(hex(&|out| Currency::KRW.encode_key(out)), "4b5257");
    assert_eq!(hex(&|out| OrderId::from("o-1").encode_key(out)), "6f2d310000");
}

#[test]
fn the_data_flow_is_this() {
    let (driver, _) = TopologyTestDriver::new(|b| topology(b, OrderSettings::default())).unwrap();
    assert_eq!(
        driver.describe(),
        "\
Topology
  Sub-topology: events
    Source: events (topics: order-events, payment-events, shipping-events)
      --> orders, order-settle (events)
    Source: commands (topics: order-commands)
      --> order-decide (commands)
    Processor: orders (stores: [orders])
      --> order-stats (order-changes)
      <-- events
    Processor: order-stats (stores: [order-stats])
      --> none
      <-- order-changes
    Processor: order-settle (stores: [order-unread])
      --> none
      <-- events
    Processor: order-decide (stores: [orders, order-unread, commands-seen, commands-seen-count])
      every 1000 ms of stream time
      --> by-topic (order-new-events), command-results (order-outcomes)
      <-- commands
    Processor: by-topic (stores: [])
      --> order-events (new-order-events), payment-events (new-payment-events)
      <-- order-new-events
    Sink: order-events (topic: order-events)
      <-- new-order-events
    Sink: payment-events (topic: payment-events)
      <-- new-payment-events
    Sink: command-results (topic: command-results)
      <-- order-outcomes
  Sub-topology: results
    Source: results (topics: command-results)
      --> commands (results)
    Processor: commands (stores: [commands])
      every 1000 ms of stream time
      --> none
      <-- results
"
    );
}
