//! ListOffsets: the offset at a time, at the beginning or at the end of a partition.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListOffsetsRequest {
    pub replica_id: i32,
    pub isolation_level: i8,
    pub topics: Vec<ListOffsetsTopic>,
    pub timeout_ms: i32,
}

impl Message for ListOffsetsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.replica_id)?;
        if v >= 2 {
            f.i8(&mut self.isolation_level)?;
        }
        f.array(&mut self.topics, v)?;
        if v >= 10 {
            f.i32(&mut self.timeout_ms)?;
        }
        f.tagged()
    }
}

/// One of [`ListOffsetsRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListOffsetsTopic {
    pub name: String,
    pub partitions: Vec<ListOffsetsPartition>,
}

impl Message for ListOffsetsTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`ListOffsetsTopic::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct ListOffsetsPartition {
    pub partition_index: i32,
    pub current_leader_epoch: i32,
    pub timestamp: i64,
}

impl Default for ListOffsetsPartition {
    fn default() -> Self {
        ListOffsetsPartition { partition_index: Default::default(), current_leader_epoch: -1, timestamp: Default::default() }
    }
}

impl Message for ListOffsetsPartition {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        if v >= 4 {
            f.i32(&mut self.current_leader_epoch)?;
        }
        f.i64(&mut self.timestamp)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListOffsetsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<ListOffsetsTopicResponse>,
}

impl Message for ListOffsetsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 2 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`ListOffsetsResponse::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListOffsetsTopicResponse {
    pub name: String,
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

impl Message for ListOffsetsTopicResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`ListOffsetsTopicResponse::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct ListOffsetsPartitionResponse {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub timestamp: i64,
    pub offset: i64,
    pub leader_epoch: i32,
}

impl Default for ListOffsetsPartitionResponse {
    fn default() -> Self {
        ListOffsetsPartitionResponse {
            partition_index: Default::default(),
            error_code: Default::default(),
            timestamp: -1,
            offset: -1,
            leader_epoch: -1,
        }
    }
}

impl Message for ListOffsetsPartitionResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.error_code(&mut self.error_code)?;
        f.i64(&mut self.timestamp)?;
        f.i64(&mut self.offset)?;
        if v >= 4 {
            f.i32(&mut self.leader_epoch)?;
        }
        f.tagged()
    }
}
