//! SyncGroup: the leader hands out the assignments, the others wait for theirs.

use bytes::Bytes;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SyncGroupRequest {
    pub group_id: String,
    pub generation_id: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub assignments: Vec<SyncGroupRequestAssignment>,
}

impl Message for SyncGroupRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.group_id)?;
        f.i32(&mut self.generation_id)?;
        f.string(&mut self.member_id)?;
        if v >= 3 {
            f.nullable_string(&mut self.group_instance_id)?;
        }
        if v >= 5 {
            f.nullable_string(&mut self.protocol_type)?;
            f.nullable_string(&mut self.protocol_name)?;
        }
        f.array(&mut self.assignments, v)?;
        f.tagged()
    }
}

/// One of [`SyncGroupRequest::assignments`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SyncGroupRequestAssignment {
    pub member_id: String,
    pub assignment: Bytes,
}

impl Message for SyncGroupRequestAssignment {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.member_id)?;
        f.bytes(&mut self.assignment)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SyncGroupResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub assignment: Bytes,
}

impl Message for SyncGroupResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 1 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.error_code(&mut self.error_code)?;
        if v >= 5 {
            f.nullable_string(&mut self.protocol_type)?;
            f.nullable_string(&mut self.protocol_name)?;
        }
        f.bytes(&mut self.assignment)?;
        f.tagged()
    }
}
