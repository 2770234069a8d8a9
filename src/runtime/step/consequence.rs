//! The one place that decides what follows a failure: from what the thread was doing, and from the failure's class.
//!
//! | class | in a transaction | replacing the producer | polling the group | fetching |
//! |---|---|---|---|---|
//! | retriable | abort | again | again | again |
//! | requires abort | abort | counted | stop | stop |
//! | record too large | abort, counted | counted | stop | stop |
//! | stale generation | abort, await the next assignment | counted | stop | stop |
//! | fenced instance | the same: the group's poll tells whether another client is there | counted | [`super::fence`] decides | stop |
//! | indefinite | start over: the marker tells | counted | stop | stop |
//! | fenced producer, fatal, unknown topic | start over, counted | counted | stop | stop |
//! | offset out of range | start over, counted | counted | stop | stop: records lost |
//! | unauthorized | stop, with the resource | stop | stop | stop |
//!
//! Without transactions an abort undoes nothing in Kafka: it is a start over. Committing offsets then stands alone: a stale generation or fenced
//! instance awaits the next assignment, unauthorized stops, and anything else is made up for by the next commit.
//!
//! Within a transaction a retriable failure has already been tried until the transaction's deadline ([`super::commit`]).

use super::ThreadError;
use crate::ports::{PortError, PortErrorClass};

/// What the thread was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Anything from the begin to the end of a transaction.
    Transaction,
    /// Telling the group offsets, outside of any transaction.
    CommittingOffsets,
    /// Making a new producer ready.
    ReplacingProducer,
    /// Serving the group.
    PollingGroup,
    /// Taking over records.
    Fetching,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Nothing was lost: the next step does the same again.
    Again,
    /// The transaction is aborted with everything undone; all tasks go back to their last commit.
    Abort,
    /// The same, but more than 3 in 5 minutes stop the thread.
    AbortCounted,
    /// Aborted, and none begins before the group's next assignment.
    AbortAndAwaitAssignment,
    /// All tasks are closed, the producer is replaced, every marker is read again: the start decision finds what Kafka decided.
    StartOver,
    /// The same, but more than 3 in 5 minutes stop the thread.
    StartOverCounted,
    /// Tried again, but more than 3 in 5 minutes stop the thread.
    AgainCounted,
    /// The thread stops by name.
    Stop(Stop),
}

/// By which name a thread stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Unauthorized,
    OffsetsLost,
    Client,
}

impl Stop {
    pub(super) fn with(self, error: PortError) -> ThreadError {
        match self {
            Stop::Unauthorized => ThreadError::Unauthorized(error),
            Stop::OffsetsLost => ThreadError::OffsetsLost(error),
            Stop::Client => ThreadError::Port(error),
        }
    }
}

/// The table above.
pub(super) fn consequence(doing: Doing, class: PortErrorClass) -> Consequence {
    use PortErrorClass as C;
    match (doing, class) {
        (_, C::Unauthorized) => Consequence::Stop(Stop::Unauthorized),

        (Doing::Transaction, C::Retriable | C::RequiresAbort) => Consequence::Abort,
        // The record at fault is found when it is processed again. If only the broker refuses it, it is not: then this ends.
        (Doing::Transaction, C::RecordTooLarge) => Consequence::AbortCounted,
        // After a silent rejoin our own new member id makes the old one look fenced.
        (Doing::Transaction, C::StaleGeneration | C::FencedInstance) => Consequence::AbortAndAwaitAssignment,
        (Doing::Transaction, C::Indefinite) => Consequence::StartOver,
        (Doing::Transaction, C::FencedProducer | C::Fatal | C::OffsetOutOfRange | C::UnknownTopic) => Consequence::StartOverCounted,

        (Doing::CommittingOffsets, C::StaleGeneration | C::FencedInstance) => Consequence::AbortAndAwaitAssignment,
        (Doing::CommittingOffsets, _) => Consequence::Again,

        (Doing::ReplacingProducer | Doing::PollingGroup | Doing::Fetching, C::Retriable) => Consequence::Again,
        (Doing::ReplacingProducer, _) => Consequence::AgainCounted,
        (Doing::Fetching, C::OffsetOutOfRange) => Consequence::Stop(Stop::OffsetsLost),
        (Doing::PollingGroup | Doing::Fetching, _) => Consequence::Stop(Stop::Client),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stop_by_name_or_a_count_ends_a_thread_and_nothing_uncertain_is_taken_for_a_no() {
        use PortErrorClass as C;
        let expected = [
            (C::Retriable, Consequence::Abort, Consequence::Again, Consequence::Again),
            (C::RequiresAbort, Consequence::Abort, Consequence::Stop(Stop::Client), Consequence::Stop(Stop::Client)),
            (C::StaleGeneration, Consequence::AbortAndAwaitAssignment, Consequence::Stop(Stop::Client), Consequence::Stop(Stop::Client)),
            (C::FencedProducer, Consequence::StartOverCounted, Consequence::Stop(Stop::Client), Consequence::Stop(Stop::Client)),
            (C::FencedInstance, Consequence::AbortAndAwaitAssignment, Consequence::Stop(Stop::Client), Consequence::Stop(Stop::Client)),
            (C::Indefinite, Consequence::StartOver, Consequence::Stop(Stop::Client), Consequence::Stop(Stop::Client)),
            (C::OffsetOutOfRange, Consequence::StartOverCounted, Consequence::Stop(Stop::Client), Consequence::Stop(Stop::OffsetsLost)),
            (C::UnknownTopic, Consequence::StartOverCounted, Consequence::Stop(Stop::Client), Consequence::Stop(Stop::Client)),
            (C::RecordTooLarge, Consequence::AbortCounted, Consequence::Stop(Stop::Client), Consequence::Stop(Stop::Client)),
            (C::Fatal, Consequence::StartOverCounted, Consequence::Stop(Stop::Client), Consequence::Stop(Stop::Client)),
        ];
        for (class, transaction, polling, fetching) in expected {
            assert_eq!(consequence(Doing::Transaction, class), transaction, "{class:?}");
            assert_eq!(consequence(Doing::PollingGroup, class), polling, "{class:?}");
            assert_eq!(consequence(Doing::Fetching, class), fetching, "{class:?}");
            let replacing = if class == C::Retriable { Consequence::Again } else { Consequence::AgainCounted };
            assert_eq!(consequence(Doing::ReplacingProducer, class), replacing, "{class:?}");
            let refused = matches!(class, C::StaleGeneration | C::FencedInstance);
            let committing = if refused { Consequence::AbortAndAwaitAssignment } else { Consequence::Again };
            assert_eq!(consequence(Doing::CommittingOffsets, class), committing, "{class:?}");
        }
        for doing in [Doing::Transaction, Doing::CommittingOffsets, Doing::ReplacingProducer, Doing::PollingGroup, Doing::Fetching] {
            assert_eq!(consequence(doing, C::Unauthorized), Consequence::Stop(Stop::Unauthorized));
        }
    }
}
