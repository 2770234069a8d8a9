//! The names of topics and tasks, as Kafka Streams would name them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::TopicName;

/// From declared names to full ones. The prefix stands before every topic, not before group or transactional ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `application.id`.
    pub application_id: String,
    /// `application.topic_prefix`.
    pub topic_prefix: String,
}

impl Names {
    /// Names of an application.
    pub fn new(application_id: impl Into<String>, topic_prefix: impl Into<String>) -> Self {
        Names { application_id: application_id.into(), topic_prefix: topic_prefix.into() }
    }

    /// A declared topic's full name.
    pub fn topic(&self, declared: &str) -> String {
        format!("{}{declared}", self.topic_prefix)
    }

    /// The full name of a topic of a topology.
    pub fn full(&self, topic: &TopicName) -> String {
        match topic {
            TopicName::Declared(name) => self.topic(name),
            TopicName::Repartition(_) => self.topic(&format!("{}-{topic}", self.application_id)),
        }
    }

    /// The task log: a partition a task.
    pub fn task_log(&self) -> String {
        self.topic(&format!("{}-tasks", self.application_id))
    }

    /// What the members of the application tell of themselves: a record an instance.
    pub fn members(&self) -> String {
        self.topic(&format!("{}-members", self.application_id))
    }

    /// A store's changelog.
    pub fn changelog(&self, store: &str) -> String {
        self.topic(&format!("{}-{store}-changelog", self.application_id))
    }

    /// Where records of a topic (full name) go that could not be processed.
    pub fn dead_letters(full_topic: &str) -> String {
        format!("{full_topic}-dlq")
    }
}

/// A sub-topology over one partition: the unit of parallelism.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The sub-topology's name.
    pub subtopology: Arc<str>,
    /// The partition of its source topics.
    pub partition: i32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.subtopology, self.partition)
    }
}
