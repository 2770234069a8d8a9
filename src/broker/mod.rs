//! A single-node broker that speaks Kafka's protocol, for machines without Kafka.
//!
//! ```text
//! server/        connections: frames in, frames out, in order; bounds
//! wire/          requests and responses as they travel; nothing of it trusts a length
//! handlers/      one function an API: a decoded request becomes calls on what follows
//! log/           partition logs on disk: segments, indexes, recovery, producers' states, compaction, retention
//! groups/        the group coordinator: members, generations, committed offsets
//! transactions/  the transaction coordinator: producer ids, epochs, open transactions, their ends
//! coordinator/   both at work, behind one lock
//! journal.rs     what the coordinators must not forget
//! ```
//!
//! It knows nothing of the engine, and the engine nothing of it: they meet on the socket.

mod answer_memory;
mod coordinator;
mod error;
mod groups;
mod handlers;
mod journal;
pub mod log;
mod moment;
mod node;
mod server;
mod settings;
mod transactions;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::answer_memory::AnswerMemory;
use self::coordinator::Coordinator;
pub use self::error::BrokerError;
pub use self::log::Fsync;
use self::log::Logs;
use self::node::Node;
pub use self::settings::{BrokerSettings, Limits};

/// Threads that serve clients; calls that wait for the disk get others.
const THREADS: usize = 2;

/// A running broker, on threads of its own. Dropped, it stops at once, which loses nothing that it has acknowledged.
pub struct Broker {
    address: SocketAddr,
    node: Arc<Node>,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
    stop_within: Duration,
    /// Taken when it stops.
    runtime: Option<Runtime>,
}

impl Broker {
    /// Opens what the directory holds, and listens. Returns when clients are served; blocks, so not on an async thread.
    pub fn start(settings: BrokerSettings) -> Result<Broker, BrokerError> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("broker")
            .enable_all()
            .build()
            .map_err(BrokerError::Threads)?;
        // The address first: who cannot listen has no business in the directory.
        let listen = |source| BrokerError::Listen { address: settings.listen, source };
        let listener = runtime.block_on(TcpListener::bind(settings.listen)).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let logs = Arc::new(Logs::open(&settings.data_dir, settings.log_settings())?);
        let cluster_id = node::cluster_id(&settings.data_dir)?;
        let coordinator = {
            let _within = runtime.enter();
            let clock = Arc::clone(&settings.logs.clock);
            Coordinator::open(&settings.data_dir, settings.coordinator_settings(), Arc::clone(&logs), clock)?
        };
        runtime.spawn(coordinator.clone().run());
        let node = Arc::new(Node {
            advertised: node::advertised(settings.advertised.clone(), address),
            cluster_id,
            directory: settings.data_dir.display().to_string(),
            default_partitions: settings.default_partitions,
            auto_create_topics: settings.auto_create_topics,
            fetch_bytes: settings.limits.fetch_bytes,
            answers: AnswerMemory::new(settings.limits.answers_bytes, settings.limits.memory),
            logs,
            coordinator,
        });
        let (stopping, told) = watch::channel(false);
        let stop_within = settings.limits.stop;
        let serving = runtime.spawn(server::serve(listener, Arc::clone(&node), settings.limits, told));
        Ok(Broker { address, node, stopping, serving, stop_within, runtime: Some(runtime) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends what clients have at work, brings everything to disk, and stops. Blocks, so not on an async thread.
    pub fn stop(mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        self.stopping.send_replace(true);
        runtime.block_on(async {
            // Twice the time: the first is the server's own.
            if tokio::time::timeout(self.stop_within * 2, &mut self.serving).await.is_err() {
                tracing::warn!("the broker's connections did not end in time");
            }
            self.node.coordinator.close().await;
        });
        self.node.logs.close();
        runtime.shutdown_timeout(self.stop_within);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
