//! DescribeTransactions: the state of transactional ids.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeTransactionsRequest {
    pub transactional_ids: Vec<String>,
}

impl Message for DescribeTransactionsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.transactional_ids, v)?;
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DescribeTransactionsResponse {
    pub throttle_time_ms: i32,
    pub transaction_states: Vec<TransactionState>,
}

impl Message for DescribeTransactionsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.array(&mut self.transaction_states, v)?;
        f.tagged()
    }
}

/// One of [`DescribeTransactionsResponse::transaction_states`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TransactionState {
    pub error_code: ErrorCode,
    pub transactional_id: String,
    pub transaction_state: String,
    pub transaction_timeout_ms: i32,
    pub transaction_start_time_ms: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub topics: Vec<TopicData>,
}

impl Message for TransactionState {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.error_code(&mut self.error_code)?;
        f.string(&mut self.transactional_id)?;
        f.string(&mut self.transaction_state)?;
        f.i32(&mut self.transaction_timeout_ms)?;
        f.i64(&mut self.transaction_start_time_ms)?;
        f.i64(&mut self.producer_id)?;
        f.i16(&mut self.producer_epoch)?;
        f.array(&mut self.topics, v)?;
        f.tagged()
    }
}

/// One of [`TransactionState::topics`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TopicData {
    pub topic: String,
    pub partitions: Vec<i32>,
}

impl Message for TopicData {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.string(&mut self.topic)?;
        f.array(&mut self.partitions, v)?;
        f.tagged()
    }
}
