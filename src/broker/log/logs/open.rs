//! Topics on disk: found at the start, made, replaced.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

use super::known_topics::KnownTopics;
use super::topic_file::TopicFile;
use super::{Shared, Topic};
use crate::broker::log::segment::OpenFiles;
use crate::broker::log::{LogError, LogSettings, PartitionLog, TopicConfig};

/// Where topics are.
pub const TOPICS: &str = "topics";
/// Where topics are while they are made: what is found here at a start never was one.
const NEW: &str = "new";
/// Where topics are while they are deleted.
pub const TRASH: &str = "trash";
/// Of a topic's name in its directory's; the id behind it makes it unique.
const NAME_IN_DIR_BYTES: usize = 200;
const MAX_RECOVERY_THREADS: usize = 8;

impl Shared {
    pub(super) fn open(dir: &Path, settings: LogSettings) -> Result<Shared, LogError> {
        for unfinished in [NEW, TRASH] {
            let path = dir.join(unfinished);
            if path.exists() {
                fs::remove_dir_all(&path).map_err(LogError::io("clearing", &path))?;
            }
        }
        for part in [TOPICS, NEW, TRASH] {
            let path = dir.join(part);
            fs::create_dir_all(&path).map_err(LogError::io("making directory", &path))?;
        }
        let files = OpenFiles::new(settings.max_open_segments);
        let dir = dir.to_owned();
        let shared = Shared { dir, settings: Arc::new(settings), files, topics: RwLock::default(), changing: Mutex::default() };
        for topic in shared.recover()?.into_values() {
            shared.put(topic);
        }
        Ok(shared)
    }

