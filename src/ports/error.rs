//! What can go wrong at a port, classed by what must follow.

/// What must follow from a failure at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortErrorClass {
    /// The same call with the same arguments may succeed later.
    Retriable,
    /// The transaction must be aborted; the producer lives on.
    RequiresAbort,
    /// The group has moved on (illegal generation, unknown member): abort, then wait for the next assignment.
    StaleGeneration,
    /// A newer producer with this transactional id exists, or the epoch is invalid: this producer is dead.
    FencedProducer,
    /// Another process joined with this static member id: stop the process by name.
    FencedInstance,
    /// It cannot be known whether the transaction was committed.
    Indefinite,
    /// A position lies outside of the log.
    OffsetOutOfRange,
    /// A topic or partition does not exist.
    UnknownTopic,
    /// Not allowed: stop what needs it and name the resource.
    Unauthorized,
    /// The record is larger than Kafka takes; nothing was sent.
    RecordTooLarge,
    /// Anything else: the client behind the port must be replaced.
    Fatal,
}

/// A failed call at a port.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation}: {detail}")]
pub struct PortError {
    /// What must follow.
    pub class: PortErrorClass,
    /// What was being tried, in words: `commit the transaction`.
    pub operation: &'static str,
    /// Which thing and what Kafka said.
    pub detail: String,
}

impl PortError {
    /// Makes an error.
    pub fn new(class: PortErrorClass, operation: &'static str, detail: impl Into<String>) -> Self {
        PortError { class, operation, detail: detail.into() }
    }

    /// True when the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        self.class == PortErrorClass::Retriable
    }
}
