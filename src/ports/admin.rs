//! What is asked of the cluster at start: which topics there are, and to make those that are missing.

use super::PortError;

/// An existing topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicInfo {
    /// Full name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// `cleanup.policy`: `delete`, `compact` or `compact,delete`; `None` when its settings may not be read.
    pub cleanup_policy: Option<String>,
    /// Made with the topic: one that is deleted and made again has another. `None` when the brokers do not tell.
    pub id: Option<String>,
    /// `delete.retention.ms`: how long a tombstone stays after the record that it deletes; `None` when its settings may not be read.
    pub delete_retention_ms: Option<i64>,
}

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Full name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// `None`: the broker's default.
    pub replication_factor: Option<i32>,
    /// Topic settings, such as `cleanup.policy`.
    pub settings: Vec<(String, String)>,
}

/// Administration. Each call blocks at most 30 s.
pub trait Admin: Send {
    /// The cluster's id, `None` when it does not tell.
    fn cluster_id(&mut self) -> Result<Option<String>, PortError>;

    /// For each name the topic, or `None` when it does not exist.
    fn topics(&mut self, names: &[&str]) -> Result<Vec<Option<TopicInfo>>, PortError>;

    /// Makes a topic; one that appeared meanwhile is not an error.
    fn create_topic(&mut self, topic: &NewTopic) -> Result<(), PortError>;

    /// Adds partitions up to a total; one that already has as many is not an error.
    fn grow_topic(&mut self, name: &str, total: i32) -> Result<(), PortError>;
}
