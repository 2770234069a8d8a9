//! Produce: batches of records for partitions.

use bytes::Bytes;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProduceRequest {
    pub transactional_id: Option<String>,
    pub acks: i16,
    pub timeout_ms: i32,
    pub topic_data: Vec<TopicProduceData>,
}

impl Message for ProduceRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.nullable_string(&mut self.transactional_id)?;
        f.i16(&mut self.acks)?;
        f.i32(&mut self.timeout_ms)?;
        f.array(&mut self.topic_data, v)?;
        f.tagged()
    }
}

/// One of [`ProduceRequest::topic_data`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicProduceData {
    pub name: String,
    pub partition_data: Vec<PartitionProduceData>,
}

impl Message for TopicProduceData {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partition_data, v)?;
        f.tagged()
    }
}

/// One of [`TopicProduceData::partition_data`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartitionProduceData {
    pub index: i32,
    pub records: Option<Bytes>,
}

impl Message for PartitionProduceData {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.index)?;
        f.records(&mut self.records)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProduceResponse {
    pub responses: Vec<TopicProduceResponse>,
    pub throttle_time_ms: i32,
}

impl Message for ProduceResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.responses, v)?;
        f.i32(&mut self.throttle_time_ms)?;
        f.tagged()
    }
}

/// One of [`ProduceResponse::responses`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicProduceResponse {
    pub name: String,
    pub partition_responses: Vec<PartitionProduceResponse>,
}

impl Message for TopicProduceResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.array(&mut self.partition_responses, v)?;
        f.tagged()
    }
}

/// One of [`TopicProduceResponse::partition_responses`].
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionProduceResponse {
    pub index: i32,
    pub error_code: ErrorCode,
    pub base_offset: i64,
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    pub error_message: Option<String>,
}

impl Default for PartitionProduceResponse {
    fn default() -> Self {
        PartitionProduceResponse {
            index: Default::default(),
            error_code: Default::default(),
            base_offset: Default::default(),
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Default::default(),
            error_message: None,
        }
    }
}

impl Message for PartitionProduceResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.index)?;
        f.error_code(&mut self.error_code)?;
        f.i64(&mut self.base_offset)?;
        f.i64(&mut self.log_append_time_ms)?;
        if v >= 5 {
            f.i64(&mut self.log_start_offset)?;
        }
        if v >= 8 {
            f.array(&mut self.record_errors, v)?;
            f.nullable_string(&mut self.error_message)?;
        }
        f.tagged()
    }
}

/// One of [`PartitionProduceResponse::record_errors`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchIndexAndErrorMessage {
    pub batch_index: i32,
    pub batch_index_error_message: Option<String>,
}

impl Message for BatchIndexAndErrorMessage {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.batch_index)?;
        f.nullable_string(&mut self.batch_index_error_message)?;
        f.tagged()
    }
}
