//! DeleteGroups: groups without members go.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteGroupsRequest {
    pub groups_names: Vec<String>,
}

impl Message for DeleteGroupsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.groups_names, v)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeleteGroupsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<DeletableGroupResult>,
}

impl Message for DeleteGroupsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.results, v)?;
        f.tagged()
    }
}

/// One of [`DeleteGroupsResponse::results`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeletableGroupResult {
    pub group_id: String,
    pub error_code: ErrorCode,
}

impl Message for DeletableGroupResult {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.group_id)?;
        f.error_code(&mut self.error_code)?;
        f.tagged()
    }
}
