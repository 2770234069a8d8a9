//! DescribeProducers: who writes to partitions, with which epoch and sequence.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeProducersRequest {
    pub topics: Vec<TopicRequest>,
}

impl Message for DescribeProducersRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`DescribeProducersRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicRequest {
    pub name: String,
    pub partition_indexes: Vec<i32>,
}

impl Message for TopicRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partition_indexes, v)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeProducersResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<TopicResponse>,
}

impl Message for DescribeProducersResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`DescribeProducersResponse::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicResponse {
    pub name: String,
    pub partitions: Vec<PartitionResponse>,
}

impl Message for TopicResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`TopicResponse::partitions`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartitionResponse {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
    pub active_producers: Vec<ProducerState>,
}

impl Message for PartitionResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.error_code(&mut self.error_code)?;
        f.nullable_string(&mut self.error_message)?;
        f.array(&mut self.active_producers, v)?;
        f.tagged()
    }
}

/// One of [`PartitionResponse::active_producers`].
#[derive(Debug, Clone, PartialEq)]
pub struct ProducerState {
    pub producer_id: i64,
    pub producer_epoch: i32,
    pub last_sequence: i32,
    pub last_timestamp: i64,
    pub coordinator_epoch: i32,
    pub current_txn_start_offset: i64,
}

impl Default for ProducerState {
    fn default() -> Self {
        ProducerState {
            producer_id: Default::default(),
            producer_epoch: Default::default(),
            last_sequence: -1,
            last_timestamp: -1,
            coordinator_epoch: Default::default(),
            current_txn_start_offset: -1,
        }
    }
}

impl Message for ProducerState {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i64(&mut self.producer_id)?;
        f.i32(&mut self.producer_epoch)?;
        f.i32(&mut self.last_sequence)?;
        f.i64(&mut self.last_timestamp)?;
        f.i32(&mut self.coordinator_epoch)?;
        f.i64(&mut self.current_txn_start_offset)?;
        f.tagged()
    }
}
