//! Which status each outcome has, and what stands in the answer.

use serde_json::json;
use viewmill::Timestamp;

use super::*;

fn asked(creates: bool) -> Asked {
    Asked { order_id: "o-1".into(), command_id: "c-1".into(), creates, is_async: true }
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn each_rejection_has_its_status() {
    for (code, status) in [
        ("validation-failed", 400),
        ("forbidden", 403),
        ("order-not-found", 404),
        ("invalid-transition", 409),
        ("version-mismatch", 412),
        ("idempotency-key-reused", 422),
        ("overloaded", 429),
        ("outcome-lost", 503),
        ("deadline-exceeded", 504),
    ] {
        let problem = rejection(code, "why", &Members::new());
        assert_eq!((problem.status(), problem.code(), problem.detail()), (status, code, "why"));
    }
}

#[test]
fn a_rejection_tells_all_that_is_known() {
    let mut data = Members::new();
    data.set("status", "SHIPPED");
    data.set("allowed", &["deliver"]);
    data.set("errors", &json!([{"pointer": "/a", "code": "required", "detail": "is required"}]));
    data.set("due", &*RawValue::from_string("12345678901234567.10".to_owned()).unwrap());
    let response = warp::Reply::into_response(rejection("invalid-transition", "no", &data));
    let body = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(body_of(response));
    for part in [
        r#""status":409,"#,
        r#""errors":[{"pointer":"/a","code":"required","detail":"is required"}]"#,
        r#""currentStatus":"SHIPPED","allowed":["deliver"],"due":12345678901234567.10}"#,
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
}

async fn body_of(response: Response) -> String {
    use http_body_util::BodyExt as _;
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[test]
fn each_reason_for_which_nothing_was_sent_has_its_status() {
    for (reason, status, code) in [
        (NotSent::NotReady, 503, "not-ready"),
        (NotSent::Overloaded { waiting: 7 }, 429, "overloaded"),
        (NotSent::TooLarge("no".into()), 413, "body-too-large"),
        (NotSent::Faulty("no".into()), 500, "internal-error"),
        (NotSent::Unconfirmed("no".into()), 503, "unconfirmed"),
    ] {
        let problem = not_sent(reason);
        assert_eq!((problem.status(), problem.code()), (status, code));
    }
    assert!(not_sent(NotSent::Unconfirmed("no".into())).detail().contains("the same Idempotency-Key"));
}

#[test]
fn an_outcome_loses_its_entity_tag_to_the_header() {
    let mut outcome = Outcome::pending("c-1", "o-1", Timestamp(0));
    for (name, value) in [("orderId", json!("o-1")), ("status", json!("CREATED")), ("etag", json!("\"1-0-0\"")), ("version", json!(1))] {
        outcome.data.set(name, &value);
    }
    outcome.data.set("totalAmount", &*RawValue::from_string("12345678901234567.10".to_owned()).unwrap());
    let response = succeeded(&outcome, &asked(true)).unwrap();
    assert_eq!(
        (response.status().as_u16(), header(&response, "location"), header(&response, "etag")),
        (201, Some("/api/orders/o-1"), Some("\"1-0-0\""))
    );
    assert_eq!(header(&response, "idempotency-replayed"), None);
    outcome.replayed = true;
    let response = succeeded(&outcome, &asked(false)).unwrap();
    assert_eq!(
        (response.status().as_u16(), header(&response, "location"), header(&response, "idempotency-replayed")),
        (200, None, Some("true"))
    );
}

#[test]
fn a_command_that_waits_says_where_its_outcome_will_be() {
    let response = pending(&asked(true)).unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(header(&response, "location"), Some("/api/commands/c-1"));
    assert_eq!(header(&response, "preference-applied"), Some("respond-async"));
}
