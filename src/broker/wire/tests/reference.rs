//! Every request and response in every version, against the crate kafka-protocol, which shares no code with ours.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable};
use proptest::prelude::*;

use super::filler::Filler;
use crate::broker::wire::{APIS, Api, ApiKey, Message, Reader, Writer, messages as ours};

/// Checks one message in one version, made up from a seed; says what differs.
type Check = fn(&Api, u64, i16) -> Result<(), TestCaseError>;

/// Both messages of each API.
const PAIRS: &[(ApiKey, Check, Check)] = &[
    (
        ApiKey::Produce,
        same::<ours::produce::ProduceRequest, theirs::ProduceRequest>,
        same::<ours::produce::ProduceResponse, theirs::ProduceResponse>,
    ),
    (ApiKey::Fetch, same::<ours::fetch::FetchRequest, theirs::FetchRequest>, same::<ours::fetch::FetchResponse, theirs::FetchResponse>),
    (
        ApiKey::ListOffsets,
        same::<ours::list_offsets::ListOffsetsRequest, theirs::ListOffsetsRequest>,
        same::<ours::list_offsets::ListOffsetsResponse, theirs::ListOffsetsResponse>,
    ),
    (
        ApiKey::Metadata,
        same::<ours::metadata::MetadataRequest, theirs::MetadataRequest>,
        same::<ours::metadata::MetadataResponse, theirs::MetadataResponse>,
    ),
    (
        ApiKey::OffsetCommit,
        same::<ours::offset_commit::OffsetCommitRequest, theirs::OffsetCommitRequest>,
        same::<ours::offset_commit::OffsetCommitResponse, theirs::OffsetCommitResponse>,
    ),
    (
        ApiKey::OffsetFetch,
        same::<ours::offset_fetch::OffsetFetchRequest, theirs::OffsetFetchRequest>,
        same::<ours::offset_fetch::OffsetFetchResponse, theirs::OffsetFetchResponse>,
    ),
    (
        ApiKey::FindCoordinator,
        same::<ours::find_coordinator::FindCoordinatorRequest, theirs::FindCoordinatorRequest>,
        same::<ours::find_coordinator::FindCoordinatorResponse, theirs::FindCoordinatorResponse>,
    ),
    (
        ApiKey::JoinGroup,
        same::<ours::join_group::JoinGroupRequest, theirs::JoinGroupRequest>,
        same::<ours::join_group::JoinGroupResponse, theirs::JoinGroupResponse>,
    ),
    (
        ApiKey::Heartbeat,
        same::<ours::heartbeat::HeartbeatRequest, theirs::HeartbeatRequest>,
        same::<ours::heartbeat::HeartbeatResponse, theirs::HeartbeatResponse>,
    ),
    (
        ApiKey::LeaveGroup,
        same::<ours::leave_group::LeaveGroupRequest, theirs::LeaveGroupRequest>,
        same::<ours::leave_group::LeaveGroupResponse, theirs::LeaveGroupResponse>,
    ),
    (
        ApiKey::SyncGroup,
        same::<ours::sync_group::SyncGroupRequest, theirs::SyncGroupRequest>,
        same::<ours::sync_group::SyncGroupResponse, theirs::SyncGroupResponse>,
    ),
    (
        ApiKey::DescribeGroups,
        same::<ours::describe_groups::DescribeGroupsRequest, theirs::DescribeGroupsRequest>,
        same::<ours::describe_groups::DescribeGroupsResponse, theirs::DescribeGroupsResponse>,
    ),
    (
        ApiKey::ListGroups,
        same::<ours::list_groups::ListGroupsRequest, theirs::ListGroupsRequest>,
        same::<ours::list_groups::ListGroupsResponse, theirs::ListGroupsResponse>,
    ),
    (
        ApiKey::ApiVersions,
        same::<ours::api_versions::ApiVersionsRequest, theirs::ApiVersionsRequest>,
        same::<ours::api_versions::ApiVersionsResponse, theirs::ApiVersionsResponse>,
    ),
    (
        ApiKey::CreateTopics,
        same::<ours::create_topics::CreateTopicsRequest, theirs::CreateTopicsRequest>,
        same::<ours::create_topics::CreateTopicsResponse, theirs::CreateTopicsResponse>,
    ),
    (
        ApiKey::DeleteTopics,
        same::<ours::delete_topics::DeleteTopicsRequest, theirs::DeleteTopicsRequest>,
        same::<ours::delete_topics::DeleteTopicsResponse, theirs::DeleteTopicsResponse>,
    ),
    (
        ApiKey::DeleteRecords,
        same::<ours::delete_records::DeleteRecordsRequest, theirs::DeleteRecordsRequest>,
        same::<ours::delete_records::DeleteRecordsResponse, theirs::DeleteRecordsResponse>,
    ),
    (
        ApiKey::InitProducerId,
        same::<ours::init_producer_id::InitProducerIdRequest, theirs::InitProducerIdRequest>,
        same::<ours::init_producer_id::InitProducerIdResponse, theirs::InitProducerIdResponse>,
    ),
    (
        ApiKey::OffsetForLeaderEpoch,
        same::<ours::offset_for_leader_epoch::OffsetForLeaderEpochRequest, theirs::OffsetForLeaderEpochRequest>,
        same::<ours::offset_for_leader_epoch::OffsetForLeaderEpochResponse, theirs::OffsetForLeaderEpochResponse>,
    ),
    (
        ApiKey::AddPartitionsToTxn,
        same::<ours::add_partitions_to_txn::AddPartitionsToTxnRequest, theirs::AddPartitionsToTxnRequest>,
        same::<ours::add_partitions_to_txn::AddPartitionsToTxnResponse, theirs::AddPartitionsToTxnResponse>,
    ),
    (
        ApiKey::AddOffsetsToTxn,
        same::<ours::add_offsets_to_txn::AddOffsetsToTxnRequest, theirs::AddOffsetsToTxnRequest>,
        same::<ours::add_offsets_to_txn::AddOffsetsToTxnResponse, theirs::AddOffsetsToTxnResponse>,
    ),
    (
        ApiKey::EndTxn,
        same::<ours::end_txn::EndTxnRequest, theirs::EndTxnRequest>,
        same::<ours::end_txn::EndTxnResponse, theirs::EndTxnResponse>,
    ),
    (
        ApiKey::TxnOffsetCommit,
        same::<ours::txn_offset_commit::TxnOffsetCommitRequest, theirs::TxnOffsetCommitRequest>,
        same::<ours::txn_offset_commit::TxnOffsetCommitResponse, theirs::TxnOffsetCommitResponse>,
    ),
    (
        ApiKey::DescribeConfigs,
        same::<ours::describe_configs::DescribeConfigsRequest, theirs::DescribeConfigsRequest>,
        same::<ours::describe_configs::DescribeConfigsResponse, theirs::DescribeConfigsResponse>,
    ),
    (
        ApiKey::AlterConfigs,
        same::<ours::alter_configs::AlterConfigsRequest, theirs::AlterConfigsRequest>,
        same::<ours::alter_configs::AlterConfigsResponse, theirs::AlterConfigsResponse>,
    ),
    (
        ApiKey::DescribeLogDirs,
        same::<ours::describe_log_dirs::DescribeLogDirsRequest, theirs::DescribeLogDirsRequest>,
        same::<ours::describe_log_dirs::DescribeLogDirsResponse, theirs::DescribeLogDirsResponse>,
    ),
    (
        ApiKey::CreatePartitions,
        same::<ours::create_partitions::CreatePartitionsRequest, theirs::CreatePartitionsRequest>,
        same::<ours::create_partitions::CreatePartitionsResponse, theirs::CreatePartitionsResponse>,
    ),
    (
        ApiKey::DeleteGroups,
        same::<ours::delete_groups::DeleteGroupsRequest, theirs::DeleteGroupsRequest>,
        same::<ours::delete_groups::DeleteGroupsResponse, theirs::DeleteGroupsResponse>,
    ),
    (
        ApiKey::IncrementalAlterConfigs,
        same::<ours::incremental_alter_configs::IncrementalAlterConfigsRequest, theirs::IncrementalAlterConfigsRequest>,
        same::<ours::incremental_alter_configs::IncrementalAlterConfigsResponse, theirs::IncrementalAlterConfigsResponse>,
    ),
    (
        ApiKey::ListPartitionReassignments,
        same::<ours::list_partition_reassignments::ListPartitionReassignmentsRequest, theirs::ListPartitionReassignmentsRequest>,
        same::<ours::list_partition_reassignments::ListPartitionReassignmentsResponse, theirs::ListPartitionReassignmentsResponse>,
    ),
    (
        ApiKey::OffsetDelete,
        same::<ours::offset_delete::OffsetDeleteRequest, theirs::OffsetDeleteRequest>,
        same::<ours::offset_delete::OffsetDeleteResponse, theirs::OffsetDeleteResponse>,
    ),
    (
        ApiKey::DescribeCluster,
        same::<ours::describe_cluster::DescribeClusterRequest, theirs::DescribeClusterRequest>,
        same::<ours::describe_cluster::DescribeClusterResponse, theirs::DescribeClusterResponse>,
    ),
    (
        ApiKey::DescribeProducers,
        same::<ours::describe_producers::DescribeProducersRequest, theirs::DescribeProducersRequest>,
        same::<ours::describe_producers::DescribeProducersResponse, theirs::DescribeProducersResponse>,
    ),
    (
        ApiKey::DescribeTransactions,
        same::<ours::describe_transactions::DescribeTransactionsRequest, theirs::DescribeTransactionsRequest>,
        same::<ours::describe_transactions::DescribeTransactionsResponse, theirs::DescribeTransactionsResponse>,
    ),
    (
        ApiKey::ListTransactions,
        same::<ours::list_transactions::ListTransactionsRequest, theirs::ListTransactionsRequest>,
        same::<ours::list_transactions::ListTransactionsResponse, theirs::ListTransactionsResponse>,
    ),
    (
        ApiKey::DescribeTopicPartitions,
        same::<ours::describe_topic_partitions::DescribeTopicPartitionsRequest, theirs::DescribeTopicPartitionsRequest>,
        same::<ours::describe_topic_partitions::DescribeTopicPartitionsResponse, theirs::DescribeTopicPartitionsResponse>,
    ),
];

