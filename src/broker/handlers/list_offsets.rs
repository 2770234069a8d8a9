//! Offsets by time, and the ends of leaders' epochs.

use super::disk::on_disk;
use crate::broker::log::{Isolation, PartitionLog, TimedOffset};
use crate::broker::node::Node;
use crate::broker::wire::ErrorCode;
use crate::broker::wire::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use crate::broker::wire::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

/// Answers ListOffsets.
pub fn list_offsets(node: &Node, version: i16, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let isolation = if request.isolation_level == 1 { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
    let topics = on_disk(|| {
        let topic = |topic: crate::broker::wire::list_offsets::ListOffsetsTopic| {
            let partitions = topic.partitions.iter().map(|asked| list(node, version, &topic.name, asked, isolation)).collect();
            ListOffsetsTopicResponse { name: topic.name, partitions }
        };
        request.topics.into_iter().map(topic).collect()
    });
    ListOffsetsResponse { throttle_time_ms: 0, topics }
}

fn list(node: &Node, version: i16, topic: &str, asked: &ListOffsetsPartition, isolation: Isolation) -> ListOffsetsPartitionResponse {
    let none = ListOffsetsPartitionResponse { partition_index: asked.partition_index, ..ListOffsetsPartitionResponse::default() };
    let found = node
        .logs
        .partition(topic, asked.partition_index)
        .ok_or(ErrorCode::UnknownTopicOrPartition)
        .and_then(|log| check_epoch(&log, asked.current_leader_epoch).map(|()| log))
        .and_then(|log| Ok((find(&log, version, asked.timestamp, isolation)?, log.leader_epoch())));
    match found {
        Ok((Some(found), leader_epoch)) => {
            ListOffsetsPartitionResponse { offset: found.offset, timestamp: found.timestamp, leader_epoch, ..none }
        }
        Ok((None, _)) => none,
        Err(error_code) => ListOffsetsPartitionResponse { error_code, ..none },
    }
}

fn find(log: &PartitionLog, version: i16, timestamp: i64, isolation: Isolation) -> Result<Option<TimedOffset>, ErrorCode> {
    let at = |offset| Ok(Some(TimedOffset { offset, timestamp: -1 }));
    let progress = log.progress();
    match timestamp {
        LATEST if isolation == Isolation::ReadCommitted => at(progress.last_stable),
        LATEST => at(progress.high_watermark),
        EARLIEST => at(progress.log_start),
        MAX_TIMESTAMP if version >= 7 => log.max_timestamp().map_err(|error| ErrorCode::from(&error)),
        // Nothing is stored elsewhere.
        EARLIEST_LOCAL if version >= 8 => at(progress.log_start),
        LATEST_TIERED if version >= 9 => Ok(None),
        timestamp if timestamp < 0 => Err(ErrorCode::UnsupportedVersion),
        timestamp => log.offset_for_time(timestamp, isolation).map_err(|error| ErrorCode::from(&error)),
    }
}

/// A client that knows a leader's epoch may ask that one alone; -1 is any.
pub fn check_epoch(log: &PartitionLog, known_to_client: i32) -> Result<(), ErrorCode> {
    match known_to_client {
        -1 => Ok(()),
        known if known > log.leader_epoch() => Err(ErrorCode::UnknownLeaderEpoch),
        known if known < log.leader_epoch() => Err(ErrorCode::FencedLeaderEpoch),
        _ => Ok(()),
    }
}

/// Answers OffsetForLeaderEpoch.
pub fn offset_for_leader_epoch(node: &Node, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| OffsetForLeaderTopicResult {
        partitions: topic.partitions.iter().map(|asked| epoch_end(node, &topic.topic, asked)).collect(),
        topic: topic.topic,
    });
    OffsetForLeaderEpochResponse { throttle_time_ms: 0, topics: topics.collect() }
}

fn epoch_end(node: &Node, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let none = EpochEndOffset { partition: asked.partition, ..EpochEndOffset::default() };
    let Some(log) = node.logs.partition(topic, asked.partition) else {
        return EpochEndOffset { error_code: ErrorCode::UnknownTopicOrPartition, ..none };
    };
    match check_epoch(&log, asked.current_leader_epoch) {
        Err(error_code) => EpochEndOffset { error_code, ..none },
        Ok(()) => log.epoch_end(asked.leader_epoch).map_or(none.clone(), |(leader_epoch, end_offset)| EpochEndOffset {
            leader_epoch,
            end_offset,
            ..none
        }),
    }
}
