//! AlterConfigs: settings, all at once.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlterConfigsRequest {
    pub resources: Vec<AlterConfigsResource>,
    pub validate_only: bool,
}

impl Message for AlterConfigsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.resources, v)?;
        f.bool(&mut self.validate_only)?;
        f.tagged()
    }
}

/// One of [`AlterConfigsRequest::resources`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlterConfigsResource {
    pub resource_type: i8,
    pub resource_name: String,
    pub configs: Vec<AlterableConfig>,
}

impl Message for AlterConfigsResource {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i8(&mut self.resource_type)?;
        f.string(&mut self.resource_name)?;
        f.array(&mut self.configs, v)?;
        f.tagged()
    }
}

/// One of [`AlterConfigsResource::configs`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlterableConfig {
    pub name: String,
    pub value: Option<String>,
}

impl Message for AlterableConfig {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.nullable_string(&mut self.value)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlterConfigsResponse {
    pub throttle_time_ms: i32,
    pub responses: Vec<AlterConfigsResourceResponse>,
}

impl Message for AlterConfigsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.responses, v)?;
        f.tagged()
    }
}

/// One of [`AlterConfigsResponse::responses`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlterConfigsResourceResponse {
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
    pub resource_type: i8,
    pub resource_name: String,
}

impl Message for AlterConfigsResourceResponse {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        f.nullable_string(&mut self.error_message)?;
        f.i8(&mut self.resource_type)?;
        f.string(&mut self.resource_name)?;
        f.tagged()
    }
}
