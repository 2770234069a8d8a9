//! AddOffsetsToTxn: a transaction is about to commit offsets of a group.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddOffsetsToTxnRequest {
    pub transactional_id: String,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub group_id: String,
}

impl Message for AddOffsetsToTxnRequest {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.transactional_id)?;
        f.i64(&mut self.producer_id)?;
        f.i16(&mut self.producer_epoch)?;
        f.string(&mut self.group_id)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddOffsetsToTxnResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
}

impl Message for AddOffsetsToTxnResponse {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.error_code(&mut self.error_code)?;
        f.tagged()
    }
}
