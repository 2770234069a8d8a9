//! The `Admin` port on the fake cluster.

use super::FakeCluster;
use super::broker::Broker;
use super::log::PartitionLog;
use super::refusal::Refusal;
use crate::ports::{Admin, NewTopic, PortError, PortErrorClass, TopicInfo};

const TOPICS: &str = "describe topics";
const CREATE: &str = "create a topic";
const GROW: &str = "add partitions";

/// Describes, creates and grows topics.
pub struct FakeAdmin {
    cluster: FakeCluster,
}

impl FakeAdmin {
    pub(super) fn new(cluster: FakeCluster) -> Self {
        FakeAdmin { cluster }
    }

    fn ask<T>(&self, operation: &'static str, what: &str, answer: impl FnOnce(&mut Broker) -> Result<T, Refusal>) -> Result<T, PortError> {
        let mut broker = self.cluster.lock();
        let answered = broker.enter().and_then(|()| broker.delay(what)).and_then(|()| answer(&mut broker));
        answered.map_err(|refusal| refusal.at(operation, what))
    }
}

impl Admin for FakeAdmin {
    fn cluster_id(&mut self) -> Result<Option<String>, PortError> {
        self.ask("read the cluster's id", "cluster", |broker| Ok(broker.cluster_id.clone()))
    }

    fn topics(&mut self, names: &[&str]) -> Result<Vec<Option<TopicInfo>>, PortError> {
        self.ask(TOPICS, &names.join(", "), |broker| Ok(names.iter().map(|name| broker.describe(name)).collect()))
    }

    fn create_topic(&mut self, topic: &NewTopic) -> Result<(), PortError> {
        if topic.partitions < 1 {
            return Err(PortError::new(PortErrorClass::Fatal, CREATE, format!("{}: {} partitions", topic.name, topic.partitions)));
        }
        self.ask(CREATE, &topic.name, |broker| {
            broker.create(&topic.name, topic.partitions, &topic.settings);
            Ok(())
        })
    }

    fn grow_topic(&mut self, name: &str, total: i32) -> Result<(), PortError> {
        self.ask(GROW, name, |broker| {
            let topic = broker.topics.get_mut(name).ok_or(Refusal::UnknownTopic)?;
            let missing = usize::try_from(total).unwrap_or(0).saturating_sub(topic.partitions.len());
            topic.partitions.extend((0..missing).map(|_| PartitionLog::default()));
            Ok(())
        })
    }
}
