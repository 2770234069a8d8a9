//! DeleteRecords: what lies before an offset goes.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteRecordsRequest {
    pub topics: Vec<DeleteRecordsTopic>,
    pub timeout_ms: i32,
}

impl Message for DeleteRecordsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.topics, v)?;
        f.i32(&mut self.timeout_ms)?;
        f.tagged()
    }
}

/// One of [`DeleteRecordsRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteRecordsTopic {
    pub name: String,
    pub partitions: Vec<DeleteRecordsPartition>,
}

impl Message for DeleteRecordsTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`DeleteRecordsTopic::partitions`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteRecordsPartition {
    pub partition_index: i32,
    pub offset: i64,
}

impl Message for DeleteRecordsPartition {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.i64(&mut self.offset)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteRecordsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<DeleteRecordsTopicResult>,
}

impl Message for DeleteRecordsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`DeleteRecordsResponse::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteRecordsTopicResult {
    pub name: String,
    pub partitions: Vec<DeleteRecordsPartitionResult>,
}

impl Message for DeleteRecordsTopicResult {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`DeleteRecordsTopicResult::partitions`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteRecordsPartitionResult {
    pub partition_index: i32,
    pub low_watermark: i64,
    pub error_code: ErrorCode,
}

impl Message for DeleteRecordsPartitionResult {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.i64(&mut self.low_watermark)?;
        f.error_code(&mut self.error_code)?;
        f.tagged()
    }
}
