//! Removing what an application has in Kafka, for `reset`: topics, and its group with the committed offsets. What is not there is no error.

use std::thread;
use std::time::Instant;

use rdkafka::TopicPartitionList;
use rdkafka::error::RDKafkaErrorCode;

use super::{ASK_EVERY, KafkaAdmin, MAX_SPREAD};
use crate::kafka::error::from_code;
use crate::kafka::ffi;
use crate::ports::{Admin as _, PortError, PortErrorClass};
use crate::record::TopicPartition;

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// What its client calls itself.
    pub client_id: String,
    /// From where it is connected.
    pub host: String,
}

impl KafkaAdmin {
    /// The members that a group has now, also those that have not been heard of for less than their session time-out.
    pub fn group_members(&mut self, group: &str) -> Result<Vec<GroupMember>, PortError> {
        const OPERATION: &str = "look a group up";
        let deadline = Instant::now() + self.max_request;
        loop {
            let described = self.ask(OPERATION, group, |patience| ffi::describe_group(&self.client, group, patience));
            let failure = match described.map(|group| (group.error, group.members)) {
                // Brokers from 4.0 on say so of a group that does not exist, older ones show it without members.
                Ok((None | Some(RDKafkaErrorCode::GroupIdNotFound), members)) => {
                    return Ok(members.into_iter().map(|(client_id, host)| GroupMember { client_id, host }).collect());
                }
                Ok((Some(code), _)) => from_code(OPERATION, group, code),
                Err(failure) => failure,
            };
            if !failure.is_retriable() || Instant::now() >= deadline || self.is_stopped() {
                return Err(failure);
            }
            thread::sleep(ASK_EVERY);
        }
    }

    /// Whether a group is known: it has members or committed offsets.
    pub fn group_exists(&mut self, group: &str) -> Result<bool, PortError> {
        const OPERATION: &str = "look for committed offsets";
        self.serve();
        let groups = self.client.inner().fetch_group_list(Some(group), self.max_request);
        let groups = groups.map_err(|error| self.failed(OPERATION, group, &error))?;
        Ok(groups.groups().iter().any(|found| found.name() == group && found.state() != "Dead"))
    }

    /// Removes a group with all its committed offsets; false when there was none. Kafka refuses it while the group has members.
    pub fn delete_group(&mut self, group: &str) -> Result<bool, PortError> {
        const OPERATION: &str = "delete a group";
        let answer = self.wait(OPERATION, group, self.client.delete_groups(&[group], &self.options()))?;
        match answer.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::GroupIdNotFound))) => Ok(false),
            Some(Err((name, code))) => Err(from_code(OPERATION, &name, code)),
            Some(Ok(_)) | None => Ok(true),
        }
    }

    /// Removes the committed offsets of these partitions; those that there are not are no error. Kafka refuses it while members of the group
    /// read their topics.
    pub fn delete_offsets(&mut self, group: &str, partitions: &[TopicPartition]) -> Result<(), PortError> {
        const OPERATION: &str = "delete committed offsets";
        if partitions.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for TopicPartition { topic, partition } in partitions {
            list.add_partition(topic, *partition);
        }
        match self.ask(OPERATION, group, |patience| ffi::delete_offsets(&self.client, group, &list, patience))? {
            None | Some(RDKafkaErrorCode::GroupIdNotFound) => Ok(()),
            Some(code) => Err(from_code(OPERATION, group, code)),
        }
    }

    /// Removes topics with all that they hold, and waits until the cluster does not show them any more; answers those that there were.
    pub fn delete_topics(&mut self, names: &[&str]) -> Result<Vec<String>, PortError> {
        const OPERATION: &str = "delete topics";
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let answer = self.wait(OPERATION, &names.join(", "), self.client.delete_topics(names, &self.options()))?;
        let mut deleted = Vec::new();
        for result in answer {
            match result {
                Ok(name) => deleted.push(name),
                Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
                Err((name, code)) => return Err(from_code(OPERATION, &name, code)),
            }
        }
        let deadline = Instant::now() + MAX_SPREAD;
        while self.topics(names)?.iter().any(Option::is_some) {
            if Instant::now() >= deadline || self.is_stopped() {
                return Err(PortError::new(PortErrorClass::Retriable, OPERATION, format!("{}: still shown", names.join(", "))));
            }
            thread::sleep(ASK_EVERY);
        }
        Ok(deleted)
    }
}
