//! From Kafka's error codes to what must follow from them: one table.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::ffi::NativeError;
use crate::ports::{PortError, PortErrorClass};

/// What must follow from an error code, where the call itself does not know better.
pub(super) fn class_of(code: RDKafkaErrorCode) -> PortErrorClass {
    use RDKafkaErrorCode as Code;
    match code {
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::TimedOutQueue
        | Code::MessageTimedOut
        | Code::RequestTimedOut
        | Code::NetworkException
        | Code::WaitingForCoordinator
        | Code::CoordinatorNotAvailable
        | Code::CoordinatorLoadInProgress
        | Code::NotCoordinator
        | Code::NotController
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::PreferredLeaderNotAvailable
        | Code::EligibleLeadersNotAvailable
        | Code::BrokerNotAvailable
        | Code::ReplicaNotAvailable
        | Code::UnknownBroker
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::FencedLeaderEpoch
        | Code::UnknownLeaderEpoch
        | Code::OffsetNotAvailable
        | Code::KafkaStorageError
        | Code::ConcurrentTransactions
        | Code::UnstableOffsetCommit
        | Code::ThrottlingQuotaExceeded
        | Code::QueueFull
        | Code::InProgress
        | Code::PreviousInProgress
        | Code::Interrupted
        | Code::Retry => PortErrorClass::Retriable,

        Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress | Code::StaleMemberEpoch | Code::FencedMemberEpoch => {
            PortErrorClass::StaleGeneration
        }

        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => PortErrorClass::FencedProducer,

        Code::FencedInstanceId | Code::UnreleasedInstanceId => PortErrorClass::FencedInstance,

        Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::LogTruncation => PortErrorClass::OffsetOutOfRange,

        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId => PortErrorClass::UnknownTopic,

        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication => PortErrorClass::Unauthorized,

        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => PortErrorClass::RecordTooLarge,

        _ => PortErrorClass::Fatal,
    }
}

/// A failure with a bare error code; `resource` names the thing it happened to.
pub(super) fn from_code(operation: &'static str, resource: &str, code: RDKafkaErrorCode) -> PortError {
    PortError::new(class_of(code), operation, format!("{resource}: {code}"))
}

/// A failure from rdkafka's safe interface. Values of settings are never repeated: one might be a password.
pub(super) fn from_kafka(operation: &'static str, resource: &str, error: &KafkaError) -> PortError {
    match error {
        KafkaError::ClientConfig(_, _, key, _) => {
            PortError::new(PortErrorClass::Fatal, operation, format!("{resource}: librdkafka refuses the property `{key}` or its value"))
        }
        other => match other.rdkafka_error_code() {
            Some(code) => from_code(operation, resource, code),
            None => PortError::new(PortErrorClass::Fatal, operation, format!("{resource}: {other}")),
        },
    }
}

/// A failure of a transactional call. Who was fenced, refused or not authorized is told by the code; for the rest librdkafka says
/// itself whether to abort or to call again.
pub(super) fn from_transaction(operation: &'static str, resource: &str, error: &NativeError) -> PortError {
    let class = match class_of(error.code) {
        class @ (PortErrorClass::StaleGeneration
        | PortErrorClass::FencedProducer
        | PortErrorClass::FencedInstance
        | PortErrorClass::Unauthorized) => class,
        _ if error.is_fatal => PortErrorClass::Fatal,
        _ if error.requires_abort => PortErrorClass::RequiresAbort,
        _ if error.is_retriable => PortErrorClass::Retriable,
        _ => PortErrorClass::Fatal,
    };
    PortError::new(class, operation, format!("{resource}: {} ({})", error.text, error.code))
}

/// A failed call that says more than a code.
pub(super) fn from_native(operation: &'static str, resource: &str, error: &NativeError) -> PortError {
    PortError::new(class_of(error.code), operation, format!("{resource}: {} ({})", error.text, error.code))
}

/// True for codes after which nobody knows whether the broker has taken the request.
pub(super) fn leaves_outcome_open(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::NetworkException
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::Unknown
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn native(code: RDKafkaErrorCode, is_fatal: bool, requires_abort: bool, is_retriable: bool) -> NativeError {
        NativeError { code, text: "text".into(), is_fatal, is_retriable, requires_abort }
    }

    #[test]
    fn a_stale_generation_is_told_apart_from_an_ordinary_abort() {
        let class = |error: NativeError| from_transaction("commit", "g", &error).class;
        assert_eq!(class(native(RDKafkaErrorCode::IllegalGeneration, false, true, false)), PortErrorClass::StaleGeneration);
        assert_eq!(class(native(RDKafkaErrorCode::Fenced, true, false, false)), PortErrorClass::FencedProducer);
        assert_eq!(class(native(RDKafkaErrorCode::FencedInstanceId, false, true, false)), PortErrorClass::FencedInstance);
        assert_eq!(class(native(RDKafkaErrorCode::Inconsistent, false, true, false)), PortErrorClass::RequiresAbort);
        assert_eq!(class(native(RDKafkaErrorCode::OperationTimedOut, false, false, true)), PortErrorClass::Retriable);
        assert_eq!(class(native(RDKafkaErrorCode::State, false, false, false)), PortErrorClass::Fatal);
    }

    #[test]
    fn a_refused_setting_is_named_without_its_value() {
        let error = KafkaError::ClientConfig(
            rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "invalid value hunter2".into(),
            "sasl.password".into(),
            "hunter2".into(),
        );
        let shown = from_kafka("connect", "producer", &error).to_string();
        assert!(shown.contains("sasl.password") && !shown.contains("hunter2"), "{shown}");
    }
}
