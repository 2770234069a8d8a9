//! AddPartitionsToTxn: a transaction is about to write to partitions.

use crate::broker::wire::{Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddPartitionsToTxnRequest {
    pub v3_and_below_transactional_id: String,
    pub v3_and_below_producer_id: i64,
    pub v3_and_below_producer_epoch: i16,
    pub v3_and_below_topics: Vec<AddPartitionsToTxnTopic>,
}

impl Message for AddPartitionsToTxnRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.v3_and_below_transactional_id)?;
        f.i64(&mut self.v3_and_below_producer_id)?;
        f.i16(&mut self.v3_and_below_producer_epoch)?;
        f.array(&mut self.v3_and_below_topics, v)?;
        f.tagged()
    }
}

/// One of [`AddPartitionsToTxnRequest::v3_and_below_topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddPartitionsToTxnTopic {
    pub name: String,
    pub partitions: Vec<i32>,
}

impl Message for AddPartitionsToTxnTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddPartitionsToTxnResponse {
    pub throttle_time_ms: i32,
    pub results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>,
}

impl Message for AddPartitionsToTxnResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.results_by_topic_v3_and_below, v)?;
        f.tagged()
    }
}

/// One of [`AddPartitionsToTxnResponse::results_by_topic_v3_and_below`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddPartitionsToTxnTopicResult {
    pub name: String,
    pub results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
}

impl Message for AddPartitionsToTxnTopicResult {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.results_by_partition, v)?;
        f.tagged()
    }
}

/// One of [`AddPartitionsToTxnTopicResult::results_by_partition`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddPartitionsToTxnPartitionResult {
    pub partition_index: i32,
    pub partition_error_code: i16,
}

impl Message for AddPartitionsToTxnPartitionResult {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.i16(&mut self.partition_error_code)?;
        f.tagged()
    }
}
