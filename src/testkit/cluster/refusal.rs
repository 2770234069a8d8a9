//! Why the fake broker refuses a request: Kafka's own error codes, and what must follow from each at a port.

use crate::ports::{PortError, PortErrorClass};

/// A refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("COORDINATOR_NOT_AVAILABLE")]
    Unavailable,
    #[error("CONCURRENT_TRANSACTIONS")]
    ConcurrentTransactions,
    #[error("INVALID_PRODUCER_EPOCH")]
    Fenced,
    #[error("INVALID_TXN_STATE")]
    InvalidTransactionState,
    #[error("UNKNOWN_MEMBER_ID")]
    UnknownMember,
    #[error("ILLEGAL_GENERATION")]
    IllegalGeneration,
    #[error("FENCED_INSTANCE_ID")]
    FencedInstance,
    #[error("UNSTABLE_OFFSET_COMMIT")]
    UnstableOffset,
    #[error("UNKNOWN_TOPIC_OR_PARTITION")]
    UnknownTopic,
    #[error("OFFSET_OUT_OF_RANGE")]
    OffsetOutOfRange,
    #[error("TOPIC_AUTHORIZATION_FAILED")]
    Unauthorized,
    #[error("INVALID_RECORD (a compacted topic takes no null key)")]
    InvalidRecord,
}

impl Refusal {
    /// What must follow, as librdkafka classes the code.
    pub(super) fn class(self) -> PortErrorClass {
        match self {
            Refusal::Unavailable | Refusal::ConcurrentTransactions | Refusal::UnstableOffset => PortErrorClass::Retriable,
            Refusal::Fenced => PortErrorClass::FencedProducer,
            Refusal::InvalidTransactionState => PortErrorClass::Fatal,
            Refusal::UnknownMember | Refusal::IllegalGeneration => PortErrorClass::StaleGeneration,
            Refusal::FencedInstance => PortErrorClass::FencedInstance,
            Refusal::UnknownTopic => PortErrorClass::UnknownTopic,
            Refusal::OffsetOutOfRange => PortErrorClass::OffsetOutOfRange,
            Refusal::Unauthorized => PortErrorClass::Unauthorized,
            Refusal::InvalidRecord => PortErrorClass::RequiresAbort,
        }
    }

    /// The same as a port's error.
    pub(super) fn at(self, operation: &'static str, detail: impl std::fmt::Display) -> PortError {
        PortError::new(self.class(), operation, format!("{detail}: {self}"))
    }
}
