//! OffsetForLeaderEpoch: where an epoch of a partition's leader ended.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetForLeaderEpochRequest {
    pub replica_id: i32,
    pub topics: Vec<OffsetForLeaderTopic>,
}

impl Default for OffsetForLeaderEpochRequest {
    fn default() -> Self {
        OffsetForLeaderEpochRequest { replica_id: -2, topics: Default::default() }
    }
}

impl Message for OffsetForLeaderEpochRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 3 {
            f.i32(&mut self.replica_id)?;
        }
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`OffsetForLeaderEpochRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetForLeaderTopic {
    pub topic: String,
    pub partitions: Vec<OffsetForLeaderPartition>,
}

impl Message for OffsetForLeaderTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.topic)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`OffsetForLeaderTopic::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetForLeaderPartition {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub leader_epoch: i32,
}

impl Default for OffsetForLeaderPartition {
    fn default() -> Self {
        OffsetForLeaderPartition { partition: Default::default(), current_leader_epoch: -1, leader_epoch: Default::default() }
    }
}

impl Message for OffsetForLeaderPartition {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition)?;
        f.i32(&mut self.current_leader_epoch)?;
        f.i32(&mut self.leader_epoch)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetForLeaderEpochResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetForLeaderTopicResult>,
}

impl Message for OffsetForLeaderEpochResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`OffsetForLeaderEpochResponse::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetForLeaderTopicResult {
    pub topic: String,
    pub partitions: Vec<EpochEndOffset>,
}

impl Message for OffsetForLeaderTopicResult {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.topic)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`OffsetForLeaderTopicResult::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct EpochEndOffset {
    pub error_code: ErrorCode,
    pub partition: i32,
    pub leader_epoch: i32,
    pub end_offset: i64,
}

impl Default for EpochEndOffset {
    fn default() -> Self {
        EpochEndOffset { error_code: Default::default(), partition: Default::default(), leader_epoch: -1, end_offset: -1 }
    }
}

impl Message for EpochEndOffset {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        f.i32(&mut self.partition)?;
        f.i32(&mut self.leader_epoch)?;
        f.i64(&mut self.end_offset)?;
        f.tagged()
    }
}
