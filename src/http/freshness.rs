//! How fresh an answer is: the headers that every read carries.

use warp::Reply;
use warp::http::HeaderValue;
use warp::reply::Response;

use crate::query::Answer;

/// Adds `View-Position`, `View-Lag-Seconds` (left out when unknown), `Served-By`, `Served-From`, and `View-Stale` to an answer that
/// does not show what the request asked for.
pub fn with_freshness<T>(reply: impl Reply, answer: &Answer<T>) -> Response {
    let mut response = reply.into_response();
    let lag = answer.lag.map(|lag| format!("{:.3}", lag.as_secs_f64()));
    let headers = [
        ("view-position", Some(answer.position.to_string())),
        ("view-lag-seconds", lag),
        ("served-by", Some(answer.served_by.0.to_string())),
        ("served-from", Some(answer.served_from.as_str().to_string())),
        ("view-stale", answer.stale.then(|| "true".to_string())),
    ];
    for (name, value) in headers {
        // Names of topics and instances have no character that a header cannot hold.
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::query::{InstanceId, Role};
    use crate::record::{Offset, Position, TopicPartition};

    #[test]
    fn a_read_tells_how_fresh_it_is() {
        let mut answer = Answer {
            value: (),
            position: Position([(TopicPartition::new("a", 1), Offset(7)), (TopicPartition::new("b", 0), Offset(0))].into()),
            lag: Some(Duration::from_micros(1_234_567)),
            served_by: InstanceId("i-1".into()),
            served_from: Role::Active,
            stale: false,
        };
        let header = |response: &Response, name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_string());
        let response = with_freshness("x", &answer);
        assert_eq!(header(&response, "View-Position").as_deref(), Some("a:1=7,b:0=0"));
        assert_eq!(header(&response, "View-Lag-Seconds").as_deref(), Some("1.235"));
        assert_eq!(header(&response, "Served-By").as_deref(), Some("i-1"));
        assert_eq!(header(&response, "Served-From").as_deref(), Some("active"));
        assert_eq!(header(&response, "View-Stale"), None);
        (answer.lag, answer.stale) = (None, true);
        let response = with_freshness("x", &answer);
        assert_eq!((header(&response, "View-Lag-Seconds"), header(&response, "View-Stale").as_deref()), (None, Some("true")));
    }
}
