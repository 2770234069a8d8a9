//! The `Membership` port on the fake cluster.

use std::sync::Arc;
use std::time::Duration;

use super::FakeCluster;
use super::broker::Broker;
use super::faults::FaultKind;
use super::group::GroupMetadata;
use super::group_client::{GroupClient, Served};
use super::refusal::Refusal;
use crate::ports::{Generation, Membership, MembershipEvent, PortError, PortErrorClass};
use crate::record::{Offset, TopicPartition};

/// Events of one poll, at most: a rebalance brings two, a lost place and a new one a few more.
const EVENTS_PER_POLL: usize = 16;

/// A group consumer. Dropping it is a crash: the group finds out by its session time-out.
pub struct FakeMembership {
    cluster: FakeCluster,
    client: u64,
}

impl FakeMembership {
    pub(super) fn new(cluster: FakeCluster, client: u64) -> Self {
        FakeMembership { cluster, client }
    }

    /// The metadata that the client has now, as `rd_kafka_consumer_group_metadata` would answer. Committing with it is wrong: it may
    /// belong to a generation of which the application has not heard yet. Tests show with it what the captured one prevents.
    pub fn fresh_metadata(&self) -> Generation {
        let broker = self.cluster.lock();
        let metadata = broker.clients.get(&self.client).map(|client| client.metadata());
        generation(metadata.unwrap_or(GroupMetadata { group: String::new(), member_id: String::new(), generation: -1, instance_id: None }))
    }
}

fn generation(metadata: GroupMetadata) -> Generation {
    Generation { member_id: metadata.member_id.as_str().into(), generation_id: metadata.generation, handle: Arc::new(metadata) }
}

impl Membership for FakeMembership {
    fn poll(&mut self, _wait: Duration) -> Result<Vec<MembershipEvent>, PortError> {
        const POLL: &str = "poll the group";
        let mut broker = self.cluster.lock();
        // A coordinator that cannot be reached is no error of the poll.
        _ = broker.enter();
        let mut events = Vec::new();
        if broker.dice.is_wild() {
            broker.disturb_group(self.client);
            broker.tick_client(self.client);
        } else {
            // Requests are quicker than applications poll: everybody has synchronised by now.
            broker.tick_all();
        }
        while events.len() < EVENTS_PER_POLL {
            let now_ms = broker.now_ms();
            let Some(client) = broker.clients.get_mut(&self.client) else { break };
            let name = client.config.name.clone();
            if client.paused {
                return Err(Refusal::Unavailable.at(POLL, format!("{name} is paused")));
            }
            let Some(served) = client.serve(now_ms).map_err(|refusal| refusal.at(POLL, &name))? else { break };
            broker.dice.note(&format!("{name} is told {served:?}"));
            // librdkafka queues the second half of a rebalance after the first was served: it may come one poll later.
            let torn = matches!(served, Served::Revoked(_)) && broker.dice.take(FaultKind::BackgroundStalled, &name);
            events.push(event(served));
            if torn {
                break;
            }
            broker.tick_client(self.client);
        }
        // Leaving may have begun without an event.
        broker.tick_client(self.client);
        Ok(events)
    }

    fn commit_offsets(
        &mut self,
        offsets: &[(TopicPartition, Offset)],
        generation: &Generation,
        _timeout: Duration,
    ) -> Result<(), PortError> {
        const COMMIT: &str = "commit offsets for the group";
        let mut broker = self.cluster.lock();
        broker.enter().map_err(|refusal| refusal.at(COMMIT, "the group"))?;
        let Some(captured) = generation.handle.downcast_ref::<GroupMetadata>() else {
            return Err(PortError::new(PortErrorClass::Fatal, COMMIT, "the generation is not of this cluster"));
        };
        let metadata = |broker: &Broker| broker.clients.get(&self.client).map(|client| client.metadata());
        if metadata(&broker).as_ref() != Some(captured) {
            return Err(Refusal::IllegalGeneration.at(COMMIT, "the client has moved on"));
        }
        // The background thread may rejoin before it sends the request, which then carries the newer generation.
        if broker.dice.is_wild() {
            broker.tick_client(self.client);
        }
        let Some(sent) = metadata(&broker) else { return Err(Refusal::UnknownMember.at(COMMIT, "the client is gone")) };
        let unanswered = broker.dice.take(FaultKind::OffsetsUnanswered, &sent.member_id);
        if !(unanswered && broker.dice.coin()) {
            let group = broker.group(&sent.group);
            group.validate(&sent).map_err(|refusal| refusal.at(COMMIT, &sent.member_id))?;
            offsets.iter().for_each(|(partition, offset)| group.offsets.set(partition.clone(), Some(*offset)));
        }
        broker.maybe_crash();
        match metadata(&broker).as_ref() == Some(captured) {
            _ if unanswered => Err(Refusal::Unavailable.at(COMMIT, "the time was too short")),
            true => Ok(()),
            false => Err(Refusal::IllegalGeneration.at(COMMIT, "the client has moved on")),
        }
    }

    fn leave(&mut self) {
        if let Some(client) = self.cluster.lock().clients.get_mut(&self.client) {
            client.leave();
        }
    }

    fn has_left(&self) -> bool {
        self.cluster.lock().clients.get(&self.client).is_none_or(|client| client.has_left())
    }

    fn rejoin(&mut self) -> Result<(), PortError> {
        if let Some(client) = self.cluster.lock().clients.get_mut(&self.client) {
            client.rejoin();
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<(), PortError> {
        let mut broker = self.cluster.lock();
        let now_ms = broker.now_ms();
        if let Some(client) = broker.clients.get_mut(&self.client) {
            *client = GroupClient::new(&client.group.clone(), client.config.clone(), now_ms);
        }
        Ok(())
    }

    fn is_current(&self, generation: &Generation) -> bool {
        let captured = generation.handle.downcast_ref::<GroupMetadata>();
        captured.is_some() && self.cluster.lock().clients.get(&self.client).map(|client| client.metadata()).as_ref() == captured
    }
}

fn event(served: Served) -> MembershipEvent {
    match served {
        Served::Assigned { tokens, metadata } => MembershipEvent::Assigned { tokens, generation: generation(metadata) },
        Served::Revoked(tokens) => MembershipEvent::Revoked { tokens },
        Served::Lost(tokens) => MembershipEvent::Lost { tokens },
    }
}

impl Drop for FakeMembership {
    fn drop(&mut self) {
        self.cluster.lock().clients.remove(&self.client);
    }
}
