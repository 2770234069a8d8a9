//! The state directory: whose it is, which instance lives in it, and which task's database is in whose hands.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::task_database::TaskRight;
use super::{DatabaseProvider, DirectoryLock, MemoryBudget, RocksDisk, StoreError, TaskDatabase, TaskLease};

/// All task databases of this process. Databases stay open when a task leaves a thread, so that another thread (or the same one
/// after a rebalance) takes over the open handle.
#[derive(Clone)]
pub struct StateDirectory {
    inner: Arc<Inner>,
}

/// So many databases are opened before anybody asks for them, at most.
const MAX_OPEN_AHEAD: usize = 64;

struct Inner {
    provider: Box<dyn DatabaseProvider>,
    tasks: Mutex<Tasks>,
    /// Held for the life of the process; `None` in memory.
    _lock: Option<DirectoryLock>,
}

#[derive(Default)]
struct Tasks {
    open: HashMap<String, Arc<TaskDatabase>>,
    leased: HashSet<String>,
}

impl StateDirectory {
    /// Locks a directory for this process and uses RocksDB below `<path>/<application_id>`. `holder` says who we are, for the
    /// message that a second process gets.
    pub fn lock(path: &Path, application_id: &str, holder: &str, budget: MemoryBudget) -> Result<Self, StoreError> {
        let lock = DirectoryLock::take(path, holder)?;
        let provider = RocksDisk::new(path.join(application_id), budget)?;
        Ok(Self::with(Box::new(provider), Some(lock)))
    }

    /// Uses databases of any kind without a lock: for tests.
    pub fn unlocked(provider: Box<dyn DatabaseProvider>) -> Self {
        Self::with(provider, None)
    }

    fn with(provider: Box<dyn DatabaseProvider>, lock: Option<DirectoryLock>) -> Self {
        StateDirectory { inner: Arc::new(Inner { provider, tasks: Mutex::default(), _lock: lock }) }
    }

    /// The instance's id, made at random when the directory is first used.
    pub fn instance_id(path: &Path) -> Result<String, StoreError> {
        let file: PathBuf = path.join("instance-id");
        match fs::read_to_string(&file) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_string()),
            Ok(_) => Self::make_instance_id(&file),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Self::make_instance_id(&file),
            Err(e) => Err(failed(&file, "read", e)),
        }
    }

    fn make_instance_id(file: &Path) -> Result<String, StoreError> {
        let id = uuid::Uuid::new_v4().to_string();
        let draft = file.with_extension("new");
        let write = || -> std::io::Result<()> {
            let mut out = File::create(&draft)?;
            writeln!(out, "{id}")?;
            out.sync_all()?;
            fs::rename(&draft, file)
        };
        write().map_err(|e| failed(file, "write", e))?;
        Ok(id)
    }

    /// Opens a task's database (or takes the open one) for writing; `None` while somebody else in this process holds it.
    pub fn lease(&self, task: &str, columns: &[String]) -> Result<Option<TaskLease>, StoreError> {
        let mut tasks = self.tasks();
        if tasks.leased.contains(task) {
            return Ok(None);
        }
        let database = match tasks.open.get(task) {
            Some(database) => database.clone(),
            None => {
                let database = Arc::new(TaskDatabase::new(self.inner.provider.open(task, columns)?)?);
                tasks.open.insert(task.to_string(), database.clone());
                database
            }
        };
        Ok(Some(self.right(&mut tasks, task).to(database)))
    }

    /// Nobody else opens or takes the task's database until this is given back.
    fn right(&self, tasks: &mut Tasks, task: &str) -> TaskRight {
        tasks.leased.insert(task.to_string());
        let (directory, name) = (self.clone(), task.to_string());
        TaskRight::new(move || {
            directory.tasks().leased.remove(&name);
        })
    }

    /// The task's database as it is on disk now, for who has the right to it.
    fn open_for(&self, right: TaskRight, task: &str, columns: &[String]) -> Result<TaskLease, StoreError> {
        let database = Arc::new(TaskDatabase::new(self.inner.provider.open(task, columns)?)?);
        self.tasks().open.insert(task.to_string(), database.clone());
        Ok(right.to(database))
    }

    /// A new, empty database beside the one that `held` gives the right to. It becomes the task's with [`StateDirectory::switch`], and is
    /// forgotten when that never comes.
    pub fn beside(&self, _held: &TaskLease, task: &str, columns: &[String]) -> Result<Arc<TaskDatabase>, StoreError> {
        Ok(Arc::new(TaskDatabase::new(self.inner.provider.open_beside(task, columns)?)?))
    }

    /// Makes the database beside the task's own, at one moment; what was its own before is removed. Whoever still reads from that can do so
    /// to the end.
    pub fn switch(&self, held: TaskLease, task: &str, beside: Arc<TaskDatabase>) -> Result<TaskLease, StoreError> {
        self.inner.provider.switch(task)?;
        self.tasks().open.insert(task.to_string(), beside.clone());
        Ok(held.into_right().to(beside))
    }

    /// Puts a database aside that is damaged so far that it cannot be opened, and answers a lease of a new, empty one.
    pub fn replace(&self, task: &str, columns: &[String]) -> Result<Option<TaskLease>, StoreError> {
        let mut tasks = self.tasks();
        if tasks.leased.contains(task) {
            return Ok(None);
        }
        let right = self.right(&mut tasks, task);
        drop(tasks);
        self.inner.provider.set_aside(task, true)?;
        self.open_for(right, task, columns).map(Some)
    }

    /// Opens the databases that are there, for leases to come; `columns` are those of a task, `None` for what is to stay closed. One
    /// that cannot be opened is left to its lease, which says why.
    pub fn open_ahead(&self, columns: impl Fn(&str) -> Option<Vec<String>>) {
        let tasks = self.inner.provider.tasks().into_iter().filter_map(|task| Some((columns(&task)?, task)));
        for (columns, task) in tasks.take(MAX_OPEN_AHEAD) {
            let mut tasks = self.tasks();
            if tasks.open.contains_key(&task) || tasks.leased.contains(&task) {
                continue;
            }
            match self.inner.provider.open(&task, &columns).and_then(TaskDatabase::new) {
                Ok(database) => drop(tasks.open.insert(task, Arc::new(database))),
                Err(error) => tracing::debug!(task, %error, "not opened ahead"),
            }
        }
    }

    /// Flushes all open databases, for a process that ends: the next one is sooner ready. One that cannot be flushed has lost nothing.
    pub fn flush(&self) {
        let open: Vec<_> = self.tasks().open.iter().map(|(task, database)| (task.clone(), database.clone())).collect();
        for (task, database) in open {
            if let Err(error) = database.database().flush() {
                tracing::warn!(task, %error, "not flushed; the next start replays its log");
            }
        }
    }

    /// Puts the database of a lease aside and answers a lease of a new, empty one. The right to it is never given up meanwhile: who opened
    /// the old one now would be taken for the new one.
    pub fn start_over(&self, lease: TaskLease, task: &str, columns: &[String], keep: bool) -> Result<TaskLease, StoreError> {
        self.tasks().open.remove(task);
        let right = lease.into_right();
        self.inner.provider.set_aside(task, keep)?;
        self.open_for(right, task, columns)
    }

    /// Removes a database that nobody holds any more, with all that it has on disk.
    pub fn remove(&self, task: &str) -> Result<(), StoreError> {
        self.tasks().open.remove(task);
        self.inner.provider.remove(task)
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(path: &Path, operation: &'static str, cause: std::io::Error) -> StoreError {
    StoreError::Database { path: path.display().to_string(), operation, detail: cause.to_string() }
}
