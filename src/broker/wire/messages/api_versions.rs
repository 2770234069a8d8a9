//! ApiVersions: which requests, in which versions, are answered.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApiVersionsRequest {
    pub client_software_name: String,
    pub client_software_version: String,
}

impl Message for ApiVersionsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 3 {
            f.string(&mut self.client_software_name)?;
            f.string(&mut self.client_software_version)?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApiVersionsResponse {
    pub error_code: ErrorCode,
    pub api_keys: Vec<ApiVersion>,
    pub throttle_time_ms: i32,
}

impl Message for ApiVersionsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        f.array(&mut self.api_keys, v)?;
        if v >= 1 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.tagged()
    }
}

/// One of [`ApiVersionsResponse::api_keys`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ApiVersion {
    pub api_key: i16,
    pub min_version: i16,
    pub max_version: i16,
}

impl Message for ApiVersion {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i16(&mut self.api_key)?;
        f.i16(&mut self.min_version)?;
        f.i16(&mut self.max_version)?;
        f.tagged()
    }
}
