//! What is answered of a history.

use serde_json::{Value, json};
use viewmill::ports::LogRecord;
use viewmill::query::FoundRecords;
use viewmill::record::TopicPartition;
use viewmill::{Headers, Offset, Timestamp};

use super::*;
use crate::events::{Axis, Event};
use crate::views::orders::fold;

const CREATED: &str = r#"{"eventId":"e1","type":"ORDER_CREATED","aggregateId":"o-1","version":1,"timestamp":"2026-03-01T09:30:00.250+09:00","correlationId":"x","causationId":"c1","commandId":"c1","actor":{"id":"kim"},"data":{"orderId":"o-1","userId":"u","items":[],"totalAmount":269.10}}"#;
const PAID: &str =
    r#"{"type":"PAYMENT_COMPLETED","aggregateId":"o-1","data":{"paymentId":"p","amount":12345678901234567.10, "odd" : 1.0e2}}"#;
const APPROVED: &str = r#"{"type":"ORDER_APPROVED","aggregateId":"o-1","version":2,"timestamp":"2026-03-01T00:30:00.250Z"}"#;

fn history() -> (Order, History) {
    let (mut row, mut found) = (None, Vec::new());
    for (topic, offset, json) in [("order-events", 117, CREATED), ("payment-events", 3, PAID), ("order-events", 118, APPROVED)] {
        let event = Event::from_json(json.as_bytes()).unwrap();
        assert!(fold(&mut row, &event, 1_772_325_000_250).changed_row());
        row.as_mut().unwrap().places.note(event.axis(), Offset(offset));
        let record = LogRecord {
            offset: Offset(offset),
            key: Some(b"o-1".to_vec()),
            value: Some(json.as_bytes().to_vec()),
            timestamp: Timestamp(1_772_325_000_250),
            headers: Headers::default(),
        };
        found.push(FoundRecords { partition: TopicPartition::new(format!("p-{topic}"), 2), records: vec![record], gone: Vec::new() });
    }
    let row = row.unwrap();
    let history = History::new("o-1", &row, found);
    (row, history)
}

fn list(query: &str) -> Result<String, Problem> {
    let Asked::Events(page) = Asked::of(&Query::parse(query).unwrap())? else { panic!("{query} is a list") };
    Ok(serde_json::to_string(&EventList::of(&"o-1".into(), &history().1, &page)?).unwrap())
}

#[test]
fn events_are_told_as_they_stand_in_the_log() {
    let expected = concat!(
        r#"{"orderId":"o-1","events":["#,
        r#"{"topic":"p-order-events","partition":2,"offset":117,"version":1,"eventId":"e1","type":"ORDER_CREATED","#,
        r#""timestamp":"2026-03-01T00:30:00.250Z","actor":{"id":"kim"},"commandId":"c1","correlationId":"x","causationId":"c1","#,
        r#""data":{"orderId":"o-1","userId":"u","items":[],"totalAmount":269.10}},"#,
        r#"{"topic":"p-order-events","partition":2,"offset":118,"version":2,"eventId":null,"type":"ORDER_APPROVED","#,
        r#""timestamp":"2026-03-01T00:30:00.250Z","actor":null,"commandId":null,"correlationId":null,"causationId":null,"data":null},"#,
        r#"{"topic":"p-payment-events","partition":2,"offset":3,"version":null,"eventId":null,"type":"PAYMENT_COMPLETED","#,
        r#""timestamp":"2026-03-01T00:30:00.250Z","actor":null,"commandId":null,"correlationId":null,"causationId":null,"#,
        r#""data":{"paymentId":"p","amount":12345678901234567.10, "odd" : 1.0e2}}],"#,
        r#""total":3,"truncated":false,"limit":50,"nextCursor":null}"#
    );
    assert_eq!(list("").unwrap(), expected);
}

#[test]
fn pages_follow_each_other_to_the_end() {
    let (mut types, mut cursor) = (Vec::new(), String::new());
    for last in [false, false, true] {
        let page: Value = serde_json::from_str(&list(&format!("limit=1{cursor}")).unwrap()).unwrap();
        assert_eq!((&page["total"], &page["limit"], page["nextCursor"].is_null()), (&json!(3), &json!(1), last), "{page}");
        types.push(page["events"][0]["type"].as_str().unwrap().to_owned());
        cursor = format!("&cursor={}", page["nextCursor"].as_str().unwrap_or_default());
    }
    assert_eq!(types, ["ORDER_CREATED", "ORDER_APPROVED", "PAYMENT_COMPLETED"], "of one moment in the order of the topics");
}

#[test]
fn what_is_wrong_with_the_parameters_is_told() {
    for query in ["limit=0", "limit=501", "limit=x", "cursor=AQuuHqrLjeMsAAAAA2Fi", "cursor=x", "asof=1", "limit=1&limit=2"] {
        let problem = list(query).unwrap_err();
        assert_eq!((problem.status(), problem.code()), (400, "validation-failed"), "{query}");
    }
    for query in ["asOf=", "asOf=0", "asOf=yesterday", "asOf=2026-03-01T09:30:00+09:00", "asOf=1&limit=2", "asOf=1&cursor=x"] {
        let problem = Asked::of(&Query::parse(query).unwrap()).unwrap_err();
        assert_eq!((problem.status(), problem.code()), (400, "validation-failed"), "{query}");
    }
    let query = Query::parse("asOf=2026-03-01T09:30:00%2B09:00").unwrap();
    assert!(matches!(Asked::of(&query), Ok(Asked::AsOf(AsOf::Time(1_772_325_000_000)))));
}

#[test]
fn an_order_that_was_not_has_no_answer() {
    let (row, mut history) = history();
    let told = |history: &History, moment| {
        as_of(&"o-1".into(), history, &row, moment)
            .map(|order| order.status.name())
            .map_err(|problem| (problem.status(), problem.code().to_owned()))
    };
    assert_eq!(told(&history, AsOf::Version(2)), Ok("APPROVED"));
    assert_eq!(told(&history, AsOf::Version(1)), Ok("CREATED"));
    assert_eq!(told(&history, AsOf::Version(3)), Err((404, "version-not-found".to_owned())));
    assert_eq!(told(&history, AsOf::Time(1_772_325_000_249)), Err((404, "order-not-found".to_owned())));
    let gone = FoundRecords { partition: TopicPartition::new("order-events", 2), records: Vec::new(), gone: vec![Offset(117)] };
    history = History::new("o-1", &row, vec![gone]);
    assert_eq!(told(&history, AsOf::Version(2)), Err((422, "history-truncated".to_owned())));
    assert_eq!(row.places.of(Axis::Order), [Offset(117), Offset(118)]);
}
