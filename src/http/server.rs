//! The accept loop: every connection has bounds, and the end has a deadline.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Routes;
use super::place::{Place, Places};
use super::refusal::Refusals;
use super::service::{ConnectionService, HttpService};
use super::stalling::Stalling;
use crate::metrics::Metrics;

/// The bounds of a server.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Larger bodies are answered with 413.
    pub max_body_bytes: u64,
    /// On more connections than these requests are answered with 429, but for [`OPERATOR_ROUTES`].
    pub max_connections: usize,
    /// A client that has not sent the headers of a request by then is cut; so is an idle one.
    pub header_timeout: Duration,
    /// A body that has not arrived by then is answered with 408.
    pub body_timeout: Duration,
    /// A filter that has no reply by then is answered with 504. The body of a reply may take longer.
    pub handler_timeout: Duration,
    /// A client that takes no bytes for this long is cut.
    pub write_timeout: Duration,
    /// How long requests may go on after the end was asked for.
    pub shutdown_deadline: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        ServerSettings {
            max_body_bytes: 1_048_576,
            max_connections: 1_024,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            handler_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            shutdown_deadline: Duration::from_secs(5),
        }
    }
}

/// The server cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error("cannot listen on {listen} (http.listen): {cause}")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Routes do not fit together.
    #[error("the routes have faults:{}", faults.iter().map(|fault| format!("\n  - {fault}")).collect::<String>())]
    Routes {
        /// All of them.
        faults: Vec<String>,
    },
}

/// Answered on any connection: who watches an instance must not take a full one for a dead one.
pub const OPERATOR_ROUTES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// The time-outs of connections that began over the bound: each takes the place of one that would be told to come again.
const SURPLUS_TIMEOUT: Duration = Duration::from_secs(2);

/// So many connections may wait to be accepted, where the system allows it. Behind the usual 128 the system drops the first packet of further
/// ones, and the client sends it again a second later.
const BACKLOG: u32 = 4_096;

/// Requests with longer headers are answered with 431.
const LARGEST_HEAD_BYTES: usize = 32_768;

/// How long accepting pauses after it failed, for example because there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that has its address, and answers nothing yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: ServerSettings,
}

impl Server {
    /// Takes an address; port 0 takes a free one. Answers the address that it has. To be called within a runtime.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn bind(listen: SocketAddr, settings: ServerSettings) -> Result<(Server, SocketAddr), ServerError> {
        let failed = |cause| ServerError::Bind { listen, cause };
        let listener = listen_on(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok((Server { listener, settings }, address))
    }

    /// Answers requests until `shutdown` is ready; then no new ones, and those under way until the deadline.
    ///
    /// # Errors
    /// When the routes do not fit together; nothing was answered then.
    pub async fn serve(self, routes: Routes, metrics: Metrics, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
        let table = routes.table().map_err(|faults| ServerError::Routes { faults })?;
        let service = HttpService::new(table, metrics, self.settings.clone());
        let (drain, draining) = watch::channel(());
        let mut connections = JoinSet::new();
        let places = Places::new(self.settings.max_connections);
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(ended) = connections.join_next() => log_end(ended),
                (stream, place) = self.accept(&places) => {
                    let settings = if place.is_surplus() { self.settings.surplus() } else { self.settings.clone() };
                    let is_kept = place.is_kept();
                    connections.spawn(connection(stream, service.of_connection(place), is_kept, settings, draining.clone()));
                }
            }
        }
        let deadline = self.settings.shutdown_deadline;
        drop((self.listener, drain));
        let ends = async {
            while let Some(ended) = connections.join_next().await {
                log_end(ended);
            }
        };
        if tokio::time::timeout(deadline, ends).await.is_err() {
            tracing::warn!(connections = connections.len(), ?deadline, "requests still under way are cut");
            connections.shutdown().await;
        }
        Ok(())
    }

    /// The next connection, once there is room for it.
    async fn accept(&self, places: &Places) -> (TcpStream, Place) {
        // Before a connection is there: as long as there is no room for it, it waits outside.
        let place = places.free().await;
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return (stream, place),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of the process before this one may still be winding down.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl ServerSettings {
    /// For a connection over the bound.
    fn surplus(&self) -> Self {
        let short = |timeout: Duration| timeout.min(SURPLUS_TIMEOUT);
        ServerSettings { header_timeout: short(self.header_timeout), write_timeout: short(self.write_timeout), ..self.clone() }
    }
}

/// One connection from its first request to its last.
async fn connection(
    stream: TcpStream,
    service: ConnectionService,
    is_kept: bool,
    settings: ServerSettings,
    mut draining: watch::Receiver<()>,
) {
    // Answers are written whole; there is nothing to gather.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Refusals::new(Stalling::new(stream, settings.write_timeout)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(settings.header_timeout).max_header_size(LARGEST_HEAD_BYTES).keep_alive(is_kept);
    let mut serving = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        // Nothing is ever sent: it ends when the server drops its side.
        _ = draining.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn log_end(ended: Result<(), tokio::task::JoinError>) {
    match ended {
        Err(error) if error.is_panic() => tracing::error!("a connection panicked while its answer was written"),
        _ => {}
    }
}
