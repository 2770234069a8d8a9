//! Fetch: batches of records from partitions, as they are stored.

use bytes::Bytes;
use uuid::Uuid;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchRequest {
    pub replica_id: i32,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
    pub isolation_level: i8,
    pub session_id: i32,
    pub session_epoch: i32,
    pub topics: Vec<FetchTopic>,
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    pub rack_id: String,
}

impl Default for FetchRequest {
    fn default() -> Self {
        FetchRequest {
            replica_id: -1,
            max_wait_ms: Default::default(),
            min_bytes: Default::default(),
            max_bytes: i32::MAX,
            isolation_level: Default::default(),
            session_id: Default::default(),
            session_epoch: -1,
            topics: Default::default(),
            forgotten_topics_data: Default::default(),
            rack_id: Default::default(),
        }
    }
}

impl Message for FetchRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v <= 14 {
            f.i32(&mut self.replica_id)?;
        }
        f.i32(&mut self.max_wait_ms)?;
        f.i32(&mut self.min_bytes)?;
        f.i32(&mut self.max_bytes)?;
        f.i8(&mut self.isolation_level)?;
        if v >= 7 {
            f.i32(&mut self.session_id)?;
            f.i32(&mut self.session_epoch)?;
        }
        f.array(&mut self.topics, v)?;
        if v >= 7 {
            f.array(&mut self.forgotten_topics_data, v)?;
        }
        if v >= 11 {
            f.string(&mut self.rack_id)?;
        }
        f.tagged()
    }
}

/// One of [`FetchRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FetchTopic {
    pub topic: String,
    pub topic_id: Uuid,
    pub partitions: Vec<FetchPartition>,
}

impl Message for FetchTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v <= 12 {
            f.string(&mut self.topic)?;
        }
        if v >= 13 {
            f.uuid(&mut self.topic_id)?;
        }
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`FetchRequest::forgotten_topics_data`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ForgottenTopic {
    pub topic: String,
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

impl Message for ForgottenTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v <= 12 {
            f.string(&mut self.topic)?;
        }
        if v >= 13 {
            f.uuid(&mut self.topic_id)?;
        }
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`FetchTopic::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct FetchPartition {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
}

impl Default for FetchPartition {
    fn default() -> Self {
        FetchPartition {
            partition: Default::default(),
            current_leader_epoch: -1,
            fetch_offset: Default::default(),
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: Default::default(),
        }
    }
}

impl Message for FetchPartition {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition)?;
        if v >= 9 {
            f.i32(&mut self.current_leader_epoch)?;
        }
        f.i64(&mut self.fetch_offset)?;
        if v >= 12 {
            f.i32(&mut self.last_fetched_epoch)?;
        }
        if v >= 5 {
            f.i64(&mut self.log_start_offset)?;
        }
        f.i32(&mut self.partition_max_bytes)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FetchResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub session_id: i32,
    pub responses: Vec<FetchableTopicResponse>,
}

impl Message for FetchResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        if v >= 7 {
            f.error_code(&mut self.error_code)?;
            f.i32(&mut self.session_id)?;
        }
        f.array(&mut self.responses, v)?;
        f.tagged()
    }
}

/// One of [`FetchResponse::responses`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FetchableTopicResponse {
    pub topic: String,
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

impl Message for FetchableTopicResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v <= 12 {
            f.string(&mut self.topic)?;
        }
        if v >= 13 {
            f.uuid(&mut self.topic_id)?;
        }
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}

/// One of [`FetchableTopicResponse::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    pub preferred_read_replica: i32,
    pub records: Option<Bytes>,
}

impl Default for PartitionData {
    fn default() -> Self {
        PartitionData {
            partition_index: Default::default(),
            error_code: Default::default(),
            high_watermark: Default::default(),
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted_transactions: Default::default(),
            preferred_read_replica: -1,
            records: Default::default(),
        }
    }
}

impl Message for PartitionData {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.error_code(&mut self.error_code)?;
        f.i64(&mut self.high_watermark)?;
        f.i64(&mut self.last_stable_offset)?;
        if v >= 5 {
            f.i64(&mut self.log_start_offset)?;
        }
        f.nullable_array(&mut self.aborted_transactions, v)?;
        if v >= 11 {
            f.i32(&mut self.preferred_read_replica)?;
        }
        f.records(&mut self.records)?;
        f.tagged()
    }
}

/// One of [`PartitionData::aborted_transactions`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
}

impl Message for AbortedTransaction {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i64(&mut self.producer_id)?;
        f.i64(&mut self.first_offset)?;
        f.tagged()
    }
}