    fn recover(&self) -> Result<BTreeMap<String, Arc<Topic>>, LogError> {
        let path = self.dir.join(TOPICS);
        let mut found: Vec<(PathBuf, TopicFile, Arc<TopicConfig>)> = Vec::new();
        for entry in fs::read_dir(&path).map_err(LogError::io("listing", &path))? {
            let dir = entry.map_err(LogError::io("listing", &path))?.path();
            let file = TopicFile::read(&dir)?;
            if let Some(at) = found.iter().position(|(_, other, _)| other.name == file.name) {
                let (other, ..) = &found[at];
                if self.is_remnant(&dir, other)? {
                    self.discard(&dir, &file)?;
                    continue;
                }
                let (other, file, _) = found.remove(at);
                self.discard(&other, &file)?;
            }
            let config = Arc::new(TopicConfig::new(file.configs.clone())?);
            found.push((dir, file, config));
        }
        let work: Vec<_> = found.iter().flat_map(|topic| (0..topic.1.partitions).map(move |index| (topic, index))).collect();
        let next = Mutex::new(work.iter().enumerate());
        let threads = thread::available_parallelism().map_or(1, |count| count.get().min(MAX_RECOVERY_THREADS));
        let take = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
        let recover_some = || {
            let mut recovered = Vec::new();
            while let Some((at, ((dir, file, config), index))) = take() {
                recovered.push((at, self.open_partition(&file.name, dir, *index, config)?));
            }
            Ok::<_, LogError>(recovered)
        };
        let mut recovered = thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(recover_some)).collect();
            let mut recovered = Vec::new();
            for thread in threads {
                recovered.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok::<_, LogError>(recovered)
        })?;
        recovered.sort_unstable_by_key(|(at, _)| *at);
        let mut partitions = recovered.into_iter().map(|(_, partition)| partition);
        let topic = |(dir, file, config): (PathBuf, TopicFile, Arc<TopicConfig>)| {
            let partitions = partitions.by_ref().take(usize::try_from(file.partitions).unwrap_or(0)).collect();
            (file.name.clone(), Arc::new(Topic { name: file.name, id: file.id, config, partitions, dir }))
        };
        Ok(found.into_iter().map(topic).collect())
    }

    /// Whether the first of two topics of the same name is what a failed attempt to make it has left.
    fn is_remnant(&self, dir: &Path, other: &Path) -> Result<bool, LogError> {
        let describe = |dir: &Path| -> std::io::Result<_> { Ok((has_records(dir)?, fs::metadata(dir.join("topic"))?.modified()?)) };
        let (ours, since) = describe(dir).map_err(LogError::io("looking into", dir))?;
        let (others, other_since) = describe(other).map_err(LogError::io("looking into", other))?;
        match (ours, others) {
            (true, true) => {
                let what = format!("{} has records of a topic of the same name; move one of the two away", other.display());
                Err(LogError::Corrupt { path: dir.to_owned(), what })
            }
            (false, false) => Ok(since < other_since),
            (ours, _) => Ok(!ours),
        }
    }

    /// Takes a topic's directory away.
    fn discard(&self, dir: &Path, file: &TopicFile) -> Result<(), LogError> {
        tracing::warn!(topic = file.name, "{} is given up: the topic was not made completely", dir.display());
        let trash = self.dir.join(TRASH).join(file.id.to_string());
        fs::rename(dir, &trash).map_err(LogError::io("giving up", dir))?;
        self.sync_dir(TOPICS)?;
        fs::remove_dir_all(&trash).map_err(LogError::io("deleting", &trash))
    }

    pub(super) fn open_partition(
        &self,
        name: &str,
        dir: &Path,
        index: i32,
        config: &Arc<TopicConfig>,
    ) -> Result<Arc<PartitionLog>, LogError> {
        let name = format!("{name}-{index}");
        let (settings, files) = (Arc::clone(&self.settings), Arc::clone(&self.files));
        PartitionLog::open(name, dir.join(index.to_string()), Arc::clone(config), settings, files).map(Arc::new)
    }

    /// Makes a topic on disk: it is there with all it needs, or not at all.
    pub(super) fn make(&self, file: &TopicFile) -> Result<Topic, LogError> {
        let config = Arc::new(TopicConfig::new(file.configs.clone())?);
        let dir_name = format!("{}~{}", &file.name[..file.name.len().min(NAME_IN_DIR_BYTES)], file.id);
        let (new, dir) = (self.dir.join(NEW).join(&dir_name), self.dir.join(TOPICS).join(&dir_name));
        let made = || {
            fs::create_dir_all(&new)?;
            for index in 0..file.partitions {
                fs::create_dir(new.join(index.to_string()))?;
            }
            Ok(())
        };
        made().map_err(LogError::io("making topic", &new))?;
        file.write(&new, &self.settings)?;
        fs::rename(&new, &dir).map_err(LogError::io("making topic", &dir))?;
        let open = |index| self.open_partition(&file.name, &dir, index, &config);
        let opened = self.sync_dir(TOPICS).and_then(|()| (0..file.partitions).map(open).collect());
        let partitions = opened.inspect_err(|_| {
            // The next start would take it for a topic.
            if let Err(error) = self.discard(&dir, file) {
                tracing::error!(topic = file.name, %error, "what is left of a topic that could not be made");
            }
        })?;
        Ok(Topic { name: file.name.clone(), id: file.id, config, partitions, dir })
    }

    pub(super) fn sync_dir(&self, part: &str) -> Result<(), LogError> {
        let path = self.dir.join(part);
        self.settings.sync_dir(&path).map_err(LogError::io("syncing", &path))
    }

    pub(super) fn put(&self, topic: Arc<Topic>) {
        self.topics_mut().put(topic);
    }

    pub(super) fn topics(&self) -> Vec<Arc<Topic>> {
        self.known().all().cloned().collect()
    }

    pub(super) fn known(&self) -> RwLockReadGuard<'_, KnownTopics> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn topics_mut(&self) -> RwLockWriteGuard<'_, KnownTopics> {
        self.topics.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn partitions(&self) -> Vec<Arc<PartitionLog>> {
        self.topics().iter().flat_map(|topic| topic.partitions.clone()).collect()
    }
}

fn has_records(dir: &Path) -> std::io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_log = path.extension().is_some_and(|extension| extension == "log" || extension == "swap");
        if (path.is_dir() && has_records(&path)?) || (is_log && fs::metadata(&path)?.len() > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}
