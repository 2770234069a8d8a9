//! A server under test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::SystemClock;
use crate::http::{Routes, Server, ServerSettings};
use crate::metrics::{Metrics, Versions};

/// Metrics that tell of nothing yet.
pub fn no_metrics() -> Metrics {
    Metrics::new(Versions { librdkafka: "0", rocksdb: "0" }, Arc::new(SystemClock::default()))
}

/// Short time-outs, small bounds.
pub fn quick() -> ServerSettings {
    ServerSettings {
        max_body_bytes: 100,
        max_connections: 64,
        header_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        handler_timeout: Duration::from_secs(5),
        write_timeout: Duration::from_millis(300),
        shutdown_deadline: Duration::from_millis(500),
    }
}

pub struct Running {
    pub address: SocketAddr,
    pub metrics: Metrics,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Running {
    pub async fn start(routes: Routes, settings: ServerSettings) -> Self {
        Self::with_metrics(routes, settings, no_metrics()).await
    }

    pub async fn with_metrics(routes: Routes, settings: ServerSettings, metrics: Metrics) -> Self {
        let (server, address) = Server::bind("127.0.0.1:0".parse().unwrap(), settings).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let counted = metrics.clone();
        let served = tokio::spawn(async move {
            let shutdown = async move { drop(stopped.await) };
            server.serve(routes, counted, shutdown).await.unwrap();
        });
        Running { address, metrics, stop, served }
    }

    /// Asks for the end; the answer is ready when the server has ended.
    pub fn stop(self) -> JoinHandle<()> {
        drop(self.stop);
        self.served
    }

    /// The lines of one metric, without its histogram's buckets.
    pub fn series(&self, name: &str) -> Vec<String> {
        let text = self.metrics.render();
        let lines = text.lines().filter(|line| line.starts_with(name) && !line.contains("_bucket"));
        lines.map(String::from).collect()
    }
}
