//! ListPartitionReassignments: replicas on the move; one broker has none.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct ListPartitionReassignmentsRequest {
    pub timeout_ms: i32,
    pub topics: Option<Vec<ListPartitionReassignmentsTopics>>,
}

impl Default for ListPartitionReassignmentsRequest {
    fn default() -> Self {
        ListPartitionReassignmentsRequest { timeout_ms: 60000, topics: None }
    }
}

impl Message for ListPartitionReassignmentsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.timeout_ms)?;
        f.nullable_array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`ListPartitionReassignmentsRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListPartitionReassignmentsTopics {
    pub name: String,
    pub partition_indexes: Vec<i32>,
}

impl Message for ListPartitionReassignmentsTopics {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partition_indexes, v)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListPartitionReassignmentsResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
    pub topics: Vec<OngoingTopicReassignment>,
}

impl Message for ListPartitionReassignmentsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.error_code(&mut self.error_code)?;
        f.nullable_string(&mut self.error_message)?;
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`ListPartitionReassignmentsResponse::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OngoingTopicReassignment {
    pub name: String,
    pub partitions: Vec<OngoingPartitionReassignment>,
}

impl Message for OngoingTopicReassignment {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`OngoingTopicReassignment::partitions`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OngoingPartitionReassignment {
    pub partition_index: i32,
    pub replicas: Vec<i32>,
    pub adding_replicas: Vec<i32>,
    pub removing_replicas: Vec<i32>,
}

impl Message for OngoingPartitionReassignment {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.array(&mut self.replicas, v)?;
        f.array(&mut self.adding_replicas, v)?;
        f.array(&mut self.removing_replicas, v)?;
        f.tagged()
    }
}
