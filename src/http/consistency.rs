//! How fresh an answer must be: the header `Consistency-Token`, how long it may be waited for, and what becomes of it then.
//!
//! ```text
//!  Consistency-Token: ASkBH1…     of a write, or several with commas between: the answer shows them
//!  Prefer: wait=2                 at most two seconds, and at most what the instance allows (http.max_wait_ms)
//!  ?stale=allow                   then an answer marked View-Stale: true, instead of 503 view-not-caught-up
//! ```

use std::time::Duration;

use warp::http::HeaderMap;
use warp::{Filter, Rejection};

use super::{Problem, Query, header_fault, query};
use crate::query::{After, ConsistencyToken, Read, Scope, Views};

/// The header with what a write answered.
const TOKEN: &str = "consistency-token";

/// What a request asks of the freshness of its answer; see [`consistency`].
#[derive(Clone, Debug, Default)]
pub struct Consistency {
    /// As they came; `None`: a header is no text.
    tokens: Option<Vec<String>>,
    wait: Option<Duration>,
    stale: Option<String>,
}

/// Reads it from a request. Every route that reads views should use it, and name [`Consistency::PARAMETER`] among its parameters.
///
/// ```
/// # use viewmill::http::{Consistency, Problem, consistency, param, with_freshness};
/// # use viewmill::{Scope, Store, Views};
/// # use warp::Filter as _;
/// # fn route(views: Views, counts: Store<String, u64>) -> impl warp::Filter {
/// param("word").and(consistency()).and_then(move |word: String, wanted: Consistency| {
///     let views = views.clone();
///     async move {
///         let read = wanted.read(&views, Scope::All)?;
///         let answer = views.get(counts, &word, &read).await.map_err(Problem::from)?;
///         Ok::<_, warp::Rejection>(with_freshness(warp::reply::json(&answer.value), &answer))
///     }
/// })
/// # }
/// ```
pub fn consistency() -> impl Filter<Extract = (Consistency,), Error = Rejection> + Clone {
    warp::header::headers_cloned().and(query()).map(|headers: HeaderMap, query: Query| Consistency::of(&headers, &query))
}

impl Consistency {
    /// The query parameter that allows stale answers.
    pub const PARAMETER: &str = "stale";

    fn of(headers: &HeaderMap, query: &Query) -> Self {
        let lines = headers.get_all(TOKEN).iter().map(|value| value.to_str().ok().map(|text| text.split(',')));
        let tokens: Option<Vec<_>> = lines.collect();
        let tokens = tokens.map(|lines| lines.into_iter().flatten().map(|token| token.trim().to_string()).collect());
        Consistency { tokens, wait: prefer_wait(headers), stale: query.get(Self::PARAMETER).map(String::from) }
    }

    /// How views are to be read.
    ///
    /// # Errors
    /// 400 `validation-failed` for what is no token of this application, and for another word than `stale=allow`; 503 while the instance
    /// has not joined and cannot know.
    pub fn read(&self, views: &Views, scope: Scope) -> Result<Read, Problem> {
        let takes_stale = match self.stale.as_deref() {
            None => false,
            Some("allow") => true,
            Some(_) => {
                let problem = Problem::validation_failed("the query string has faults");
                return Err(problem.with_error("?stale", "invalid-value", "must be allow, or be left out"));
            }
        };
        let Some(token) = self.token(views)? else { return Ok(Read { scope, after: None }) };
        let mut after = After::new(token).at_most(self.wait.unwrap_or(Duration::MAX).min(views.max_wait()));
        if takes_stale {
            after = after.or_stale();
        }
        Ok(Read { scope, after: Some(after) })
    }

    fn token(&self, views: &Views) -> Result<Option<ConsistencyToken>, Problem> {
        let tokens = self.tokens.as_ref().ok_or_else(|| no_token("the consistency token is no text".to_string()))?;
        let mut all: Option<ConsistencyToken> = None;
        for text in tokens {
            let token = views.token(text)?;
            match &mut all {
                Some(all) => all.include(&token),
                None => all = Some(token),
            }
        }
        Ok(all)
    }
}

/// 400: the header holds no token of this application.
pub(super) fn no_token(detail: String) -> Problem {
    header_fault("Consistency-Token", detail)
}

/// `Prefer: wait=N` (RFC 7240): so many seconds at most. What cannot be read is no preference.
pub fn prefer_wait(headers: &HeaderMap) -> Option<Duration> {
    let mut valued = preferences(headers).filter_map(|preference| preference.split_once('='));
    let wait = valued.find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))?.1.trim().trim_matches('"').parse::<u32>();
    wait.ok().map(|seconds| Duration::from_secs(seconds.into()))
}

/// Whether `Prefer` names this, such as `respond-async`.
pub fn prefers(headers: &HeaderMap, name: &str) -> bool {
    preferences(headers).any(|preference| preference.trim().eq_ignore_ascii_case(name))
}

/// Without their parameters.
fn preferences(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).filter_map(|preference| preference.split(';').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_among_other_preferences() {
        let wait = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            lines.iter().for_each(|line| _ = headers.append("prefer", line.parse().unwrap()));
            prefer_wait(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&["wait=3"]), Some(3));
        assert_eq!(wait(&["respond-async", "handling=lenient, Wait = \"7\"; foo"]), Some(7));
        for odd in ["wait", "wait=", "wait=-1", "wait=1.5", "wait=99999999999"] {
            assert_eq!(wait(&[odd]), None, "{odd}");
        }
        let headers =
            HeaderMap::from_iter([(warp::http::header::HeaderName::from_static("prefer"), "wait=1, Respond-Async".parse().unwrap())]);
        assert!(prefers(&headers, "respond-async") && !prefers(&headers, "respond"));
    }
}
