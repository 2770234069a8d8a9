//! The `TransactionalProducer` port on the fake cluster, with librdkafka's states around a transaction.
//!
//! ```text
//!  Closed ─replace─► Ready ─begin─► Open ─commit, abort─► Ready
//!                                    │ └─no answer─► Doubtful ─answer─► Ready
//!                                    └─fenced, fatal─► Failed
//! ```
//! Only `replace` helps out of `Failed`, and for certain out of `Doubtful`. After an error that requires an abort, everything but
//! `abort` repeats it.

use std::time::Duration;

use super::FakeCluster;
use super::faults::FaultKind;
use super::group::GroupMetadata;
use super::log::Outcome;
use super::pending_writes::PendingWrites;
use super::refusal::Refusal;
use super::transactions::{Late, Session};
use crate::ports::{Delivered, Generation, PortError, PortErrorClass, TransactionalProducer};
use crate::record::{Offset, OutputRecord, TopicPartition};

/// The client's queue: what is beyond it is delivered at once.
const BUFFERED_RECORDS: usize = 10_000;

const SEND: &str = "send a record";
const FLUSH: &str = "flush the producer";
const OFFSETS: &str = "add offsets to the transaction";
const REPLACE: &str = "initialise the transactional producer";

/// What is known of an EndTxn that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// It was not sent yet.
    NotSent,
    /// It may still arrive.
    UnderWay,
    /// No answer will ever come, whether it arrived or not.
    Dark,
}

enum State {
    Closed,
    Ready(Session),
    Open { session: Session, writes: PendingWrites, must_abort: Option<String> },
    Doubtful { session: Session, outcome: Outcome, doubt: Doubt },
    Failed(PortErrorClass, String),
}

/// A producer with a transactional id. Dropping it is a crash: what it left open stays open.
pub struct FakeProducer {
    cluster: FakeCluster,
    id: String,
    timeout_ms: i64,
    state: State,
    connection_lost: bool,
}

impl FakeProducer {
    pub(super) fn new(cluster: FakeCluster, id: &str, timeout_ms: i64) -> Self {
        FakeProducer { cluster, id: id.into(), timeout_ms, state: State::Closed, connection_lost: false }
    }

    /// Counts the call, and lets the id be fenced by somebody else now and then.
    fn enter(&self, operation: &'static str) -> Result<(), PortError> {
        let mut broker = self.cluster.lock();
        broker.enter().map_err(|refusal| refusal.at(operation, &self.id))?;
        if broker.dice.take(FaultKind::ProducerFenced, &self.id) {
            broker.fence(&self.id);
        }
        Ok(())
    }

    fn takes(&self, kind: FaultKind) -> bool {
        self.cluster.lock().dice.take(kind, &self.id)
    }

    /// A connection broke. librdkafka tells so in its log, unless a test wants to see what follows when it does not.
    fn lose_connection(&mut self) {
        if !self.takes(FaultKind::LossUnseen) {
            self.connection_lost = true;
        }
    }

    fn error(&self, class: PortErrorClass, operation: &'static str, what: &str) -> PortError {
        PortError::new(class, operation, format!("{}: {what}", self.id))
    }

    /// The open transaction, unless it must be aborted.
    fn usable(&mut self, operation: &'static str) -> Result<(Session, &mut PendingWrites), PortError> {
        let (class, why) = match &self.state {
            State::Open { must_abort: None, .. } => (PortErrorClass::Fatal, ""),
            State::Open { must_abort: Some(why), .. } => (PortErrorClass::RequiresAbort, why.as_str()),
            State::Failed(class, why) => (*class, why.as_str()),
            State::Closed | State::Ready(_) | State::Doubtful { .. } => (PortErrorClass::Fatal, "no transaction is open"),
        };
        let error = self.error(class, operation, why);
        match &mut self.state {
            State::Open { session, writes, must_abort: None } => Ok((*session, writes)),
            _ => Err(error),
        }
    }

    fn require_abort(&mut self, operation: &'static str, why: &str) -> PortError {
        if let State::Open { must_abort, .. } = &mut self.state {
            *must_abort = Some(why.into());
        }
        self.error(PortErrorClass::RequiresAbort, operation, why)
    }

    /// Remembers what a refusal means for the calls to come.
    fn refused(&mut self, refusal: Refusal, operation: &'static str) -> PortError {
        let error = refusal.at(operation, &self.id);
        match error.class {
            PortErrorClass::Retriable => {}
            PortErrorClass::FencedProducer | PortErrorClass::Fatal => self.state = State::Failed(error.class, refusal.to_string()),
            _ => _ = self.require_abort(operation, &refusal.to_string()),
        }
        error
    }

