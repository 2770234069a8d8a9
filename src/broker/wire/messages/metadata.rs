//! Metadata: the brokers, and the topics with their partitions.

use uuid::Uuid;

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRequest {
    pub topics: Option<Vec<MetadataRequestTopic>>,
    pub allow_auto_topic_creation: bool,
    pub include_cluster_authorized_operations: bool,
    pub include_topic_authorized_operations: bool,
}

impl Default for MetadataRequest {
    fn default() -> Self {
        MetadataRequest {
            topics: Default::default(),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: Default::default(),
            include_topic_authorized_operations: Default::default(),
        }
    }
}

impl Message for MetadataRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 1 {
            f.nullable_array(&mut self.topics, v)?;
        } else {
            f.array(self.topics.get_or_insert_default(), v)?;
        }
        if v >= 4 {
            f.bool(&mut self.allow_auto_topic_creation)?;
        }
        if (8..=10).contains(&v) {
            f.bool(&mut self.include_cluster_authorized_operations)?;
        }
        if v >= 8 {
            f.bool(&mut self.include_topic_authorized_operations)?;
        }
        f.tagged()
    }
}

/// One of [`MetadataRequest::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetadataRequestTopic {
    pub topic_id: Uuid,
    pub name: Option<String>,
}

impl Message for MetadataRequestTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 10 {
            f.uuid(&mut self.topic_id)?;
        }
        if v >= 10 {
            f.nullable_string(&mut self.name)?;
        } else {
            f.string(self.name.get_or_insert_default())?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponse {
    pub throttle_time_ms: i32,
    pub brokers: Vec<MetadataResponseBroker>,
    pub cluster_id: Option<String>,
    pub controller_id: i32,
    pub topics: Vec<MetadataResponseTopic>,
    pub cluster_authorized_operations: i32,
}

impl Default for MetadataResponse {
    fn default() -> Self {
        MetadataResponse {
            throttle_time_ms: Default::default(),
            brokers: Default::default(),
            cluster_id: None,
            controller_id: -1,
            topics: Default::default(),
            cluster_authorized_operations: -2147483648,
        }
    }
}

impl Message for MetadataResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 3 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        f.array(&mut self.brokers, v)?;
        if v >= 2 {
            f.nullable_string(&mut self.cluster_id)?;
        }
        if v >= 1 {
            f.i32(&mut self.controller_id)?;
        }
        f.array(&mut self.topics, v)?;
        if (8..=10).contains(&v) {
            f.i32(&mut self.cluster_authorized_operations)?;
        }
        f.tagged()
    }
}

/// One of [`MetadataResponse::brokers`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetadataResponseBroker {
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

impl Message for MetadataResponseBroker {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.node_id)?;
        f.string(&mut self.host)?;
        f.i32(&mut self.port)?;
        if v >= 1 {
            f.nullable_string(&mut self.rack)?;
        }
        f.tagged()
    }
}

/// One of [`MetadataResponse::topics`].
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponseTopic {
    pub error_code: ErrorCode,
    pub name: Option<String>,
    pub topic_id: Uuid,
    pub is_internal: bool,
    pub partitions: Vec<MetadataResponsePartition>,
    pub topic_authorized_operations: i32,
}

impl Default for MetadataResponseTopic {
    fn default() -> Self {
        MetadataResponseTopic {
            error_code: Default::default(),
            name: Default::default(),
            topic_id: Default::default(),
            is_internal: Default::default(),
            partitions: Default::default(),
            topic_authorized_operations: -2147483648,
        }
    }
}

impl Message for MetadataResponseTopic {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        if v >= 12 {
            f.nullable_string(&mut self.name)?;
        } else {
            f.string(self.name.get_or_insert_default())?;
        }
        if v >= 10 {
            f.uuid(&mut self.topic_id)?;
        }
        if v >= 1 {
            f.bool(&mut self.is_internal)?;
        }
        f.array(&mut self.partitions, v)?;
        if v >= 8 {
            f.i32(&mut self.topic_authorized_operations)?;
        }
        f.tagged()
    }
}

/// One of [`MetadataResponseTopic::partitions`].
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponsePartition {
    pub error_code: ErrorCode,
    pub partition_index: i32,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    pub offline_replicas: Vec<i32>,
}

impl Default for MetadataResponsePartition {
    fn default() -> Self {
        MetadataResponsePartition {
            error_code: Default::default(),
            partition_index: Default::default(),
            leader_id: Default::default(),
            leader_epoch: -1,
            replica_nodes: Default::default(),
            isr_nodes: Default::default(),
            offline_replicas: Default::default(),
        }
    }
}

impl Message for MetadataResponsePartition {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        f.i32(&mut self.partition_index)?;
        f.i32(&mut self.leader_id)?;
        if v >= 7 {
            f.i32(&mut self.leader_epoch)?;
        }
        f.array(&mut self.replica_nodes, v)?;
        f.array(&mut self.isr_nodes, v)?;
        if v >= 5 {
            f.array(&mut self.offline_replicas, v)?;
        }
        f.tagged()
    }
}
