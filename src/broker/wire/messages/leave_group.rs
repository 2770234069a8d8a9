//! LeaveGroup: members go.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeaveGroupRequest {
    pub group_id: String,
    pub member_id: String,
    pub members: Vec<MemberIdentity>,
}

impl Message for LeaveGroupRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.group_id)?;
        if v <= 2 {
            f.string(&mut self.member_id)?;
        }
        if v >= 3 {
            f.array(&mut self.members, v)?;
        }
        f.tagged()
    }
}

/// One of [`LeaveGroupRequest::members`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemberIdentity {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub reason: Option<String>,
}

impl Message for MemberIdentity {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.member_id)?;
        f.nullable_string(&mut self.group_instance_id)?;
        if v >= 5 {
            f.nullable_string(&mut self.reason)?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeaveGroupResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub members: Vec<MemberResponse>,
}

impl Message for LeaveGroupResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 1 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.error_code(&mut self.error_code)?;
        if v >= 3 {
            f.array(&mut self.members, v)?;
        }
        f.tagged()
    }
}

/// One of [`LeaveGroupResponse::members`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemberResponse {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub error_code: ErrorCode,
}

impl Message for MemberResponse {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.member_id)?;
        f.nullable_string(&mut self.group_instance_id)?;
        f.error_code(&mut self.error_code)?;
        f.tagged()
    }
}
