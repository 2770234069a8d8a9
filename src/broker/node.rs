//! The one node of the cluster: who it is, and what its handlers work on.

use std::fs;
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

/// What requests are answered from.
pub struct Node {
    /// What clients are told to connect to.
    pub host: String,
    /// Its port.
    pub port: u16,
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
