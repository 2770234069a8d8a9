//! The one node of the cluster: who it is, and what its handlers work on.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::BrokerError;
use super::answer_memory::AnswerMemory;
use super::coordinator::Coordinator;
use super::log::Logs;

/// The id of the only node.
pub const NODE_ID: i32 = 1;
const CLUSTER_ID: &str = "cluster-id";

/// What clients are told to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What requests are answered from.
pub struct Node {
    /// The same for all clients; `None`: each is told the address at which it found the broker.
    pub advertised: Option<Endpoint>,
    /// Stays the same as long as the data directory does.
    pub cluster_id: String,
    /// Shown as the log directory.
    pub directory: String,
    /// Of topics that are made without saying how many.
    pub default_partitions: i32,
    /// Whether a topic that a client asks for is made.
    pub auto_create_topics: bool,
    /// Bytes of one fetch's answer.
    pub fetch_bytes: usize,
    /// What all fetches' answers share.
    pub answers: AnswerMemory,
    /// The partitions.
    pub logs: Arc<Logs>,
    /// Groups and transactions.
    pub coordinator: Coordinator,
}

impl Node {
    /// What a client is told that connected to this address of the machine.
    pub fn endpoint(&self, reached: SocketAddr) -> Endpoint {
        self.advertised.clone().unwrap_or_else(|| Endpoint::from(reached))
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        // A socket for both kinds of addresses writes the older ones in the newer form, which not every client has.
        Endpoint { host: address.ip().to_canonical().to_string(), port: address.port() }
    }
}

/// What the broker tells its clients, if it is the same for all. One that listens on all addresses of the machine has none that all can reach.
pub fn advertised(settings: Option<(String, u16)>, listens: SocketAddr) -> Option<Endpoint> {
    match settings {
        Some((host, port)) => Some(Endpoint { host, port }),
        None => (!listens.ip().is_unspecified()).then(|| listens.into()),
    }
}

/// The id in the directory, made up at first.
pub fn cluster_id(directory: &Path) -> Result<String, BrokerError> {
    let path = directory.join(CLUSTER_ID);
    let failed = |source| BrokerError::ClusterId { path: path.clone(), source };
    match fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
        Ok(_) => write_new_id(&path).map_err(failed),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => write_new_id(&path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

fn write_new_id(path: &Path) -> std::io::Result<String> {
    let id = Uuid::new_v4().simple().to_string();
    let new = path.with_extension("new");
    fs::write(&new, &id)?;
    fs::rename(&new, path)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_an_address_that_they_can_reach() {
        let told = |settings: Option<(&str, u16)>, listens: &str, reached: &str| {
            let settings = settings.map(|(host, port)| (host.to_owned(), port));
            let advertised = advertised(settings, listens.parse().expect("an address"));
            let Endpoint { host, port } = advertised.unwrap_or_else(|| reached.parse::<SocketAddr>().expect("an address").into());
            format!("{host} {port}")
        };
        assert_eq!(told(None, "127.0.0.1:19092", "127.0.0.1:19092"), "127.0.0.1 19092");
        assert_eq!(told(Some(("kafka.example", 9)), "0.0.0.0:19092", "10.0.0.7:19092"), "kafka.example 9");
        assert_eq!(told(None, "0.0.0.0:19092", "10.0.0.7:19092"), "10.0.0.7 19092");
        assert_eq!(told(None, "[::]:19092", "[::ffff:10.0.0.7]:19092"), "10.0.0.7 19092");
        assert_eq!(told(None, "[::]:19092", "[fd00::7]:19092"), "fd00::7 19092");
    }
}
