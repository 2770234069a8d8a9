//! A question to another server, on a connection of its own.

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, ToSocketAddrs};
use warp::http::{Request, StatusCode};

/// Asks one server once; its status, and its body of at most so many bytes. The caller's time ends it.
///
/// # Errors
/// It cannot be reached, does not speak HTTP, or says more.
pub async fn ask(
    server: impl ToSocketAddrs,
    request: Request<Empty<Bytes>>,
    largest: usize,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(TcpStream::connect(server).await?)).await?;
    // Ends with the sender; its error is the answer's too.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    Ok((status, Limited::new(answer.into_body(), largest).collect().await?.to_bytes()))
}
