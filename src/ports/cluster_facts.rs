//! What the cluster said of itself and of topics when it was last asked.

use std::collections::BTreeMap;

use super::TopicInfo;

/// Facts by which a task tells that its state belongs to these topics. What is not in here is not known, and proves nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    /// The cluster's id.
    pub cluster: Option<String>,
    /// By full name.
    pub topics: BTreeMap<String, TopicInfo>,
}

impl ClusterFacts {
    /// A topic's id.
    pub fn topic_id(&self, name: &str) -> Option<&str> {
        self.topics.get(name)?.id.as_deref()
    }
}
