//! One client's connection: a request is read, answered, and only then the next is read, as in Kafka. So answers are in order, and
//! a client has one request at work at a time.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::frames::{FrameError, Frames};
use super::parts::Parts;
use super::request_memory::RequestMemory;
use crate::broker::handlers::{Answer, Client, Refusal, answer};
use crate::broker::node::Node;
use crate::broker::settings::Limits;
use crate::broker::wire::{Reader, RequestHeader, WireError};

/// Why the broker closed a connection.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("its request cannot be read: {0}")]
    Frame(#[from] FrameError),
    #[error("its request (API {api_key}, version {version}) is malformed: {error}")]
    Malformed { api_key: i16, version: i16, error: WireError },
    #[error("its request's header is malformed: {0}")]
    Header(WireError),
    #[error("its request (API {api_key}, version {version}) is none that is answered here")]
    Unknown { api_key: i16, version: i16 },
    #[error("its records were refused and it wants no answers (acks=0)")]
    RefusedSilently,
    #[error("it took longer than {0:?} to read a response")]
    Slow(Duration),
}

/// Serves one client until it closes, misbehaves or is idle for long, or the broker stops.
pub async fn serve(
    mut socket: TcpStream,
    peer: SocketAddr,
    node: &Node,
    limits: &Limits,
    memory: &RequestMemory,
    stopping: watch::Receiver<bool>,
) {
    // Small answers go at once; without it nothing else is worse than slower.
    let _ = socket.set_nodelay(true);
    if let Err(closed) = run(&mut socket, peer, node, limits, memory, stopping).await {
        let by_client = matches!(&closed, Closed::Frame(FrameError::Socket(_)));
        if by_client {
            tracing::debug!(%peer, %closed, "a client's connection broke");
        } else {
            tracing::warn!(%peer, %closed, "a client's connection is closed");
        }
    }
}

async fn run(
    socket: &mut TcpStream,
    peer: SocketAddr,
    node: &Node,
    limits: &Limits,
    memory: &RequestMemory,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Closed> {
    let mut frames = Frames::new(limits, memory);
    let broker = node.endpoint(socket.local_addr().map_err(FrameError::Socket)?);
    let mut client = Client { id: String::new(), host: format!("/{}", peer.ip()), broker };
    loop {
        let begun = tokio::select! {
            begun = timeout(limits.idle, frames.begun(socket)) => begun,
            _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
        };
        match begun {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) | Err(_) => return Ok(()),
            Ok(Err(error)) => return Err(FrameError::Socket(error).into()),
        }
        let frame = frames.next(socket).await?;
        let mut reader = Reader::new(frame.bytes);
        let header = RequestHeader::read(&mut reader).map_err(Closed::Header)?;
        if header.client_id.as_deref().unwrap_or_default() != client.id {
            client.id = header.client_id.clone().unwrap_or_default();
        }
        let (api_key, version) = (header.api_key, header.version);
        let answered = answer(node, &client, &header, reader, &mut stopping).await;
        let response = match answered {
            Ok(response) => response,
            Err(Refusal::Stopping) => return Ok(()),
            Err(Refusal::Malformed(error)) => return Err(Closed::Malformed { api_key, version, error }),
            Err(Refusal::Unknown) => return Err(Closed::Unknown { api_key, version }),
            Err(Refusal::Silent) => return Err(Closed::RefusedSilently),
        };
        if let Some(Answer { parts, memory }) = response {
            let written = timeout(limits.transfer, socket.write_all_buf(&mut Parts::from(parts))).await;
            written.map_err(|_| Closed::Slow(limits.transfer))?.map_err(FrameError::Socket)?;
            drop(memory);
        }
        drop(frame.memory);
    }
}
