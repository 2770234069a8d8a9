//! All topics of a broker, in one directory.

mod keeper;
mod known_topics;
mod lock;
mod names;
mod open;
mod topic_file;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use uuid::Uuid;

use super::segment::OpenFiles;
use super::{LogError, LogSettings, PartitionLog, TopicConfig};
use keeper::Keeper;
use known_topics::KnownTopics;
use lock::DirectoryLock;
use topic_file::TopicFile;

/// As many as Kafka's tools allow.
const MAX_PARTITIONS: i32 = 100_000;

/// The topics in a directory. One process at a time has it.
pub struct Logs {
    shared: Arc<Shared>,
    keeper: Mutex<Option<Keeper>>,
    _lock: DirectoryLock,
}

/// What the threads in the background see as well.
struct Shared {
    dir: PathBuf,
    settings: Arc<LogSettings>,
    files: Arc<OpenFiles>,
    topics: RwLock<KnownTopics>,
    /// One change of topics at a time.
    changing: Mutex<()>,
}

/// A topic as it is now; a change of configs or partitions makes a new one.
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id, never given to another topic, not even of the same name.
    pub id: Uuid,
    /// Its configs.
    pub config: Arc<TopicConfig>,
    /// Its partitions by index.
    pub partitions: Vec<Arc<PartitionLog>>,
    dir: PathBuf,
}

impl Logs {
    /// Locks the directory (made if missing), finishes what a crash left half done, recovers every log.
    pub fn open(dir: &Path, settings: LogSettings) -> Result<Logs, LogError> {
        let lock = DirectoryLock::acquire(dir, &settings)?;
        let shared = Arc::new(Shared::open(dir, settings)?);
        let keeper = shared.settings.background.then(|| Keeper::start(&shared)).transpose()?;
        Ok(Logs { shared, keeper: Mutex::new(keeper), _lock: lock })
    }

