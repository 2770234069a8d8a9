//! DescribeConfigs: the settings of topics and brokers, and where each value comes from.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeConfigsRequest {
    pub resources: Vec<DescribeConfigsResource>,
    pub include_synonyms: bool,
    pub include_documentation: bool,
}

impl Message for DescribeConfigsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.resources, v)?;
        f.bool(&mut self.include_synonyms)?;
        if v >= 3 {
            f.bool(&mut self.include_documentation)?;
        }
        f.tagged()
    }
}

/// One of [`DescribeConfigsRequest::resources`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeConfigsResource {
    pub resource_type: i8,
    pub resource_name: String,
    pub configuration_keys: Option<Vec<String>>,
}

impl Message for DescribeConfigsResource {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i8(&mut self.resource_type)?;
        f.string(&mut self.resource_name)?;
        f.nullable_array(&mut self.configuration_keys, v)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeConfigsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<DescribeConfigsResult>,
}

impl Message for DescribeConfigsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.results, v)?;
        f.tagged()
    }
}

/// One of [`DescribeConfigsResponse::results`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeConfigsResult {
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
    pub resource_type: i8,
    pub resource_name: String,
    pub configs: Vec<DescribeConfigsResourceResult>,
}

impl Message for DescribeConfigsResult {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        f.nullable_string(&mut self.error_message)?;
        f.i8(&mut self.resource_type)?;
        f.string(&mut self.resource_name)?;
        f.array(&mut self.configs, v)?;
        f.tagged()
    }
}

/// One of [`DescribeConfigsResult::configs`].
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeConfigsResourceResult {
    pub name: String,
    pub value: Option<String>,
    pub read_only: bool,
    pub config_source: i8,
    pub is_sensitive: bool,
    pub synonyms: Vec<DescribeConfigsSynonym>,
    pub config_type: i8,
    pub documentation: Option<String>,
}

impl Default for DescribeConfigsResourceResult {
    fn default() -> Self {
        DescribeConfigsResourceResult {
            name: Default::default(),
            value: Default::default(),
            read_only: Default::default(),
            config_source: -1,
            is_sensitive: Default::default(),
            synonyms: Default::default(),
            config_type: Default::default(),
            documentation: Default::default(),
        }
    }
}

impl Message for DescribeConfigsResourceResult {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.nullable_string(&mut self.value)?;
        f.bool(&mut self.read_only)?;
        f.i8(&mut self.config_source)?;
        f.bool(&mut self.is_sensitive)?;
        f.array(&mut self.synonyms, v)?;
        if v >= 3 {
            f.i8(&mut self.config_type)?;
            f.nullable_string(&mut self.documentation)?;
        }
        f.tagged()
    }
}

/// One of [`DescribeConfigsResourceResult::synonyms`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeConfigsSynonym {
    pub name: String,
    pub value: Option<String>,
    pub source: i8,
}

impl Message for DescribeConfigsSynonym {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.name)?;
        f.nullable_string(&mut self.value)?;
        f.i8(&mut self.source)?;
        f.tagged()
    }
}
