//! JoinGroup: a member asks for its place in a group's next generation.

use bytes::Bytes;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinGroupRequest {
    pub group_id: String,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub protocol_type: String,
    pub protocols: Vec<JoinGroupRequestProtocol>,
    pub reason: Option<String>,
}

impl Default for JoinGroupRequest {
    fn default() -> Self {
        JoinGroupRequest {
            group_id: Default::default(),
            session_timeout_ms: Default::default(),
            rebalance_timeout_ms: -1,
            member_id: Default::default(),
            group_instance_id: None,
            protocol_type: Default::default(),
            protocols: Default::default(),
            reason: None,
        }
    }
}

impl Message for JoinGroupRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.group_id)?;
        f.i32(&mut self.session_timeout_ms)?;
        if v >= 1 {
            f.i32(&mut self.rebalance_timeout_ms)?;
        }
        f.string(&mut self.member_id)?;
        if v >= 5 {
            f.nullable_string(&mut self.group_instance_id)?;
        }
        f.string(&mut self.protocol_type)?;
        f.array(&mut self.protocols, v)?;
        if v >= 8 {
            f.nullable_string(&mut self.reason)?;
        }
        f.tagged()
    }
}

/// One of [`JoinGroupRequest::protocols`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JoinGroupRequestProtocol {
    pub name: String,
    pub metadata: Bytes,
}

impl Message for JoinGroupRequestProtocol {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.bytes(&mut self.metadata)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinGroupResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub generation_id: i32,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    pub member_id: String,
    pub members: Vec<JoinGroupResponseMember>,
}

impl Default for JoinGroupResponse {
    fn default() -> Self {
        JoinGroupResponse {
            throttle_time_ms: Default::default(),
            error_code: Default::default(),
            generation_id: -1,
            protocol_type: None,
            protocol_name: Default::default(),
            leader: Default::default(),
            skip_assignment: Default::default(),
            member_id: Default::default(),
            members: Default::default(),
        }
    }
}

impl Message for JoinGroupResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 2 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.error_code(&mut self.error_code)?;
        f.i32(&mut self.generation_id)?;
        if v >= 7 {
            f.nullable_string(&mut self.protocol_type)?;
        }
        if v >= 7 {
            f.nullable_string(&mut self.protocol_name)?;
        } else {
            f.string(self.protocol_name.get_or_insert_default())?;
        }
        f.string(&mut self.leader)?;
        if v >= 9 {
            f.bool(&mut self.skip_assignment)?;
        }
        f.string(&mut self.member_id)?;
        f.array(&mut self.members, v)?;
        f.tagged()
    }
}

/// One of [`JoinGroupResponse::members`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JoinGroupResponseMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub metadata: Bytes,
}

impl Message for JoinGroupResponseMember {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.member_id)?;
        if v >= 5 {
            f.nullable_string(&mut self.group_instance_id)?;
        }
        f.bytes(&mut self.metadata)?;
        f.tagged()
    }
}
