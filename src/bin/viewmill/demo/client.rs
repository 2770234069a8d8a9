//! Questions to the instance, as curl would ask them.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

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
        let stream = TcpStream::connect(&self.authority).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; its error is the answer's too.
        tokio::spawn(connection);
        let request = Request::get(path).header(hyper::header::HOST, &self.authority).body(Empty::<Bytes>::new())?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        let body = String::from_utf8(body.to_vec())?;
        ensure!(status == hyper::StatusCode::OK, "{status} {body}");
        Ok(body)
    }
}
