//! OffsetFetch: how far groups had read.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetFetchRequest {
    pub group_id: String,
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    pub groups: Vec<OffsetFetchRequestGroup>,
    pub require_stable: bool,
}

impl Message for OffsetFetchRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v <= 7 {
            f.string(&mut self.group_id)?;
            if v >= 2 {
                f.nullable_array(&mut self.topics, v)?;
            } else {
                f.array(self.topics.get_or_insert_default(), v)?;
            }
        }
        if v >= 8 {
            f.array(&mut self.groups, v)?;
        }
        if v >= 7 {
            f.bool(&mut self.require_stable)?;
        }
        f.tagged()
    }
}

/// One of [`OffsetFetchRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetFetchRequestTopic {
    pub name: String,
    pub partition_indexes: Vec<i32>,
}

impl Message for OffsetFetchRequestTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partition_indexes, v)?;
        f.tagged()
    }
}

/// One of [`OffsetFetchRequest::groups`].
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchRequestGroup {
    pub group_id: String,
    pub member_id: Option<String>,
    pub member_epoch: i32,
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
}

impl Default for OffsetFetchRequestGroup {
    fn default() -> Self {
        OffsetFetchRequestGroup { group_id: Default::default(), member_id: None, member_epoch: -1, topics: Default::default() }
    }
}

impl Message for OffsetFetchRequestGroup {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.group_id)?;
        if v >= 9 {
            f.nullable_string(&mut self.member_id)?;
            f.i32(&mut self.member_epoch)?;
        }
        f.nullable_array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`OffsetFetchRequestGroup::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetFetchRequestTopics {
    pub name: String,
    pub partition_indexes: Vec<i32>,
}

impl Message for OffsetFetchRequestTopics {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partition_indexes, v)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetFetchResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetFetchResponseTopic>,
    pub error_code: ErrorCode,
    pub groups: Vec<OffsetFetchResponseGroup>,
}

impl Message for OffsetFetchResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 3 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        if v <= 7 {
            f.array(&mut self.topics, v)?;
        }
        if (2..=7).contains(&v) {
            f.error_code(&mut self.error_code)?;
        }
        if v >= 8 {
            f.array(&mut self.groups, v)?;
        }
        f.tagged()
    }
}

/// One of [`OffsetFetchResponse::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetFetchResponseTopic {
    pub name: String,
    pub partitions: Vec<OffsetFetchResponsePartition>,
}

impl Message for OffsetFetchResponseTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`OffsetFetchResponse::groups`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetFetchResponseGroup {
    pub group_id: String,
    pub topics: Vec<OffsetFetchResponseTopics>,
    pub error_code: ErrorCode,
}

impl Message for OffsetFetchResponseGroup {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.group_id)?;
        f.array(&mut self.topics, v)?;
        f.error_code(&mut self.error_code)?;
        f.tagged()
    }
}

/// One of [`OffsetFetchResponseTopic::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchResponsePartition {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub metadata: Option<String>,
    pub error_code: ErrorCode,
}

impl Default for OffsetFetchResponsePartition {
    fn default() -> Self {
        OffsetFetchResponsePartition {
            partition_index: Default::default(),
            committed_offset: Default::default(),
            committed_leader_epoch: -1,
            metadata: Default::default(),
            error_code: Default::default(),
        }
    }
}

impl Message for OffsetFetchResponsePartition {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.i64(&mut self.committed_offset)?;
        if v >= 5 {
            f.i32(&mut self.committed_leader_epoch)?;
        }
        f.nullable_string(&mut self.metadata)?;
        f.error_code(&mut self.error_code)?;
        f.tagged()
    }
}

/// One of [`OffsetFetchResponseGroup::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OffsetFetchResponseTopics {
    pub name: String,
    pub partitions: Vec<OffsetFetchResponsePartitions>,
}

impl Message for OffsetFetchResponseTopics {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`OffsetFetchResponseTopics::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchResponsePartitions {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub metadata: Option<String>,
    pub error_code: ErrorCode,
}

impl Default for OffsetFetchResponsePartitions {
    fn default() -> Self {
        OffsetFetchResponsePartitions {
            partition_index: Default::default(),
            committed_offset: Default::default(),
            committed_leader_epoch: -1,
            metadata: Default::default(),
            error_code: Default::default(),
        }
    }
}

impl Message for OffsetFetchResponsePartitions {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.i64(&mut self.committed_offset)?;
        f.i32(&mut self.committed_leader_epoch)?;
        f.nullable_string(&mut self.metadata)?;
        f.error_code(&mut self.error_code)?;
        f.tagged()
    }
}
