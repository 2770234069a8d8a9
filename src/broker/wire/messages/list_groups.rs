//! ListGroups: the groups that there are.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListGroupsRequest {
    pub states_filter: Vec<String>,
    pub types_filter: Vec<String>,
}

impl Message for ListGroupsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 4 {
            f.array(&mut self.states_filter, v)?;
        }
        if v >= 5 {
            f.array(&mut self.types_filter, v)?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListGroupsResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub groups: Vec<ListedGroup>,
}

impl Message for ListGroupsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 1 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.error_code(&mut self.error_code)?;
        f.array(&mut self.groups, v)?;
        f.tagged()
    }
}

/// One of [`ListGroupsResponse::groups`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListedGroup {
    pub group_id: String,
    pub protocol_type: String,
    pub group_state: String,
    pub group_type: String,
}

impl Message for ListedGroup {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.group_id)?;
        f.string(&mut self.protocol_type)?;
        if v >= 4 {
            f.string(&mut self.group_state)?;
        }
        if v >= 5 {
            f.string(&mut self.group_type)?;
        }
        f.tagged()
    }
}
