//! A Kafka cluster in memory, driven by a seed and a manual clock: real enough for the engine's guarantees to break on it.
//!
//! [`FakeCluster`] hands out all ports and lets a test look behind them. There are no threads and no waiting: every call returns at
//! once, time-outs are judged by the [`ManualClock`], and what a background thread would do happens in [`FakeCluster::tick`].
//!
//! ```text
//!  FakeMembership ──► group_client (librdkafka's background thread) ──► group ─► assignor
//!  FakeProducer ────► pending_writes ──► transactions ──markers──► log, group_offsets
//!  FakePlainProducer ► pending_writes ───────────────────────────► log
//!  FakeDataConsumer, FakeChangelogReader ──────────────────────────► log
//! ```
//! A simulation moves the clock a little (below the session time-out, or the whole group is out), ticks, and lets its threads step.
//! To crash a process, drop its ports: an open transaction stays open and a member stays in the group until they time out or
//! somebody with the same id comes. To stop one as SIGSTOP does, [`FakeCluster::pause`] it and do not call its ports.
//!
//! One habit of real brokers that a simulation of liveness stumbles over: a static member that is restarted between a revoke and the
//! rejoin that follows takes its place over in the same generation, and what it should have handed over belongs to nobody until the
//! next rebalance ([`FakeCluster::rebalance`]).
//!
//! What it does not model: replicas (the high watermark is the log's end), broker restarts that lose data, sequence numbers,
//! quotas, and the metadata bugs that make growing the task log under a pending revoke unsafe.

mod admin;
mod assignor;
mod broker;
mod changelog_reader;
mod data_consumer;
mod faults;
mod group;
mod group_client;
mod group_offsets;
mod inspect;
mod log;
mod look;
mod membership;
mod pending_writes;
mod plain_producer;
mod producer;
mod refusal;
mod transactions;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use admin::FakeAdmin;
pub use changelog_reader::FakeChangelogReader;
pub use data_consumer::{FakeDataConsumer, FakeMessage};
pub use faults::{FaultKind, Faults};
pub use group_client::MemberConfig;
pub use inspect::MemberView;
pub use log::{Isolation, StoredRecord, Tombstones};
pub use look::Look;
pub use membership::FakeMembership;
pub use plain_producer::FakePlainProducer;
pub use producer::FakeProducer;
pub use transactions::{OpenTransaction, TRANSACTION_SWEEP_MS};

use crate::clock::ManualClock;
use crate::ports::ThreadPorts;
use broker::Broker;
use group::Group;
use group_client::GroupClient;

/// `transaction.timeout.ms` of the engine's producers.
const TRANSACTION_TIMEOUT_MS: i64 = 10_000;

/// How far [`FakeCluster::advance`] moves the clock between two ticks.
const TICK_MS: u64 = 500;

/// A handle on the cluster; clones share it.
#[derive(Clone)]
pub struct FakeCluster {
    broker: Arc<Mutex<Broker>>,
}

/// The ports of one stream thread on the fake cluster.
pub struct FakePorts;

impl ThreadPorts for FakePorts {
    type Membership = FakeMembership;
    type Data = FakeDataConsumer;
    type Producer = FakeProducer;
}

/// The ports of a stream thread that works without transactions.
pub struct FakePlainPorts;

impl ThreadPorts for FakePlainPorts {
    type Membership = FakeMembership;
    type Data = FakeDataConsumer;
    type Producer = FakePlainProducer;
}

/// What a caller unwinds with when it crashes ([`FakeCluster::crash_in`]).
pub struct Crash;

impl FakeCluster {
    /// An empty cluster in which nothing goes wrong yet. The seed decides all that faults leave to chance.
    pub fn new(seed: u64, clock: ManualClock) -> Self {
        FakeCluster { broker: Arc::new(Mutex::new(Broker::new(seed, clock))) }
    }

