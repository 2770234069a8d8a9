//! OffsetCommit: how far a group has read.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetCommitRequest {
    pub group_id: String,
    pub generation_id_or_member_epoch: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub retention_time_ms: i64,
    pub topics: Vec<OffsetCommitRequestTopic>,
}

impl Default for OffsetCommitRequest {
    fn default() -> Self {
        OffsetCommitRequest {
            group_id: Default::default(),
            generation_id_or_member_epoch: -1,
            member_id: Default::default(),
            group_instance_id: None,
            retention_time_ms: -1,
            topics: Default::default(),
        }
    }
}

impl Message for OffsetCommitRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.group_id)?;
        f.i32(&mut self.generation_id_or_member_epoch)?;
        f.string(&mut self.member_id)?;
        if v >= 7 {
            f.nullable_string(&mut self.group_instance_id)?;
        }
        if v <= 4 {
            f.i64(&mut self.retention_time_ms)?;
        }
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`OffsetCommitRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetCommitRequestTopic {
    pub name: String,
    pub partitions: Vec<OffsetCommitRequestPartition>,
}

impl Message for OffsetCommitRequestTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`OffsetCommitRequestTopic::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetCommitRequestPartition {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub committed_metadata: Option<String>,
}

impl Default for OffsetCommitRequestPartition {
    fn default() -> Self {
        OffsetCommitRequestPartition {
            partition_index: Default::default(),
            committed_offset: Default::default(),
            committed_leader_epoch: -1,
            committed_metadata: Default::default(),
        }
    }
}

impl Message for OffsetCommitRequestPartition {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.i64(&mut self.committed_offset)?;
        if v >= 6 {
            f.i32(&mut self.committed_leader_epoch)?;
        }
        f.nullable_string(&mut self.committed_metadata)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetCommitResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetCommitResponseTopic>,
}

impl Message for OffsetCommitResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 3 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`OffsetCommitResponse::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetCommitResponseTopic {
    pub name: String,
    pub partitions: Vec<OffsetCommitResponsePartition>,
}

impl Message for OffsetCommitResponseTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`OffsetCommitResponseTopic::partitions`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetCommitResponsePartition {
    pub partition_index: i32,
    pub error_code: ErrorCode,
}

impl Message for OffsetCommitResponsePartition {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.error_code(&mut self.error_code)?;
        f.tagged()
    }
}
