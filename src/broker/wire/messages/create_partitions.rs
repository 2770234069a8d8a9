//! CreatePartitions: more partitions for topics.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreatePartitionsRequest {
    pub topics: Vec<CreatePartitionsTopic>,
    pub timeout_ms: i32,
    pub validate_only: bool,
}

impl Message for CreatePartitionsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.topics, v)?;
        f.i32(&mut self.timeout_ms)?;
        f.bool(&mut self.validate_only)?;
        f.tagged()
    }
}

/// One of [`CreatePartitionsRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreatePartitionsTopic {
    pub name: String,
    pub count: i32,
    pub assignments: Option<Vec<CreatePartitionsAssignment>>,
}

impl Message for CreatePartitionsTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.i32(&mut self.count)?;
        f.nullable_array(&mut self.assignments, v)?;
        f.tagged()
    }
}

/// One of [`CreatePartitionsTopic::assignments`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreatePartitionsAssignment {
    pub broker_ids: Vec<i32>,
}

impl Message for CreatePartitionsAssignment {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.broker_ids, v)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreatePartitionsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<CreatePartitionsTopicResult>,
}

impl Message for CreatePartitionsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.results, v)?;
        f.tagged()
    }
}

/// One of [`CreatePartitionsResponse::results`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreatePartitionsTopicResult {
    pub name: String,
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
}

impl Message for CreatePartitionsTopicResult {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.error_code(&mut self.error_code)?;
        f.nullable_string(&mut self.error_message)?;
        f.tagged()
    }
}
