//! DescribeLogDirs: how much partitions hold on disk.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeLogDirsRequest {
    pub topics: Option<Vec<DescribableLogDirTopic>>,
}

impl Message for DescribeLogDirsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.nullable_array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`DescribeLogDirsRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribableLogDirTopic {
    pub topic: String,
    pub partitions: Vec<i32>,
}

impl Message for DescribableLogDirTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.topic)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeLogDirsResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub results: Vec<DescribeLogDirsResult>,
}

impl Message for DescribeLogDirsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        if v >= 3 {
            f.error_code(&mut self.error_code)?;
        }
        f.array(&mut self.results, v)?;
        f.tagged()
    }
}

/// One of [`DescribeLogDirsResponse::results`].
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeLogDirsResult {
    pub error_code: ErrorCode,
    pub log_dir: String,
    pub topics: Vec<DescribeLogDirsTopic>,
    pub total_bytes: i64,
    pub usable_bytes: i64,
}

impl Default for DescribeLogDirsResult {
    fn default() -> Self {
        DescribeLogDirsResult {
            error_code: Default::default(),
            log_dir: Default::default(),
            topics: Default::default(),
            total_bytes: -1,
            usable_bytes: -1,
        }
    }
}

impl Message for DescribeLogDirsResult {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        f.string(&mut self.log_dir)?;
        f.array(&mut self.topics, v)?;
        if v >= 4 {
            f.i64(&mut self.total_bytes)?;
            f.i64(&mut self.usable_bytes)?;
        }
        f.tagged()
    }
}

/// One of [`DescribeLogDirsResult::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeLogDirsTopic {
    pub name: String,
    pub partitions: Vec<DescribeLogDirsPartition>,
}

impl Message for DescribeLogDirsTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`DescribeLogDirsTopic::partitions`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeLogDirsPartition {
    pub partition_index: i32,
    pub partition_size: i64,
    pub offset_lag: i64,
    pub is_future_key: bool,
}

impl Message for DescribeLogDirsPartition {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.i64(&mut self.partition_size)?;
        f.i64(&mut self.offset_lag)?;
        f.bool(&mut self.is_future_key)?;
        f.tagged()
    }
}
