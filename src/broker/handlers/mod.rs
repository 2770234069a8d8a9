//! One function an API: a decoded request becomes calls on the logs and the coordinators, and their results a response.

mod api_versions;
mod cluster;
mod configs;
mod disk;
mod errors;
mod fetch;
mod groups;
mod list_offsets;
mod metadata;
mod offsets;
mod partitions;
mod produce;
mod topics;
mod transactions;

use bytes::Bytes;
use tokio::sync::watch;

use super::answer_memory::Share;
use super::node::{Endpoint, Node};
use super::wire::{Api, ApiKey, Message, Reader, RequestHeader, WireError, response_frame};

/// Who asks.
#[derive(Debug, Clone)]
pub struct Client {
    /// What it calls itself; empty if it does not.
    pub id: String,
    /// Where it connects from, as Kafka shows it: "/127.0.0.1".
    pub host: String,
    /// What it is told to connect to.
    pub broker: Endpoint,
}

/// What goes to the client.
pub struct Answer {
    /// A whole frame.
    pub parts: Vec<Bytes>,
    /// Given back once it is written.
    pub memory: Option<Share>,
}

impl From<Vec<Bytes>> for Answer {
    fn from(parts: Vec<Bytes>) -> Self {
        Answer { parts, memory: None }
    }
}

/// Why a request gets no answer, and its connection is closed.
#[derive(Debug)]
pub enum Refusal {
    /// It cannot be read.
    Malformed(WireError),
    /// No API of this number, or none of this version.
    Unknown,
    /// Something went wrong that the client does not want to hear: closing is all that tells it.
    Silent,
    /// It waited, for other clients or the disk, when the broker stopped.
    Stopping,
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Refusal::Malformed(error)
    }
}

/// Answers one request; `None` when the client wants no answer. What waits for other clients (fetches, joins) gives up when the broker
/// stops.
pub async fn answer(
    node: &Node,
    client: &Client,
    header: &RequestHeader,
    reader: Reader,
    stopping: &mut watch::Receiver<bool>,
) -> Result<Option<Answer>, Refusal> {
    let api = Api::of(header.api_key).ok_or(Refusal::Unknown)?;
    if !api.understands(header.version) {
        return match api.key {
            ApiKey::ApiVersions => Ok(Some(response_frame(api, 0, header.correlation_id, &mut api_versions::unsupported())?.into())),
            _ => Err(Refusal::Unknown),
        };
    }
    let reply = Reply { api, header };
    match api.key {
        ApiKey::Fetch | ApiKey::JoinGroup | ApiKey::SyncGroup => tokio::select! {
            answered = waiting(node, client, reply, reader) => answered.map(Some),
            _ = stopping.wait_for(|stopping| *stopping) => Err(Refusal::Stopping),
        },
        ApiKey::Produce => produced(node, reply, reader).await,
        _ => Ok(Some(prompt(node, client, reply, reader).await?.into())),
    }
}

/// What stands around the response.
#[derive(Clone, Copy)]
struct Reply<'a> {
    api: &'static Api,
    header: &'a RequestHeader,
}

impl Reply<'_> {
    fn with(self, mut message: impl Message) -> Result<Vec<Bytes>, Refusal> {
        Ok(response_frame(self.api, self.header.version, self.header.correlation_id, &mut message)?)
    }
}

async fn waiting(node: &Node, client: &Client, reply: Reply<'_>, mut reader: Reader) -> Result<Answer, Refusal> {
    let (v, coordinator) = (reply.header.version, &node.coordinator);
    let parts = match reply.api.key {
        ApiKey::JoinGroup => reply.with(groups::join_group(coordinator, client, v, reader.message(v)?).await),
        ApiKey::SyncGroup => reply.with(groups::sync_group(coordinator, reader.message(v)?).await),
        _ => {
            let (response, memory) = fetch::fetch(node, v, reader.message(v)?).await;
            return Ok(Answer { parts: reply.with(response)?, memory });
        }
    };
    Ok(parts?.into())
}

async fn produced(node: &Node, reply: Reply<'_>, mut reader: Reader) -> Result<Option<Answer>, Refusal> {
    let request = reader.message(reply.header.version)?;
    drop(reader);
    match produce::produce(node, request).await? {
        Some(response) => Ok(Some(reply.with(response)?.into())),
        None => Ok(None),
    }
}

