//! DeleteTopics: topics go, by name or id.

use uuid::Uuid;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteTopicsRequest {
    pub topics: Vec<DeleteTopicState>,
    pub topic_names: Vec<String>,
    pub timeout_ms: i32,
}

impl Message for DeleteTopicsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 6 {
            f.array(&mut self.topics, v)?;
        }
        if v <= 5 {
            f.array(&mut self.topic_names, v)?;
        }
        f.i32(&mut self.timeout_ms)?;
        f.tagged()
    }
}

/// One of [`DeleteTopicsRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteTopicState {
    pub name: Option<String>,
    pub topic_id: Uuid,
}

impl Message for DeleteTopicState {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.nullable_string(&mut self.name)?;
        f.uuid(&mut self.topic_id)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteTopicsResponse {
    pub throttle_time_ms: i32,
    pub responses: Vec<DeletableTopicResult>,
}

impl Message for DeleteTopicsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.responses, v)?;
        f.tagged()
    }
}

/// One of [`DeleteTopicsResponse::responses`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeletableTopicResult {
    pub name: Option<String>,
    pub topic_id: Uuid,
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
}

impl Message for DeletableTopicResult {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 6 {
            f.nullable_string(&mut self.name)?;
        } else {
            f.string(self.name.get_or_insert_default())?;
        }
        if v >= 6 {
            f.uuid(&mut self.topic_id)?;
        }
        f.error_code(&mut self.error_code)?;
        if v >= 5 {
            f.nullable_string(&mut self.error_message)?;
        }
        f.tagged()
    }
}
