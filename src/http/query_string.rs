//! The query string of a request.

use warp::{Filter, Rejection};

use super::Problem;
use super::percent::decode_form;

/// The parameters of a request, decoded, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the text after the `?`; `None` when an escape is broken.
    pub fn parse(text: &str) -> Option<Self> {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode_form(name)?, decode_form(value)?))
        };
        text.split('&').filter(|part| !part.is_empty()).map(pair).collect::<Option<_>>().map(Query)
    }

    /// The value of a parameter; empty when it stands without one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Refuses parameters other than these, and those that are given twice: a mistyped filter must not answer as if it were none.
    ///
    /// # Errors
    /// 400 `validation-failed` that names all of them.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let mut problem = None;
        for (at, (name, _)) in self.0.iter().enumerate() {
            let fault = match known.contains(&name.as_str()) {
                false if known.is_empty() => ("unknown-parameter", "there are no parameters here".to_string()),
                false => ("unknown-parameter", format!("the parameters are {}", known.join(", "))),
                true if self.0[..at].iter().any(|(earlier, _)| earlier == name) => {
                    ("repeated-parameter", "it is given more than once".to_string())
                }
                true => continue,
            };
            let begun = problem.take().unwrap_or_else(|| Problem::validation_failed("the query string has faults"));
            problem = Some(begun.with_error(format!("?{name}"), fault.0, fault.1));
        }
        problem.map_or(Ok(()), Err)
    }
}

/// The parameters of a request.
pub fn query() -> impl Filter<Extract = (Query,), Error = Rejection> + Clone {
    warp::ext::get::<Query>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse("q=a+b%26c&&flag&empty=&q=2").unwrap();
        assert_eq!(query.get("q"), Some("a b&c"));
        assert_eq!((query.get("flag"), query.get("empty"), query.get("none")), (Some(""), Some(""), None));
        assert_eq!(Query::parse("a=%zz"), None);
    }

    #[test]
    fn all_unknown_and_repeated_parameters_are_named_at_once() {
        let query = Query::parse("limit=1&limt=2&limit=3&x").unwrap();
        let problem = query.only(&["limit", "cursor"]).unwrap_err();
        let document: serde_json::Value = serde_json::from_str(&problem.document(None)).unwrap();
        let pointers: Vec<&str> = document["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
        assert_eq!((problem.status(), pointers), (400, vec!["?limt", "?limit", "?x"]));
        Query::parse("cursor=&limit=9").unwrap().only(&["limit", "cursor"]).unwrap();
    }
}