/// What waits for the disk at most.
async fn prompt(node: &Node, client: &Client, reply: Reply<'_>, mut reader: Reader) -> Result<Vec<Bytes>, Refusal> {
    let (v, coordinator) = (reply.header.version, &node.coordinator);
    match reply.api.key {
        ApiKey::ApiVersions => reply.with(api_versions::api_versions(v, &reader.message(v)?)),
        ApiKey::Metadata => reply.with(metadata::metadata(node, &client.broker, v, reader.message(v)?)),
        ApiKey::FindCoordinator => reply.with(cluster::find_coordinator(&client.broker, v, reader.message(v)?)),
        ApiKey::DescribeCluster => reply.with(cluster::describe_cluster(node, &client.broker, &reader.message(v)?)),
        ApiKey::ListPartitionReassignments => reply.with(cluster::list_partition_reassignments(&reader.message(v)?)),
        ApiKey::DescribeLogDirs => reply.with(cluster::describe_log_dirs(node, reader.message(v)?)),
        ApiKey::DescribeTopicPartitions => reply.with(metadata::describe_topic_partitions(node, reader.message(v)?)),

        ApiKey::ListOffsets => reply.with(list_offsets::list_offsets(node, v, reader.message(v)?)),
        ApiKey::OffsetForLeaderEpoch => reply.with(list_offsets::offset_for_leader_epoch(node, reader.message(v)?)),
        ApiKey::DeleteRecords => reply.with(partitions::delete_records(node, reader.message(v)?)),
        ApiKey::DescribeProducers => reply.with(partitions::describe_producers(node, reader.message(v)?)),

        ApiKey::CreateTopics => reply.with(topics::create_topics(node, reader.message(v)?)),
        ApiKey::DeleteTopics => reply.with(topics::delete_topics(node, v, reader.message(v)?).await),
        ApiKey::CreatePartitions => reply.with(topics::create_partitions(node, reader.message(v)?)),
        ApiKey::DescribeConfigs => reply.with(configs::describe_configs(node, reader.message(v)?)),
        ApiKey::AlterConfigs => reply.with(configs::alter_configs(node, reader.message(v)?)),
        ApiKey::IncrementalAlterConfigs => reply.with(configs::incremental_alter_configs(node, reader.message(v)?)),

        ApiKey::Heartbeat => reply.with(groups::heartbeat(coordinator, &reader.message(v)?)),
        ApiKey::LeaveGroup => reply.with(groups::leave_group(coordinator, v, reader.message(v)?).await),
        ApiKey::DescribeGroups => reply.with(groups::describe_groups(coordinator, v, reader.message(v)?)),
        ApiKey::ListGroups => reply.with(groups::list_groups(coordinator, &reader.message(v)?)),
        ApiKey::DeleteGroups => reply.with(groups::delete_groups(coordinator, reader.message(v)?).await),
        ApiKey::OffsetCommit => reply.with(offsets::offset_commit(coordinator, v, reader.message(v)?).await),
        ApiKey::OffsetFetch => reply.with(offsets::offset_fetch(coordinator, v, reader.message(v)?)),
        ApiKey::OffsetDelete => reply.with(offsets::offset_delete(coordinator, reader.message(v)?).await),

        ApiKey::InitProducerId => reply.with(transactions::init_producer_id(coordinator, v, reader.message(v)?).await),
        ApiKey::AddPartitionsToTxn => reply.with(transactions::add_partitions_to_txn(coordinator, v, reader.message(v)?).await),
        ApiKey::AddOffsetsToTxn => reply.with(transactions::add_offsets_to_txn(coordinator, v, reader.message(v)?).await),
        ApiKey::TxnOffsetCommit => reply.with(transactions::txn_offset_commit(coordinator, reader.message(v)?).await),
        ApiKey::EndTxn => reply.with(transactions::end_txn(coordinator, v, reader.message(v)?).await),
        ApiKey::DescribeTransactions => reply.with(transactions::describe_transactions(coordinator, reader.message(v)?)),
        ApiKey::ListTransactions => reply.with(transactions::list_transactions(coordinator, reader.message(v)?)),

        ApiKey::Produce | ApiKey::Fetch | ApiKey::JoinGroup | ApiKey::SyncGroup => Err(Refusal::Unknown),
    }
}
