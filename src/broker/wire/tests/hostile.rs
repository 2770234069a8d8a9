//! Bytes that nobody vouches for: whatever arrives, reading gives a message or an error, and takes little memory.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::filler::Filler;
use super::weigher::Weigher;
use crate::broker::wire::{APIS, Api, ApiKey, Fields, Message, Reader, WireError, Writer, messages::*};

/// Memory that a message may take for each byte of its frame, and what is granted to all: as the reader's own bounds, but for
/// strings, which the frame holds in full.
const MEMORY: (usize, usize) = (17, 64 * 1024);

/// A request of one kind: how it is read from a frame, and how one is made up.
struct Kind {
    key: ApiKey,
    read: fn(Bytes, &Api, i16) -> Result<usize, WireError>,
    made_up: fn(u64, &Api, i16) -> Bytes,
}

const fn kind<T: Message + Default>(key: ApiKey) -> Kind {
    Kind { key, read: weight::<T>, made_up: made_up::<T> }
}

const KINDS: &[Kind] = &[
    kind::<produce::ProduceRequest>(ApiKey::Produce),
    kind::<fetch::FetchRequest>(ApiKey::Fetch),
    kind::<list_offsets::ListOffsetsRequest>(ApiKey::ListOffsets),
    kind::<metadata::MetadataRequest>(ApiKey::Metadata),
    kind::<offset_commit::OffsetCommitRequest>(ApiKey::OffsetCommit),
    kind::<offset_fetch::OffsetFetchRequest>(ApiKey::OffsetFetch),
    kind::<find_coordinator::FindCoordinatorRequest>(ApiKey::FindCoordinator),
    kind::<join_group::JoinGroupRequest>(ApiKey::JoinGroup),
    kind::<heartbeat::HeartbeatRequest>(ApiKey::Heartbeat),
    kind::<leave_group::LeaveGroupRequest>(ApiKey::LeaveGroup),
    kind::<sync_group::SyncGroupRequest>(ApiKey::SyncGroup),
    kind::<describe_groups::DescribeGroupsRequest>(ApiKey::DescribeGroups),
    kind::<list_groups::ListGroupsRequest>(ApiKey::ListGroups),
    kind::<api_versions::ApiVersionsRequest>(ApiKey::ApiVersions),
    kind::<create_topics::CreateTopicsRequest>(ApiKey::CreateTopics),
    kind::<delete_topics::DeleteTopicsRequest>(ApiKey::DeleteTopics),
    kind::<delete_records::DeleteRecordsRequest>(ApiKey::DeleteRecords),
    kind::<init_producer_id::InitProducerIdRequest>(ApiKey::InitProducerId),
    kind::<offset_for_leader_epoch::OffsetForLeaderEpochRequest>(ApiKey::OffsetForLeaderEpoch),
    kind::<add_partitions_to_txn::AddPartitionsToTxnRequest>(ApiKey::AddPartitionsToTxn),
    kind::<add_offsets_to_txn::AddOffsetsToTxnRequest>(ApiKey::AddOffsetsToTxn),
    kind::<end_txn::EndTxnRequest>(ApiKey::EndTxn),
    kind::<txn_offset_commit::TxnOffsetCommitRequest>(ApiKey::TxnOffsetCommit),
    kind::<describe_configs::DescribeConfigsRequest>(ApiKey::DescribeConfigs),
    kind::<alter_configs::AlterConfigsRequest>(ApiKey::AlterConfigs),
    kind::<describe_log_dirs::DescribeLogDirsRequest>(ApiKey::DescribeLogDirs),
    kind::<create_partitions::CreatePartitionsRequest>(ApiKey::CreatePartitions),
    kind::<delete_groups::DeleteGroupsRequest>(ApiKey::DeleteGroups),
    kind::<incremental_alter_configs::IncrementalAlterConfigsRequest>(ApiKey::IncrementalAlterConfigs),
    kind::<list_partition_reassignments::ListPartitionReassignmentsRequest>(ApiKey::ListPartitionReassignments),
    kind::<offset_delete::OffsetDeleteRequest>(ApiKey::OffsetDelete),
    kind::<describe_cluster::DescribeClusterRequest>(ApiKey::DescribeCluster),
    kind::<describe_producers::DescribeProducersRequest>(ApiKey::DescribeProducers),
    kind::<describe_transactions::DescribeTransactionsRequest>(ApiKey::DescribeTransactions),
    kind::<list_transactions::ListTransactionsRequest>(ApiKey::ListTransactions),
    kind::<describe_topic_partitions::DescribeTopicPartitionsRequest>(ApiKey::DescribeTopicPartitions),
];

/// Reads a message; how much memory it took.
fn weight<T: Message + Default>(frame: Bytes, api: &Api, v: i16) -> Result<usize, WireError> {
    let mut reader = Reader::new(frame);
    reader.set_flexible(api.is_flexible(v));
    let mut message: T = reader.message(v)?;
    let mut weigher = Weigher::default();
    message.fields(&mut weigher, v)?;
    Ok(weigher.bytes)
}

