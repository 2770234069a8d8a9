//! DescribeCluster: the brokers.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeClusterRequest {
    pub include_cluster_authorized_operations: bool,
    pub endpoint_type: i8,
}

impl Default for DescribeClusterRequest {
    fn default() -> Self {
        DescribeClusterRequest { include_cluster_authorized_operations: Default::default(), endpoint_type: 1 }
    }
}

impl Message for DescribeClusterRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.bool(&mut self.include_cluster_authorized_operations)?;
        if v >= 1 {
            f.i8(&mut self.endpoint_type)?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeClusterResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
    pub endpoint_type: i8,
    pub cluster_id: String,
    pub controller_id: i32,
    pub brokers: Vec<DescribeClusterBroker>,
    pub cluster_authorized_operations: i32,
}

impl Default for DescribeClusterResponse {
    fn default() -> Self {
        DescribeClusterResponse {
            throttle_time_ms: Default::default(),
            error_code: Default::default(),
            error_message: None,
            endpoint_type: 1,
            cluster_id: Default::default(),
            controller_id: -1,
            brokers: Default::default(),
            cluster_authorized_operations: -2147483648,
        }
    }
}

impl Message for DescribeClusterResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.error_code(&mut self.error_code)?;
        f.nullable_string(&mut self.error_message)?;
        if v >= 1 {
            f.i8(&mut self.endpoint_type)?;
        }
        f.string(&mut self.cluster_id)?;
        f.i32(&mut self.controller_id)?;
        f.array(&mut self.brokers, v)?;
        f.i32(&mut self.cluster_authorized_operations)?;
        f.tagged()
    }
}

/// One of [`DescribeClusterResponse::brokers`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeClusterBroker {
    pub broker_id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

impl Message for DescribeClusterBroker {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.i32(&mut self.broker_id)?;
        f.string(&mut self.host)?;
        f.i32(&mut self.port)?;
        f.nullable_string(&mut self.rack)?;
        f.tagged()
    }
}
