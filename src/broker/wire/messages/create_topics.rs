//! CreateTopics: topics with their partitions and configurations.

use uuid::Uuid;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTopicsRequest {
    pub topics: Vec<CreatableTopic>,
    pub timeout_ms: i32,
    pub validate_only: bool,
}

impl Default for CreateTopicsRequest {
    fn default() -> Self {
        CreateTopicsRequest { topics: Default::default(), timeout_ms: 60000, validate_only: Default::default() }
    }
}

impl Message for CreateTopicsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.topics, v)?;
        f.i32(&mut self.timeout_ms)?;
        f.bool(&mut self.validate_only)?;
        f.tagged()
    }
}

/// One of [`CreateTopicsRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreatableTopic {
    pub name: String,
    pub num_partitions: i32,
    pub replication_factor: i16,
    pub assignments: Vec<CreatableReplicaAssignment>,
    pub configs: Vec<CreatableTopicConfig>,
}

impl Message for CreatableTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.i32(&mut self.num_partitions)?;
        f.i16(&mut self.replication_factor)?;
        f.array(&mut self.assignments, v)?;
        f.array(&mut self.configs, v)?;
        f.tagged()
    }
}

/// One of [`CreatableTopic::assignments`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreatableReplicaAssignment {
    pub partition_index: i32,
    pub broker_ids: Vec<i32>,
}

impl Message for CreatableReplicaAssignment {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.partition_index)?;
        f.array(&mut self.broker_ids, v)?;
        f.tagged()
    }
}

/// One of [`CreatableTopic::configs`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreatableTopicConfig {
    pub name: String,
    pub value: Option<String>,
}

impl Message for CreatableTopicConfig {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.nullable_string(&mut self.value)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CreateTopicsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<CreatableTopicResult>,
}

impl Message for CreateTopicsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`CreateTopicsResponse::topics`].
#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicResult {
    pub name: String,
    pub topic_id: Uuid,
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
    pub num_partitions: i32,
    pub replication_factor: i16,
    pub configs: Option<Vec<CreatableTopicConfigs>>,
}

impl Default for CreatableTopicResult {
    fn default() -> Self {
        CreatableTopicResult {
            name: Default::default(),
            topic_id: Default::default(),
            error_code: Default::default(),
            error_message: Default::default(),
            num_partitions: -1,
            replication_factor: -1,
            configs: Default::default(),
        }
    }
}

impl Message for CreatableTopicResult {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        if v >= 7 {
            f.uuid(&mut self.topic_id)?;
        }
        f.error_code(&mut self.error_code)?;
        f.nullable_string(&mut self.error_message)?;
        if v >= 5 {
            f.i32(&mut self.num_partitions)?;
            f.i16(&mut self.replication_factor)?;
            f.nullable_array(&mut self.configs, v)?;
        }
        f.tagged()
    }
}

/// One of [`CreatableTopicResult::configs`].
#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicConfigs {
    pub name: String,
    pub value: Option<String>,
    pub read_only: bool,
    pub config_source: i8,
    pub is_sensitive: bool,
}

impl Default for CreatableTopicConfigs {
    fn default() -> Self {
        CreatableTopicConfigs {
            name: Default::default(),
            value: Default::default(),
            read_only: Default::default(),
            config_source: -1,
            is_sensitive: Default::default(),
        }
    }
}

impl Message for CreatableTopicConfigs {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.nullable_string(&mut self.value)?;
        f.bool(&mut self.read_only)?;
        f.i8(&mut self.config_source)?;
        f.bool(&mut self.is_sensitive)?;
        f.tagged()
    }
}
