//! The body of a command, read whole before anything is written: all its faults are told at once.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use viewmill::command::CommandData as _;
use viewmill::http::Problem;
use warp::http::HeaderMap;
use warp::http::header::CONTENT_TYPE;

use super::command_answer::rejection;
use crate::commands::OrderCommand;

/// The type of a refund.
pub const REFUND: &str = "REFUND_PAYMENT";

/// How a route says what is asked.
#[derive(Clone, Debug)]
pub enum Kind {
    /// By itself.
    Fixed(&'static str),
    /// A payment that arrived, or one that failed: that has a `code`.
    Payment,
    /// A refund of this payment.
    Refund(String),
}

/// Reads a command. No body is one without members.
///
/// # Errors
/// 415 for a body that does not say it is JSON; 400 `validation-failed` with all faults, each at its pointer.
pub fn read(kind: &Kind, headers: &HeaderMap, body: &[u8]) -> Result<OrderCommand, Problem> {
    let data: Box<RawValue> = match body {
        [] => RawValue::from_string("{}".to_owned()).expect("it is JSON"),
        _ if !is_json(headers) => {
            return Err(Problem::new(
                415,
                "unsupported-media-type",
                "the body must be application/json, and the header content-type say so",
            ));
        }
        _ => serde_json::from_slice(body).map_err(no_json)?,
    };
    let (type_name, data) = match kind {
        Kind::Fixed(type_name) => (*type_name, data),
        Kind::Payment if has_code(&data) => ("FAIL_PAYMENT", data),
        Kind::Payment => ("RECORD_PAYMENT", data),
        Kind::Refund(payment) => (REFUND, with_payment(&data, payment)?),
    };
    OrderCommand::from_json(type_name, &data).map_err(|fault| rejection(&fault.code, &fault.detail, &fault.data))
}

fn is_json(headers: &HeaderMap) -> bool {
    let essence = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()?.split(';').next()).map(|text| text.trim().to_lowercase());
    essence.is_some_and(|essence| essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")))
}

fn no_json(error: serde_json::Error) -> Problem {
    Problem::validation_failed("the body is no JSON").with_error("", "invalid", format!("is no JSON: {error}"))
}

fn has_code(data: &RawValue) -> bool {
    serde_json::from_str::<BTreeMap<String, IgnoredAny>>(data.get()).is_ok_and(|members| members.contains_key("code"))
}

/// The path's payment becomes the first member: one that the body has too is then there twice, which is a fault.
fn with_payment(data: &RawValue, payment: &str) -> Result<Box<RawValue>, Problem> {
    // Anything else is refused by whoever reads it.
    let Some(rest) = data.get().strip_prefix('{') else { return Ok(data.to_owned()) };
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    let name = serde_json::to_string(payment).map_err(no_json)?;
    RawValue::from_string(format!("{{\"paymentId\":{name}{comma}{rest}")).map_err(no_json)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use warp::http::HeaderValue;

    use super::*;

    fn given(kind: &Kind, content_type: Option<&'static str>, body: &str) -> Result<OrderCommand, Problem> {
        let mut headers = HeaderMap::new();
        content_type.map(|value| headers.insert(CONTENT_TYPE, HeaderValue::from_static(value)));
        read(kind, &headers, body.as_bytes())
    }

    fn of(kind: Kind, body: &str) -> Result<(String, Value), (u16, String)> {
        let command = given(&kind, Some("application/json; charset=utf-8"), body);
        let command = command.map_err(|problem| (problem.status(), problem.detail().to_owned()))?;
        Ok((command.type_name().to_owned(), serde_json::from_str(command.to_json().get()).unwrap()))
    }

    #[test]
    fn a_payment_failed_when_it_has_a_code() {
        let paid = r#"{"paymentId":"p","method":"CARD","amount":5}"#;
        assert_eq!(of(Kind::Payment, paid).unwrap().0, "RECORD_PAYMENT");
        assert_eq!(of(Kind::Payment, r#"{"paymentId":"p","code":"declined"}"#).unwrap().0, "FAIL_PAYMENT");
        let both = of(Kind::Payment, r#"{"paymentId":"p","method":"CARD","amount":5,"code":"declined"}"#).unwrap_err();
        assert_eq!(both, (400, "the command is not valid in 2 places".to_owned()));
        assert_eq!(of(Kind::Payment, "[]").unwrap_err().0, 400);
    }

    #[test]
    fn the_payment_of_a_refund_stands_in_its_path_alone() {
        let refund = |body| of(Kind::Refund("p\"1".to_owned()), body);
        let expected = json!({"paymentId": "p\"1", "amount": 5, "reason": "r"});
        assert_eq!(refund(r#" {"amount":5,"reason":"r"} "#).unwrap().1, expected);
        let twice = refund(r#"{"paymentId":"p\"1","amount":5,"reason":"r"}"#).unwrap_err();
        assert_eq!(twice, (400, "the command is not valid: /paymentId stands there more than once".to_owned()));
        assert_eq!(refund("{ }").unwrap_err(), (400, "the command is not valid in 2 places".to_owned()));
        assert_eq!(refund("7").unwrap_err(), (400, "the command is not valid: must be an object".to_owned()));
    }

    #[test]
    fn a_body_says_that_it_is_json() {
        let approve = Kind::Fixed("APPROVE_ORDER");
        for fits in ["application/json", "Application/JSON", "application/vnd.orders+json;v=1"] {
            given(&approve, Some(fits), "{}").unwrap();
        }
        given(&approve, None, "").unwrap();
        for odd in [None, Some("text/plain"), Some("application/jsonx")] {
            assert_eq!(given(&approve, odd, "{}").unwrap_err().code(), "unsupported-media-type", "{odd:?}");
        }
        for odd in ["{", "nonsense", "{} {}"] {
            assert_eq!(of(approve.clone(), odd).unwrap_err().0, 400, "{odd}");
        }
    }
}
