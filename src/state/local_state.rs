//! What an instance keeps on disk of an application, to be looked at and removed while no process runs on it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::StoreError;

/// The databases of one application in a state directory.
pub struct LocalState {
    application: PathBuf,
    /// What is being removed; of no use to anybody.
    removed: PathBuf,
}

/// A task's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTask {
    /// The task.
    pub name: String,
    /// All its files, also of databases that were put aside.
    pub bytes: u64,
}

impl LocalState {
    /// That of this application below `state_dir`. Nothing needs to be there.
    pub fn new(state_dir: &Path, application_id: &str) -> Self {
        LocalState { application: state_dir.join(application_id), removed: state_dir.join("removed") }
    }

    /// The tasks, in the order of their names.
    pub fn tasks(&self) -> Result<Vec<LocalTask>, StoreError> {
        let entries = match fs::read_dir(&self.application) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(&self.application, "list", e)),
        };
        let mut tasks = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| failed(&self.application, "list", e))?;
            if entry.path().is_dir() {
                tasks.push(LocalTask { name: entry.file_name().to_string_lossy().into_owned(), bytes: size_bytes(&entry.path()) });
            }
        }
        tasks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(tasks)
    }

    /// Removes one of [`LocalState::tasks`]. It is out of use at one moment: a kill leaves it whole or gone, never a half that would look
    /// damaged.
    pub fn remove(&self, task: &LocalTask) -> Result<(), StoreError> {
        let (from, to) = (self.application.join(&task.name), self.removed.join(uuid::Uuid::new_v4().to_string()));
        fs::create_dir_all(&self.removed).map_err(|e| failed(&self.removed, "make the directory", e))?;
        fs::rename(&from, &to).map_err(|e| failed(&from, "take out of use", e))?;
        self.sweep()
    }

    /// Removes what is out of use, also what a kill left there.
    pub fn sweep(&self) -> Result<(), StoreError> {
        match fs::remove_dir_all(&self.removed) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(failed(&self.removed, "remove", e)),
            _ => Ok(()),
        }
    }
}

fn size_bytes(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_bytes(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

fn failed(path: &Path, operation: &'static str, cause: std::io::Error) -> StoreError {
    StoreError::Database { path: path.display().to_string(), operation, detail: cause.to_string() }
}