fn written<T: Message>(api: &Api, message: &mut T, v: i16) -> Bytes {
    let mut writer = Writer::default();
    writer.set_flexible(api.is_flexible(v));
    writer.message(message, v).expect("what was made up can be written");
    writer.into_parts().concat().into()
}

/// What we write they read to the end, and what they write of it are the same bytes, which we read as what it was.
fn same<Ours, Theirs>(api: &Api, seed: u64, v: i16) -> Result<(), TestCaseError>
where
    Ours: Message + Default + PartialEq + std::fmt::Debug,
    Theirs: Decodable + Encodable + std::fmt::Debug,
{
    let mut message: Ours = Filler::new(seed).message(v);
    let bytes = written(api, &mut message, v);
    let mut left = bytes.clone();
    let read = Theirs::decode(&mut left, v).map_err(|error| TestCaseError::fail(format!("version {v}: {error} of {message:?}")))?;
    prop_assert!(left.is_empty(), "version {}: {} bytes are left of {:?}, read as {:?}", v, left.len(), message, read);

    let mut again = BytesMut::new();
    read.encode(&mut again, v).map_err(|error| TestCaseError::fail(format!("version {v}: {error} of {read:?}")))?;
    let mut reader = Reader::new(again.freeze());
    reader.set_flexible(api.is_flexible(v));
    let back: Ours = reader.message(v).map_err(|error| TestCaseError::fail(format!("version {v}: {error} of {read:?}")))?;
    prop_assert_eq!(back, message, "version {}", v);
    prop_assert_eq!(reader.left(), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_travels_as_another_implementation_has_it(seed: u64) {
        for (key, request, response) in PAIRS {
            let api = Api::of(*key as i16).expect("in the table");
            for v in api.oldest..=api.newest {
                request(api, seed, v).map_err(|error| TestCaseError::fail(format!("{key:?}Request: {error}")))?;
                response(api, seed, v).map_err(|error| TestCaseError::fail(format!("{key:?}Response: {error}")))?;
            }
        }
    }
}

#[test]
fn every_api_is_compared() {
    let compared: Vec<ApiKey> = PAIRS.iter().map(|(key, ..)| *key).collect();
    let known: Vec<ApiKey> = APIS.iter().map(|api| api.key).collect();
    assert_eq!(compared, known);
}

#[test]
fn what_is_flexible_and_the_headers_are_as_another_implementation_has_them() {
    for api in APIS {
        let key = theirs::ApiKey::try_from(api.key as i16).expect("known to them");
        for v in api.oldest..=api.newest {
            assert_eq!(api.is_flexible(v), key.request_header_version(v) == 2, "{:?} {v}", api.key);
            let plain = api.key == ApiKey::ApiVersions || !api.is_flexible(v);
            assert_eq!(plain, key.response_header_version(v) == 0, "{:?} {v}", api.key);
        }
    }
}
