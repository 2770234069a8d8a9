//! DescribeTopicPartitions: topics with their partitions, page by page.

use uuid::Uuid;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeTopicPartitionsRequest {
    pub topics: Vec<TopicRequest>,
    pub response_partition_limit: i32,
    pub cursor: Option<Cursor>,
}

impl Default for DescribeTopicPartitionsRequest {
    fn default() -> Self {
        DescribeTopicPartitionsRequest { topics: Default::default(), response_partition_limit: 2000, cursor: None }
    }
}

impl Message for DescribeTopicPartitionsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.topics, v)?;
        f.i32(&mut self.response_partition_limit)?;
        f.nullable_structure(&mut self.cursor, v)?;
        f.tagged()
    }
}

/// One of [`DescribeTopicPartitionsRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicRequest {
    pub name: String,
}

impl Message for TopicRequest {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.tagged()
    }
}

/// What [`DescribeTopicPartitionsRequest::cursor`] holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cursor {
    pub topic_name: String,
    pub partition_index: i32,
}

impl Message for Cursor {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.topic_name)?;
        f.i32(&mut self.partition_index)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeTopicPartitionsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<DescribeTopicPartitionsResponseTopic>,
    pub next_cursor: Option<Cursor>,
}

impl Message for DescribeTopicPartitionsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.topics, v)?;
        f.nullable_structure(&mut self.next_cursor, v)?;
        f.tagged()
    }
}

/// One of [`DescribeTopicPartitionsResponse::topics`].
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeTopicPartitionsResponseTopic {
    pub error_code: ErrorCode,
    pub name: Option<String>,
    pub topic_id: Uuid,
    pub is_internal: bool,
    pub partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    pub topic_authorized_operations: i32,
}

impl Default for DescribeTopicPartitionsResponseTopic {
    fn default() -> Self {
        DescribeTopicPartitionsResponseTopic {
            error_code: Default::default(),
            name: Default::default(),
            topic_id: Default::default(),
            is_internal: Default::default(),
            partitions: Default::default(),
            topic_authorized_operations: -2147483648,
        }
    }
}

impl Message for DescribeTopicPartitionsResponseTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        f.nullable_string(&mut self.name)?;
        f.uuid(&mut self.topic_id)?;
        f.bool(&mut self.is_internal)?;
        f.array(&mut self.partitions, v)?;
        f.i32(&mut self.topic_authorized_operations)?;
        f.tagged()
    }
}

/// One of [`DescribeTopicPartitionsResponseTopic::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeTopicPartitionsResponsePartition {
    pub error_code: ErrorCode,
    pub partition_index: i32,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    pub eligible_leader_replicas: Option<Vec<i32>>,
    pub last_known_elr: Option<Vec<i32>>,
    pub offline_replicas: Vec<i32>,
}

impl Default for DescribeTopicPartitionsResponsePartition {
    fn default() -> Self {
        DescribeTopicPartitionsResponsePartition {
            error_code: Default::default(),
            partition_index: Default::default(),
            leader_id: Default::default(),
            leader_epoch: -1,
            replica_nodes: Default::default(),
            isr_nodes: Default::default(),
            eligible_leader_replicas: None,
            last_known_elr: None,
            offline_replicas: Default::default(),
        }
    }
}

impl Message for DescribeTopicPartitionsResponsePartition {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        f.i32(&mut self.partition_index)?;
        f.i32(&mut self.leader_id)?;
        f.i32(&mut self.leader_epoch)?;
        f.array(&mut self.replica_nodes, v)?;
        f.array(&mut self.isr_nodes, v)?;
        f.nullable_array(&mut self.eligible_leader_replicas, v)?;
        f.nullable_array(&mut self.last_known_elr, v)?;
        f.array(&mut self.offline_replicas, v)?;
        f.tagged()
    }
}