    fn lock(&self) -> MutexGuard<'_, Broker> {
        // A test that panicked elsewhere may still want to read the trace.
        self.broker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A group consumer that subscribes to the task log. It joins in the next ticks and polls.
    pub fn membership(&self, group: &str, config: MemberConfig, task_log: &str) -> FakeMembership {
        let mut broker = self.lock();
        let now_ms = broker.now_ms();
        broker.last_client += 1;
        let client = broker.last_client;
        broker.groups.entry(group.into()).or_insert_with(|| Group::new(0));
        broker.group_topics.insert(group.into(), task_log.into());
        broker.clients.insert(client, GroupClient::new(group, config, now_ms));
        drop(broker);
        FakeMembership::new(self.clone(), client)
    }

    /// A consumer of source partitions.
    pub fn data_consumer(&self) -> FakeDataConsumer {
        FakeDataConsumer::new(self.clone())
    }

    /// A producer with the engine's transaction time-out (10 s). It must be [`replace`d](crate::ports::TransactionalProducer::replace)
    /// before its first transaction.
    pub fn producer(&self, transactional_id: &str) -> FakeProducer {
        self.producer_with_timeout(transactional_id, TRANSACTION_TIMEOUT_MS)
    }

    /// A producer with a transaction time-out of its own.
    pub fn producer_with_timeout(&self, transactional_id: &str, transaction_timeout_ms: i64) -> FakeProducer {
        FakeProducer::new(self.clone(), transactional_id, transaction_timeout_ms)
    }

    /// A producer without transactions.
    pub fn plain_producer(&self, name: &str) -> FakePlainProducer {
        FakePlainProducer::new(self.clone(), name)
    }

    /// Lets whoever makes the call after so many others unwind with [`Crash`] as its payload, as if its process had ended there;
    /// `None` calls that off.
    pub fn crash_in(&self, calls: Option<u64>) {
        self.lock().crash_in = calls;
    }

    /// A reader of logs and of one group's offsets.
    pub fn changelog_reader(&self, group: &str) -> FakeChangelogReader {
        FakeChangelogReader::new(self.clone(), group)
    }

    /// Administration.
    pub fn admin(&self) -> FakeAdmin {
        FakeAdmin::new(self.clone())
    }

    /// Lets the background thread of every member run once: heartbeats, joins, its own time-outs.
    pub fn tick(&self) {
        self.lock().tick();
    }

    /// Moves the clock on in small steps with a tick after each, so that members that live stay in their groups.
    pub fn advance(&self, by: Duration) {
        let clock = self.lock().clock.clone();
        let mut left_ms = by.as_millis() as u64;
        while left_ms > 0 {
            let step_ms = left_ms.min(TICK_MS);
            clock.advance(Duration::from_millis(step_ms));
            self.tick();
            left_ms -= step_ms;
        }
    }

    /// Stops every member of this name as SIGSTOP does: no heartbeat until it is resumed. Its ports must not be called meanwhile.
    pub fn pause(&self, member_name: &str) {
        self.set_paused(member_name, true);
    }

    /// Lets paused members go on.
    pub fn resume(&self, member_name: &str) {
        self.set_paused(member_name, false);
    }

    fn set_paused(&self, member_name: &str, paused: bool) {
        let mut broker = self.lock();
        broker.settle();
        let mut changed = false;
        for client in broker.clients.values_mut().filter(|client| client.config.name == member_name) {
            changed |= client.paused != paused;
            client.paused = paused;
        }
        if changed {
            broker.dice.note(&format!("{member_name} is {}", if paused { "paused" } else { "resumed" }));
        }
    }

    /// Takes the brokers away or brings them back. Meanwhile calls are `Retriable` and nothing times out but what clients judge by
    /// themselves; members get a whole session afterwards.
    pub fn set_reachable(&self, reachable: bool) {
        let mut broker = self.lock();
        broker.settle();
        broker.dice.note(if reachable { "the brokers are back" } else { "the brokers are gone" });
        broker.reachable = reachable;
        let now_ms = broker.now_ms();
        if reachable {
            broker.groups.values_mut().for_each(|group| group.renew_sessions(now_ms));
        }
    }

    /// Switches faults on or off.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().dice.faults = faults;
    }

    /// Lets everything arrive that is still under way: late markers and late requests.
    pub fn deliver_late(&self) {
        let mut broker = self.lock();
        broker.settle();
        broker.land_due(u64::MAX);
    }
}
