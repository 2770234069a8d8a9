//! FindCoordinator: which broker keeps a group or a transactional id.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FindCoordinatorRequest {
    pub key: String,
    pub key_type: i8,
    pub coordinator_keys: Vec<String>,
}

impl Message for FindCoordinatorRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v <= 3 {
            f.string(&mut self.key)?;
        }
        if v >= 1 {
            f.i8(&mut self.key_type)?;
        }
        if v >= 4 {
            f.array(&mut self.coordinator_keys, v)?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FindCoordinatorResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub coordinators: Vec<Coordinator>,
}

impl Message for FindCoordinatorResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        if v >= 1 {
            f.i32(&mut self.throttle_time_ms)?;
        }
        if v <= 3 {
            f.error_code(&mut self.error_code)?;
        }
        if (1..=3).contains(&v) {
            f.nullable_string(&mut self.error_message)?;
        }
        if v <= 3 {
            f.i32(&mut self.node_id)?;
            f.string(&mut self.host)?;
            f.i32(&mut self.port)?;
        }
        if v >= 4 {
            f.array(&mut self.coordinators, v)?;
        }
        f.tagged()
    }
}

/// One of [`FindCoordinatorResponse::coordinators`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Coordinator {
    pub key: String,
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<String>,
}

impl Message for Coordinator {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.key)?;
        f.i32(&mut self.node_id)?;
        f.string(&mut self.host)?;
        f.i32(&mut self.port)?;
        f.error_code(&mut self.error_code)?;
        f.nullable_string(&mut self.error_message)?;
        f.tagged()
    }
}