    /// Makes a topic. Partitions: 1 to 100,000.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: BTreeMap<String, String>) -> Result<Arc<Topic>, LogError> {
        let _changing = self.shared.changing();
        self.check_topic(name, partitions, &configs)?;
        let file = TopicFile { id: Uuid::new_v4(), name: name.to_owned(), partitions, configs };
        let topic = Arc::new(self.shared.make(&file)?);
        self.shared.put(Arc::clone(&topic));
        Ok(topic)
    }

    /// Says what [`Logs::create_topic`] would say, and does nothing (`validate_only`).
    pub fn check_topic(&self, name: &str, partitions: i32, configs: &BTreeMap<String, String>) -> Result<(), LogError> {
        names::check(name).map_err(LogError::InvalidTopic)?;
        if self.topic(name).is_some() {
            return Err(LogError::TopicExists(name.to_owned()));
        }
        if let Some(other) = self.topics().iter().find(|topic| names::collide(&topic.name, name)) {
            return Err(LogError::InvalidTopic(format!("Topic '{name}' collides with existing topic: {}", other.name)));
        }
        if partitions <= 0 {
            return Err(LogError::InvalidPartitions("Number of partitions was set to an invalid non-positive value.".to_owned()));
        }
        if partitions > MAX_PARTITIONS {
            return Err(LogError::InvalidPartitions(format!("Number of partitions must not be above {MAX_PARTITIONS}.")));
        }
        TopicConfig::new(configs.clone()).map(|_| ())
    }

    /// Deletes a topic and its records. Who still reads from it gets what there was, or [`ReadError::Deleted`](super::ReadError).
    pub fn delete_topic(&self, name: &str) -> Result<(), LogError> {
        let _changing = self.shared.changing();
        let topic = self.existing(name)?;
        let trash = self.shared.dir.join(open::TRASH).join(topic.id.to_string());
        fs::rename(&topic.dir, &trash).map_err(LogError::io("deleting topic", &topic.dir))?;
        let synced = self.shared.sync_dir(open::TOPICS);
        self.shared.topics_mut().remove(name);
        for partition in &topic.partitions {
            partition.stop(true);
        }
        // Done is it with the rename; what is left of the files goes with the next start.
        if let Err(error) = fs::remove_dir_all(&trash) {
            tracing::warn!(topic = name, %error, "files of a deleted topic are left in {}", trash.display());
        }
        synced
    }

    /// Adds partitions until there are `count`.
    pub fn create_partitions(&self, name: &str, count: i32, validate_only: bool) -> Result<Arc<Topic>, LogError> {
        let _changing = self.shared.changing();
        let topic = self.existing(name)?;
        let now = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        if count == now {
            return Err(LogError::InvalidPartitions(format!("Topic already has {now} partition(s).")));
        }
        if count < now {
            let what = format!("The topic {name} currently has {now} partition(s); {count} would not be an increase.");
            return Err(LogError::InvalidPartitions(what));
        }
        if count > MAX_PARTITIONS {
            return Err(LogError::InvalidPartitions(format!("Number of partitions must not be above {MAX_PARTITIONS}.")));
        }
        if validate_only {
            return Ok(topic);
        }
        let mut partitions = topic.partitions.clone();
        for index in now..count {
            partitions.push(self.shared.open_partition(name, &topic.dir, index, &topic.config)?);
        }
        self.replace(Topic { partitions, ..topic.with_config(Arc::clone(&topic.config)) })
    }

    /// Replaces all overrides of a topic by what is made of its configs; nobody else changes them meanwhile.
    pub fn alter_configs(
        &self,
        name: &str,
        change: impl FnOnce(&TopicConfig) -> Result<BTreeMap<String, String>, LogError>,
        validate_only: bool,
    ) -> Result<Arc<Topic>, LogError> {
        let _changing = self.shared.changing();
        let topic = self.existing(name)?;
        let config = Arc::new(TopicConfig::new(change(&topic.config)?)?);
        if validate_only {
            return Ok(topic);
        }
        let topic = self.replace(topic.with_config(Arc::clone(&config)))?;
        for partition in &topic.partitions {
            partition.set_config(Arc::clone(&config));
        }
        Ok(topic)
    }

    /// All topics by name.
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        self.shared.topics()
    }

    /// A topic by name.
    pub fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.shared.known().named(name).cloned()
    }

    /// A topic by id.
    pub fn topic_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.shared.known().with_id(id).cloned()
    }

    /// A partition's log.
    pub fn partition(&self, topic: &str, index: i32) -> Option<Arc<PartitionLog>> {
        self.topic(topic)?.partitions.get(usize::try_from(index).ok()?).cloned()
    }

    /// Retention and compaction of everything, now; what the background thread does at each tick.
    pub fn clean(&self) {
        self.shared.retain(&|| false);
        self.shared.compact(&|| false);
    }

    /// Forces all to disk and writes checkpoints, so that the next start has nothing to check. Appends fail from now on.
    pub fn close(&self) {
        drop(self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take());
        for partition in self.shared.partitions() {
            partition.stop(false);
            if let Err(error) = partition.maybe_checkpoint(0, 0) {
                tracing::warn!(%error, "a log could not be closed cleanly; the next start checks it");
            }
        }
    }

    /// Leaves everything as a killed process would.
    #[cfg(test)]
    pub(super) fn abandon(self) {
        drop(self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take());
        *self.shared.topics_mut() = KnownTopics::default();
    }

    fn existing(&self, name: &str) -> Result<Arc<Topic>, LogError> {
        self.topic(name).ok_or_else(|| LogError::UnknownTopic(name.to_owned()))
    }

    fn replace(&self, topic: Topic) -> Result<Arc<Topic>, LogError> {
        topic.file().write(&topic.dir, &self.shared.settings)?;
        let topic = Arc::new(topic);
        self.shared.put(Arc::clone(&topic));
        Ok(topic)
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        self.close();
    }
}

impl Topic {
    fn with_config(&self, config: Arc<TopicConfig>) -> Topic {
        Topic { name: self.name.clone(), id: self.id, config, partitions: self.partitions.clone(), dir: self.dir.clone() }
    }

    fn file(&self) -> TopicFile {
        let partitions = i32::try_from(self.partitions.len()).unwrap_or(i32::MAX);
        TopicFile { id: self.id, name: self.name.clone(), partitions, configs: self.config.overrides().clone() }
    }
}

impl Shared {
    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
