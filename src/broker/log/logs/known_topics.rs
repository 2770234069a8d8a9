//! The topics that there are, by name and by id.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use super::Topic;

/// Fetches name topics by id: neither look-up may depend on how many there are.
#[derive(Default)]
pub struct KnownTopics {
    by_name: BTreeMap<String, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl KnownTopics {
    /// Adds a topic, or what it has become.
    pub fn put(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.clone(), topic);
    }

    /// Forgets a topic.
    pub fn remove(&mut self, name: &str) {
        if let Some(topic) = self.by_name.remove(name) {
            self.by_id.remove(&topic.id);
        }
    }

    /// By name.
    pub fn named(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    /// By id.
    pub fn with_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// All, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }
}