fn made_up<T: Message + Default>(seed: u64, api: &Api, v: i16) -> Bytes {
    let mut writer = Writer::default();
    writer.set_flexible(api.is_flexible(v));
    writer.message(&mut Filler::new(seed).message::<T>(v), v).expect("what was made up can be written");
    writer.into_parts().concat().into()
}

fn reads_within_bounds(frame: &Bytes, kind: &Kind) {
    let api = Api::of(kind.key as i16).expect("in the table");
    for v in api.oldest..=api.newest {
        if let Ok(weight) = (kind.read)(frame.clone(), api, v) {
            assert!(weight <= frame.len() * MEMORY.0 + MEMORY.1, "{:?} {v}: {weight} bytes for a frame of {}", kind.key, frame.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let frame = Bytes::from(bytes);
        KINDS.iter().for_each(|kind| reads_within_bounds(&frame, kind));
    }

    #[test]
    fn mutated_requests_are_a_message_or_an_error(seed: u64, edits in proptest::collection::vec((any::<u32>(), any::<u8>(), 0..5u8), 1..6)) {
        for kind in KINDS {
            let api = Api::of(kind.key as i16).expect("in the table");
            for v in api.oldest..=api.newest {
                let mut bytes = (kind.made_up)(seed, api, v).to_vec();
                for (place, byte, how) in &edits {
                    mutate(&mut bytes, *place as usize, *byte, *how);
                }
                reads_within_bounds(&bytes.into(), kind);
            }
        }
    }

    #[test]
    fn a_request_that_ends_early_is_an_error(seed: u64, part in 0.0..1.0f64) {
        for kind in KINDS {
            let api = Api::of(kind.key as i16).expect("in the table");
            let whole = (kind.made_up)(seed, api, api.newest);
            let cut = (whole.len() as f64 * part) as usize;
            if cut < whole.len() {
                prop_assert!((kind.read)(whole.slice(..cut), api, api.newest).is_err(), "{:?}", kind.key);
            }
        }
    }
}

/// A byte changed, inserted or gone, a length of 2 GiB, the end gone.
fn mutate(bytes: &mut Vec<u8>, place: usize, byte: u8, how: u8) {
    if bytes.is_empty() {
        return;
    }
    let place = place % bytes.len();
    match how {
        0 => bytes[place] = byte,
        1 => bytes.insert(place, byte),
        2 => _ = bytes.remove(place),
        3 => bytes.iter_mut().skip(place).zip([0x7f, 0xff, 0xff, 0xff, 0xff]).for_each(|(old, new)| *old = new),
        _ => bytes.truncate(place),
    }
}

#[test]
fn every_request_is_tried() {
    let tried: Vec<ApiKey> = KINDS.iter().map(|kind| kind.key).collect();
    let known: Vec<ApiKey> = APIS.iter().map(|api| api.key).collect();
    assert_eq!(tried, known);
}

#[test]
fn a_count_beyond_the_frame_is_refused_before_anything_is_allocated() {
    let mut reader = Reader::new(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0, 0]));
    let refused = reader.array(&mut Vec::<fetch::FetchTopic>::new(), 4);
    assert_eq!(refused, Err(WireError::Truncated { wanted: 0x7fff_ffff, left: 2 }));
}

#[test]
fn many_small_elements_are_refused_when_they_take_many_times_the_frame() {
    let count = 1_000_000;
    let mut frame = BytesMut::new();
    frame.put_i32(count as i32);
    frame.put_bytes(0, count);
    let mut reader = Reader::new(frame.freeze());
    let refused = reader.array(&mut Vec::<fetch::FetchTopic>::new(), 4);
    assert_eq!(refused, Err(WireError::Memory { count }));
}

#[test]
fn no_frame_is_so_large_that_its_elements_may_take_all_memory() {
    let count = 1_000_000;
    let mut frame = BytesMut::new();
    frame.put_i32(count as i32);
    frame.put_bytes(0, 2 * count);
    let refused = Reader::new(frame.freeze()).array(&mut Vec::<String>::new(), 0);
    assert_eq!(refused, Err(WireError::Memory { count }));
}

#[test]
fn a_varint_of_more_than_32_bits_is_refused() {
    for bytes in [&[0xff, 0xff, 0xff, 0xff, 0x1f][..], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]] {
        let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
        reader.set_flexible(true);
        assert_eq!(reader.string(&mut String::new()), Err(WireError::Varint));
    }
}

#[test]
fn tagged_fields_are_skipped() {
    let mut reader = Reader::new(Bytes::from_static(&[2, 0, 3, 1, 2, 3, 9, 0, 42]));
    reader.set_flexible(true);
    reader.tagged().expect("two tagged fields");
    let mut next = 0;
    reader.i8(&mut next).expect("a byte");
    assert_eq!(next, 42);
}
