//! ListTransactions: the transactional ids that there are.

use crate::broker::wire::{ErrorCode, Fields, Message, WireError};

/// What a client asks.
#[derive(Debug, Clone, PartialEq)]
pub struct ListTransactionsRequest {
    pub state_filters: Vec<String>,
    pub producer_id_filters: Vec<i64>,
    pub duration_filter: i64,
}

impl Default for ListTransactionsRequest {
    fn default() -> Self {
        ListTransactionsRequest { state_filters: Default::default(), producer_id_filters: Default::default(), duration_filter: -1 }
    }
}

impl Message for ListTransactionsRequest {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.array(&mut self.state_filters, v)?;
        f.array(&mut self.producer_id_filters, v)?;
        if v >= 1 {
            f.i64(&mut self.duration_filter)?;
        }
        f.tagged()
    }
}

/// What it is answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListTransactionsResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub unknown_state_filters: Vec<String>,
    pub transaction_states: Vec<TransactionState>,
}

impl Message for ListTransactionsResponse {
    fn fields(&mut self, f: &mut impl Fields, v: i16) -> Result<(), WireError> {
        f.i32(&mut self.throttle_time_ms)?;
        f.error_code(&mut self.error_code)?;
        f.array(&mut self.unknown_state_filters, v)?;
        f.array(&mut self.transaction_states, v)?;
        f.tagged()
    }
}

/// One of [`ListTransactionsResponse::transaction_states`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TransactionState {
    pub transactional_id: String,
    pub producer_id: i64,
    pub transaction_state: String,
}

impl Message for TransactionState {
    fn fields(&mut self, f: &mut impl Fields, _v: i16) -> Result<(), WireError> {
        f.string(&mut self.transactional_id)?;
        f.i64(&mut self.producer_id)?;
        f.string(&mut self.transaction_state)?;
        f.tagged()
    }
}