    /// Delivers at most `most` of the records that wait, in order.
    fn deliver(&mut self, most: usize, operation: &'static str) -> Result<(), PortError> {
        let fails_at =
            if most > 0 && self.takes(FaultKind::DeliveryFailed) { Some(self.cluster.lock().dice.up_to(most - 1)) } else { None };
        let (cluster, id) = (self.cluster.clone(), self.id.clone());
        for i in 0..most {
            let fails = fails_at == Some(i);
            let (session, writes) = self.usable(operation)?;
            let delivered = {
                let mut broker = cluster.lock();
                // A record without a good report may stand in the log all the same.
                if fails && broker.dice.coin() { Ok(()) } else { writes.deliver_next(&mut broker, &id, session) }
            };
            match delivered {
                Err(Refusal::InvalidTransactionState) => return Err(self.require_abort(operation, "INVALID_TXN_STATE")),
                Err(refusal) => return Err(self.refused(refusal, operation)),
                Ok(()) if fails => return Err(self.require_abort(operation, "a record was not delivered: message timed out")),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Asks the coordinator to end the transaction, if the request gets that far.
    fn end(&mut self, session: Session, outcome: Outcome) -> Result<(), PortError> {
        let doubt = if self.takes(FaultKind::EndTooShort) {
            Doubt::NotSent
        } else if self.takes(FaultKind::EndNeverArrives) {
            self.lose_connection();
            Doubt::Dark
        } else if self.takes(FaultKind::EndAppliedUnanswered) {
            let ended = self.cluster.lock().end_transaction(&self.id, session, outcome);
            ended.map_err(|refusal| self.refused(refusal, operation(outcome)))?;
            self.lose_connection();
            Doubt::Dark
        } else if self.takes(FaultKind::EndLate) {
            self.lose_connection();
            self.cluster.lock().send_late(&self.id, session, Late::End(outcome));
            Doubt::UnderWay
        } else {
            return self.end_now(session, outcome);
        };
        Err(self.doubt(session, outcome, doubt))
    }

    fn end_now(&mut self, session: Session, outcome: Outcome) -> Result<(), PortError> {
        let ended = self.cluster.lock().end_transaction(&self.id, session, outcome);
        match ended {
            Ok(()) => {}
            Err(refusal) if refusal.class() == PortErrorClass::Retriable => return Err(self.doubt(session, outcome, Doubt::NotSent)),
            Err(refusal) => return Err(self.refused(refusal, operation(outcome))),
        }
        if self.takes(FaultKind::LateEndCopy) {
            self.lose_connection();
            self.cluster.lock().send_late(&self.id, session, Late::End(outcome));
        }
        self.connection_lost |= self.takes(FaultKind::ConnectionLost);
        self.state = State::Ready(session);
        Ok(())
    }

    fn doubt(&mut self, session: Session, outcome: Outcome, doubt: Doubt) -> PortError {
        self.state = State::Doubtful { session, outcome, doubt };
        self.error(PortErrorClass::Retriable, operation(outcome), "the time was too short")
    }

    /// Calls again after no answer.
    fn end_again(&mut self, session: Session, outcome: Outcome, doubt: Doubt) -> Result<(), PortError> {
        match doubt {
            Doubt::NotSent => self.end(session, outcome),
            Doubt::UnderWay if !self.cluster.lock().is_under_way(&self.id, session) => self.end_now(session, outcome),
            Doubt::UnderWay | Doubt::Dark => Err(self.doubt(session, outcome, doubt)),
        }
    }

    fn finish(&mut self, outcome: Outcome) -> Result<(), PortError> {
        self.enter(operation(outcome))?;
        match self.state {
            State::Doubtful { session, outcome: asked, doubt } if asked == outcome => return self.end_again(session, outcome, doubt),
            State::Open { .. } if outcome == Outcome::Abort => {}
            _ => {
                let waiting = self.usable(operation(outcome))?.1.len();
                self.deliver(waiting, operation(outcome))?;
            }
        }
        let State::Open { session, writes, .. } = &self.state else {
            return Err(self.error(PortErrorClass::Fatal, operation(outcome), "no transaction is open"));
        };
        let session = *session;
        if !writes.reached_the_coordinator() {
            self.state = State::Ready(session);
            return Ok(());
        }
        self.end(session, outcome)
    }
}

fn operation(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Commit => "commit the transaction",
        Outcome::Abort => "abort the transaction",
    }
}

impl TransactionalProducer for FakeProducer {
    fn replace(&mut self, _timeout: Duration) -> Result<(), PortError> {
        self.state = State::Closed;
        self.connection_lost = false;
        let mut broker = self.cluster.lock();
        broker.enter().map_err(|refusal| refusal.at(REPLACE, &self.id))?;
        if broker.dice.take(FaultKind::CallDelayed, &self.id) {
            return Err(Refusal::Unavailable.at(REPLACE, &self.id));
        }
        let session = broker.init_producer(&self.id, self.timeout_ms).map_err(|refusal| refusal.at(REPLACE, &self.id))?;
        if broker.dice.take(FaultKind::ReplaceUnanswered, &self.id) {
            return Err(Refusal::Unavailable.at(REPLACE, &self.id));
        }
        self.state = State::Ready(session);
        Ok(())
    }

    fn begin(&mut self) -> Result<(), PortError> {
        const BEGIN: &str = "begin a transaction";
        match &self.state {
            State::Ready(session) => {
                self.state = State::Open { session: *session, writes: PendingWrites::default(), must_abort: None };
                self.connection_lost = false;
                Ok(())
            }
            State::Failed(class, why) => Err(self.error(*class, BEGIN, why)),
            State::Closed => Err(self.error(PortErrorClass::Fatal, BEGIN, "the producer is not initialised")),
            State::Open { .. } | State::Doubtful { .. } => Err(self.error(PortErrorClass::Fatal, BEGIN, "one is not over yet")),
        }
    }

    fn send(&mut self, record: &OutputRecord<'_>) -> Result<(), PortError> {
        self.usable(SEND)?;
        let headers: usize = record.headers.iter().map(|header| header.name.len() + header.value.as_ref().map_or(0, Vec::len)).sum();
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + headers;
        let place = {
            let mut broker = self.cluster.lock();
            broker.step += 1;
            broker.settle();
            if bytes > broker.max_record_bytes {
                return Err(self.error(PortErrorClass::RecordTooLarge, SEND, &format!("{bytes} bytes for {}", record.topic)));
            }
            broker.place(record)
        };
        let place = place.map_err(|refusal| self.refused(refusal, SEND))?;
        if self.takes(FaultKind::SendRequiresAbort) {
            return Err(self.require_abort(SEND, "injected"));
        }
        let writes = self.usable(SEND)?.1;
        writes.push(place, record);
        let waiting = writes.len();
        if waiting > BUFFERED_RECORDS || self.takes(FaultKind::EarlyDelivery) {
            let some = self.cluster.lock().dice.up_to(waiting);
            // The client delivers in the background: what goes wrong is answered by the next call.
            _ = self.deliver(some, SEND);
        }
        Ok(())
    }

    fn flush(&mut self, _timeout: Duration) -> Result<Delivered, PortError> {
        self.enter(FLUSH)?;
        let waiting = self.usable(FLUSH)?.1.len();
        if self.takes(FaultKind::FlushRequiresAbort) {
            return Err(self.require_abort(FLUSH, "injected"));
        }
        self.connection_lost |= self.takes(FaultKind::ConnectionLost);
        if waiting > 0 && self.takes(FaultKind::FlushTooShort) {
            let some = self.cluster.lock().dice.up_to(waiting - 1);
            self.deliver(some, FLUSH)?;
            return Err(self.error(PortErrorClass::Retriable, FLUSH, "the time was too short"));
        }
        self.deliver(waiting, FLUSH)?;
        Ok(self.usable(FLUSH)?.1.delivered.clone())
    }

    fn send_offsets(&mut self, offsets: &[(TopicPartition, Offset)], generation: &Generation, _timeout: Duration) -> Result<(), PortError> {
        self.enter(OFFSETS)?;
        let (session, writes) = self.usable(OFFSETS)?;
        // librdkafka drops invalid offsets and answers an empty list with success, both without asking the broker.
        let offsets: Vec<_> = offsets.iter().filter(|(_, offset)| offset.0 >= 0).cloned().collect();
        if offsets.is_empty() {
            return Ok(());
        }
        writes.offsets_sent = true;
        let Some(metadata) = generation.handle.downcast_ref::<GroupMetadata>().cloned() else {
            return Err(self.error(PortErrorClass::Fatal, OFFSETS, "the generation is not of this cluster"));
        };
        if self.takes(FaultKind::OffsetsRequireAbort) {
            return Err(self.require_abort(OFFSETS, "injected"));
        }
        let unanswered = self.takes(FaultKind::OffsetsUnanswered);
        let staged = {
            let mut broker = self.cluster.lock();
            if unanswered && broker.dice.coin() { Ok(()) } else { broker.stage_offsets(&self.id, session, &metadata, &offsets) }
        };
        if unanswered {
            self.lose_connection();
            return Err(self.error(PortErrorClass::Retriable, OFFSETS, "the time was too short"));
        }
        staged.map_err(|refusal| self.refused(refusal, OFFSETS))?;
        if self.takes(FaultKind::LateOffsetsCopy) {
            self.lose_connection();
            self.cluster.lock().send_late(&self.id, session, Late::Offsets { metadata, offsets });
        }
        Ok(())
    }

    fn commit(&mut self, _timeout: Duration) -> Result<(), PortError> {
        self.finish(Outcome::Commit)
    }

    fn abort(&mut self, _timeout: Duration) -> Result<(), PortError> {
        self.finish(Outcome::Abort)
    }

    fn connection_lost(&self) -> bool {
        self.connection_lost
    }
}
