//! The producer port without transactions on the fake cluster.
//!
//! Each record is visible as soon as it is delivered. What was handed over and not delivered when the producer is replaced or dropped
//! may arrive later all the same, in order: nobody is fenced.

use std::time::Duration;

use super::FakeCluster;
use super::faults::FaultKind;
use super::pending_writes::PendingWrites;
use super::refusal::Refusal;
use crate::ports::{Delivered, Generation, PortError, PortErrorClass, TransactionalProducer};
use crate::record::{Offset, OutputRecord, TopicPartition};

const SEND: &str = "send a record";
const FLUSH: &str = "flush the producer";

/// A producer without transactions. Dropping it is a crash.
pub struct FakePlainProducer {
    cluster: FakeCluster,
    name: String,
    is_ready: bool,
    writes: PendingWrites,
    /// Why it takes no more.
    failed: Option<String>,
}

impl FakePlainProducer {
    pub(super) fn new(cluster: FakeCluster, name: &str) -> Self {
        FakePlainProducer { cluster, name: name.into(), is_ready: false, writes: PendingWrites::default(), failed: None }
    }

    fn error(&self, class: PortErrorClass, operation: &'static str, what: &str) -> PortError {
        PortError::new(class, operation, format!("{}: {what}", self.name))
    }

    fn fail(&mut self, operation: &'static str, what: &str) -> PortError {
        self.failed = Some(what.into());
        self.error(PortErrorClass::RequiresAbort, operation, what)
    }

    fn usable(&self, operation: &'static str) -> Result<(), PortError> {
        match &self.failed {
            Some(why) => Err(self.error(PortErrorClass::RequiresAbort, operation, why)),
            None if !self.is_ready => Err(self.error(PortErrorClass::Fatal, operation, "no producer was made")),
            None => Ok(()),
        }
    }

    fn takes(&self, kind: FaultKind) -> bool {
        self.cluster.lock().dice.take(kind, &self.name)
    }

    fn deliver(&mut self, most: usize, operation: &'static str) -> Result<(), PortError> {
        let fails_at =
            if most > 0 && self.takes(FaultKind::DeliveryFailed) { Some(self.cluster.lock().dice.up_to(most - 1)) } else { None };
        for at in 0..most {
            let fails = fails_at == Some(at);
            let cluster = self.cluster.clone();
            let mut broker = cluster.lock();
            // A record without a good report may stand in the log all the same.
            if !(fails && broker.dice.coin())
                && let Err(refusal) = self.writes.deliver_next_plain(&mut broker)
            {
                drop(broker);
                self.failed = Some(refusal.to_string());
                return Err(refusal.at(operation, &self.name));
            }
            drop(broker);
            if fails {
                return Err(self.fail(operation, "a record was not delivered: message timed out"));
            }
        }
        Ok(())
    }

    /// The client ends; what it had sent may still arrive.
    fn let_go(&mut self) {
        let mut broker = self.cluster.lock();
        if broker.dice.is_wild() && self.writes.len() > 0 {
            let some = broker.dice.up_to(self.writes.len());
            broker.dice.note(&format!("{some} records of {} are still on their way", self.name));
            let late = self.writes.take(some);
            broker.send_records_late(late);
        }
        self.writes = PendingWrites::default();
        self.failed = None;
    }
}

impl TransactionalProducer for FakePlainProducer {
    fn replace(&mut self, _timeout: Duration) -> Result<(), PortError> {
        self.let_go();
        self.is_ready = true;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), PortError> {
        self.usable("begin")?;
        self.writes.delivered.clear();
        Ok(())
    }

    fn send(&mut self, record: &OutputRecord<'_>) -> Result<(), PortError> {
        self.usable(SEND)?;
        let place = {
            let mut broker = self.cluster.lock();
            broker.step += 1;
            broker.settle();
            broker.place(record)
        };
        let place = place.map_err(|refusal| refusal.at(SEND, &self.name))?;
        if self.takes(FaultKind::SendRequiresAbort) {
            return Err(self.fail(SEND, "injected"));
        }
        self.writes.push(place, record);
        if self.takes(FaultKind::EarlyDelivery) {
            let some = self.cluster.lock().dice.up_to(self.writes.len());
            // The client delivers in the background: what goes wrong is answered by the next call.
            _ = self.deliver(some, SEND);
        }
        Ok(())
    }

    fn flush(&mut self, _timeout: Duration) -> Result<Delivered, PortError> {
        self.cluster.lock().enter().map_err(|refusal| refusal.at(FLUSH, &self.name))?;
        self.usable(FLUSH)?;
        if self.takes(FaultKind::FlushRequiresAbort) {
            return Err(self.fail(FLUSH, "injected"));
        }
        let waiting = self.writes.len();
        if waiting > 0 && self.takes(FaultKind::FlushTooShort) {
            let some = self.cluster.lock().dice.up_to(waiting - 1);
            self.deliver(some, FLUSH)?;
            return Err(Refusal::Unavailable.at(FLUSH, format!("{}: the time was too short", self.name)));
        }
        self.deliver(waiting, FLUSH)?;
        self.cluster.lock().maybe_crash();
        Ok(self.writes.delivered.clone())
    }

    fn send_offsets(&mut self, _: &[(TopicPartition, Offset)], _: &Generation, _: Duration) -> Result<(), PortError> {
        Err(self.error(PortErrorClass::Fatal, "add offsets to the transaction", "has no transactions"))
    }

    fn commit(&mut self, _timeout: Duration) -> Result<(), PortError> {
        self.usable("commit")
    }

    fn abort(&mut self, _timeout: Duration) -> Result<(), PortError> {
        self.let_go();
        self.is_ready = false;
        Ok(())
    }

    fn connection_lost(&self) -> bool {
        false
    }
}

impl Drop for FakePlainProducer {
    fn drop(&mut self) {
        self.let_go();
    }
}
