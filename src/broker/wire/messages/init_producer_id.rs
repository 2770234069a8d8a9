//! InitProducerId: an id and epoch for an idempotent or transactional producer.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct InitProducerIdRequest {
    pub transactional_id: Option<String>,
    pub transaction_timeout_ms: i32,
    pub producer_id: i64,
    pub producer_epoch: i16,
}

impl Default for InitProducerIdRequest {
    fn default() -> Self {
        InitProducerIdRequest {
            transactional_id: Default::default(),
            transaction_timeout_ms: Default::default(),
            producer_id: -1,
            producer_epoch: -1,
        }
    }
}

impl Message for InitProducerIdRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.nullable_string(&mut self.transactional_id)?;
        f.i32(&mut self.transaction_timeout_ms)?;
        if v >= 3 {
            f.i64(&mut self.producer_id)?;
            f.i16(&mut self.producer_epoch)?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct InitProducerIdResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub producer_id: i64,
    pub producer_epoch: i16,
}

impl Default for InitProducerIdResponse {
    fn default() -> Self {
        InitProducerIdResponse {
            throttle_time_ms: Default::default(),
            error_code: Default::default(),
            producer_id: -1,
            producer_epoch: Default::default(),
        }
    }
}

impl Message for InitProducerIdResponse {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.error_code(&mut self.error_code)?;
        f.i64(&mut self.producer_id)?;
        f.i16(&mut self.producer_epoch)?;
        f.tagged()
    }
}
