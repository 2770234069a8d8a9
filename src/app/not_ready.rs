//! Why an instance does not start yet, or not at all.

use crate::ports::{PortError, PortErrorClass};
use crate::runtime::{ProvisionError, TokenError};

/// Why the topics are not ready.
pub(super) enum NotReady {
    /// Kafka is not there yet, or not there any more.
    Later(String),
    /// A person must change something.
    Never(String),
}

impl From<PortError> for NotReady {
    fn from(error: PortError) -> Self {
        match error.class {
            // Another instance gives tokens their meaning at this moment: what it gave is read at the next attempt.
            PortErrorClass::FencedProducer
            | PortErrorClass::RequiresAbort
            | PortErrorClass::Indefinite
            | PortErrorClass::Retriable
            // What was just made or grown is not known to all clients yet; what is missing for good was told by name before.
            | PortErrorClass::UnknownTopic => {
                NotReady::Later(error.to_string())
            }
            _ => NotReady::Never(error.to_string()),
        }
    }
}

impl From<ProvisionError> for NotReady {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::Port(error) => error.into(),
            faults => NotReady::Never(faults.to_string()),
        }
    }
}

impl From<TokenError> for NotReady {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Port(error) => error.into(),
            TokenError::Unstable { .. } => NotReady::Later(error.to_string()),
            other => NotReady::Never(other.to_string()),
        }
    }
}
