//! Heartbeat: a member is alive.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeartbeatRequest {
    pub group_id: String,
    pub generation_id: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
}

impl Message for HeartbeatRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.group_id)?;
        f.i32(&mut self.generation_id)?;
        f.string(&mut self.member_id)?;
        if v >= 3 {
            f.nullable_string(&mut self.group_instance_id)?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeartbeatResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
}

impl Message for HeartbeatResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 1 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.error_code(&mut self.error_code)?;
        f.tagged()
    }
}
