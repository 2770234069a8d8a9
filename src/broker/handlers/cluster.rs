//! The cluster of one node, and what it holds on disk.

use std::collections::BTreeMap;
use std::path::Path;

use super::metadata::{CLUSTER_OPERATIONS, UNTOLD};
use crate::broker::log::Volume;
use crate::broker::node::{Endpoint, NODE_ID, Node};
use crate::broker::wire::ErrorCode;
use crate::broker::wire::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};
use crate::broker::wire::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::broker::wire::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use crate::broker::wire::list_partition_reassignments::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const BROKERS: i8 = 1;

/// Answers FindCoordinator: this node keeps all groups and transactional ids.
pub fn find_coordinator(broker: &Endpoint, version: i16, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let known = matches!(request.key_type, GROUP | TRANSACTION);
    let (error_code, node_id, host, port) = if known {
        (ErrorCode::None, NODE_ID, broker.host.as_str(), i32::from(broker.port))
    } else {
        (ErrorCode::InvalidRequest, -1, "", -1)
    };
    let mut response = FindCoordinatorResponse::default();
    if version < 4 {
        return FindCoordinatorResponse { error_code, node_id, host: host.to_owned(), port, ..response };
    }
    let coordinator = |key| Coordinator { key, node_id, host: host.to_owned(), port, error_code, error_message: None };
    response.coordinators = request.coordinator_keys.into_iter().map(coordinator).collect();
    response
}

/// Answers DescribeCluster.
pub fn describe_cluster(node: &Node, broker: &Endpoint, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    if request.endpoint_type != BROKERS {
        return DescribeClusterResponse {
            error_code: ErrorCode::UnsupportedVersion,
            error_message: Some("Only brokers can be described; there are no separate controllers.".to_owned()),
            ..DescribeClusterResponse::default()
        };
    }
    let broker = DescribeClusterBroker { broker_id: NODE_ID, host: broker.host.clone(), port: i32::from(broker.port), rack: None };
    DescribeClusterResponse {
        cluster_id: node.cluster_id.clone(),
        controller_id: NODE_ID,
        brokers: vec![broker],
        cluster_authorized_operations: if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { UNTOLD },
        ..DescribeClusterResponse::default()
    }
}

/// Answers ListPartitionReassignments: nothing ever moves.
pub fn list_partition_reassignments(_: &ListPartitionReassignmentsRequest) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}

/// Answers DescribeLogDirs: the one directory, with the partitions asked for, or all.
pub fn describe_log_dirs(node: &Node, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let asked: Option<BTreeMap<String, Vec<i32>>> =
        request.topics.map(|topics| topics.into_iter().map(|topic| (topic.topic, topic.partitions)).collect());
    let mut topics = Vec::new();
    for topic in node.logs.topics() {
        let Some(wanted) = asked.as_ref().map_or(Some(None), |asked| asked.get(&topic.name).map(Some)) else { continue };
        let partitions = (0..).zip(&topic.partitions).filter(|(index, _)| wanted.is_none_or(|wanted| wanted.contains(index)));
        let partitions = partitions.map(|(partition_index, log)| DescribeLogDirsPartition {
            partition_index,
            partition_size: i64::try_from(log.size_bytes()).unwrap_or(i64::MAX),
            offset_lag: 0,
            is_future_key: false,
        });
        topics.push(DescribeLogDirsTopic { name: topic.name.clone(), partitions: partitions.collect() });
    }
    let mut result = DescribeLogDirsResult { log_dir: node.directory.clone(), topics, ..DescribeLogDirsResult::default() };
    // Else they stay at -1, unknown.
    if let Ok(volume) = Volume::of(Path::new(&node.directory)) {
        let told = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        (result.total_bytes, result.usable_bytes) = (told(volume.total_bytes), told(volume.free_bytes));
    }
    DescribeLogDirsResponse { results: vec![result], ..DescribeLogDirsResponse::default() }
}
