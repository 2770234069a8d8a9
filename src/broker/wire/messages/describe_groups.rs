//! DescribeGroups: groups with their members.

use bytes::Bytes;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeGroupsRequest {
    pub groups: Vec<String>,
    pub include_authorized_operations: bool,
}

impl Message for DescribeGroupsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.groups, v)?;
        if v >= 3 {
            f.bool(&mut self.include_authorized_operations)?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeGroupsResponse {
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribedGroup>,
}

impl Message for DescribeGroupsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 1 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.array(&mut self.groups, v)?;
        f.tagged()
    }
}

/// One of [`DescribeGroupsResponse::groups`].
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedGroup {
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
    pub group_id: String,
    pub group_state: String,
    pub protocol_type: String,
    pub protocol_data: String,
    pub members: Vec<DescribedGroupMember>,
    pub authorized_operations: i32,
}

impl Default for DescribedGroup {
    fn default() -> Self {
        DescribedGroup {
            error_code: Default::default(),
            error_message: None,
            group_id: Default::default(),
            group_state: Default::default(),
            protocol_type: Default::default(),
            protocol_data: Default::default(),
            members: Default::default(),
            authorized_operations: -2147483648,
        }
    }
}

impl Message for DescribedGroup {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        if v >= 6 {
            f.nullable_string(&mut self.error_message)?;
        }
        f.string(&mut self.group_id)?;
        f.string(&mut self.group_state)?;
        f.string(&mut self.protocol_type)?;
        f.string(&mut self.protocol_data)?;
        f.array(&mut self.members, v)?;
        if v >= 3 {
            f.i32(&mut self.authorized_operations)?;
        }
        f.tagged()
    }
}

/// One of [`DescribedGroup::members`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribedGroupMember {
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub member_metadata: Bytes,
    pub member_assignment: Bytes,
}

impl Message for DescribedGroupMember {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.member_id)?;
        if v >= 4 {
            f.nullable_string(&mut self.group_instance_id)?;
        }
        f.string(&mut self.client_id)?;
        f.string(&mut self.client_host)?;
        f.bytes(&mut self.member_metadata)?;
        f.bytes(&mut self.member_assignment)?;
        f.tagged()
    }
}
