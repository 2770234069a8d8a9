//! Who hears of records as soon as they are committed, sooner than these can be read back.

use std::fmt;
use std::sync::Arc;

use crate::ports::FollowedRecord;
use crate::processor::Emitted;
use crate::record::TopicName;

/// Called with a committed record.
type Hear = Arc<dyn Fn(FollowedRecord<'_>) + Send + Sync>;

/// Hears of what this process writes into one topic, once it is committed. Somebody who must miss nothing follows the topic, too: what is
/// committed without this process knowing for sure is not told here.
#[derive(Clone)]
pub struct CommitListener {
    topic: TopicName,
    hear: Hear,
}

impl CommitListener {
    /// Hears of a topic, without prefix. Called on stream threads: it must not wait.
    pub fn new(topic: &str, hear: impl Fn(FollowedRecord<'_>) + Send + Sync + 'static) -> Self {
        CommitListener { topic: TopicName::Declared(topic.into()), hear: Arc::new(hear) }
    }

    pub(super) fn is_for(&self, record: &Emitted) -> bool {
        self.topic == record.topic
    }

    pub(super) fn tell(&self, record: &Emitted) {
        (self.hear)(FollowedRecord { key: record.key.as_deref(), value: record.value.as_deref(), headers: &record.headers });
    }
}

impl fmt::Debug for CommitListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitListener").field("topic", &self.topic).finish_non_exhaustive()
    }
}
