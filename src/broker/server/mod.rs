//! Connections: accepted up to a bound, served each by a task of its own, ended by a deadline.

mod connection;
mod frames;
mod parts;
mod request_memory;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::request_memory::RequestMemory;
use super::node::Node;
use super::settings::Limits;

/// After an accept that failed, for want of file handles mostly, so long until the next.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Accepts clients until `stopping` says so, then gives their requests at work the time that they may take.
pub async fn serve(listener: TcpListener, node: Arc<Node>, limits: Limits, mut stopping: watch::Receiver<bool>) {
    let limits = Arc::new(limits);
    let memory = Arc::new(RequestMemory::new(limits.requests_bytes, limits.transfer));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        match accepted {
            Ok((_, peer)) if connections.len() >= limits.connections => {
                tracing::warn!(%peer, bound = limits.connections, "a client's connection is refused: there are too many");
            }
            Ok((socket, peer)) => {
                let (node, limits, memory, stopping) = (Arc::clone(&node), Arc::clone(&limits), Arc::clone(&memory), stopping.clone());
                connections.spawn(async move { connection::serve(socket, peer, &node, &limits, &memory, stopping).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a client's connection cannot be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    let ended = timeout(limits.stop, async { while connections.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(left = connections.len(), "requests are still at work when the broker stops; their clients get no answer");
    }
}
