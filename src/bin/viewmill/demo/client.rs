//! Questions to the instance, as curl would ask them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use viewmill::http::ask;

/// One question.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const LARGEST_ANSWER: usize = 8 << 20;

/// Asks one instance, with a connection for each question.
pub struct Client {
    authority: String,
}

impl Client {
    /// Of `http://host:port`.
    pub fn new(url: &str) -> anyhow::Result<Client> {
        let authority = url.strip_prefix("http://").with_context(|| format!("{url} is not an http address"))?;
        Ok(Client { authority: authority.to_string() })
    }

    /// The body of a 200.
    pub async fn get(&self, path: &str) -> anyhow::Result<String> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.ask(path)).await;
        answer.with_context(|| format!("{path}: no answer within {ANSWER_WITHIN:?}"))?.with_context(|| path.to_string())
    }

    async fn ask(&self, path: &str) -> anyhow::Result<String> {
        let request = Request::get(path).header(HOST, &self.authority).body(Empty::<Bytes>::new())?;
        let (status, body) = ask(&self.authority, request, LARGEST_ANSWER).await.map_err(|error| anyhow::anyhow!(error))?;
        let body = String::from_utf8(body.to_vec())?;
        ensure!(status == StatusCode::OK, "{status} {body}");
        Ok(body)
    }
}
