//! One process a state directory: a lock of the operating system's, which ends with the process, on a file that names the holder.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::path::Path;

use super::StoreError;

/// The right to use a state directory, as long as it lives.
pub struct DirectoryLock(#[expect(dead_code, reason = "the lock is held as long as the file is open")] File);

impl DirectoryLock {
    /// Takes the lock, and makes the directory if there is none. `holder` says who we are, for the message that a second process gets.
    pub fn take(directory: &Path, holder: &str) -> Result<Self, StoreError> {
        fs::create_dir_all(directory).map_err(|e| failed(directory, "make the state directory", e))?;
        let path = directory.join("lock");
        let options = || File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = options().map_err(|e| failed(&path, "open", e))?;
        lock(&mut file, directory, &path)?;
        let write = |file: &mut File| -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{holder}")
        };
        write(&mut file).map_err(|e| failed(&path, "write", e))?;
        Ok(DirectoryLock(file))
    }

    /// Fails when a process holds the lock; changes nothing.
    pub fn look(directory: &Path) -> Result<(), StoreError> {
        let path = directory.join("lock");
        match File::open(&path) {
            Ok(mut file) => lock(&mut file, directory, &path),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            Err(e) => Err(failed(&path, "open", e)),
        }
    }
}

fn lock(file: &mut File, directory: &Path, path: &Path) -> Result<(), StoreError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            Err(StoreError::Locked { path: directory.display().to_string(), holder: holder.trim().to_string() })
        }
        Err(fs::TryLockError::Error(e)) => Err(failed(path, "lock", e)),
    }
}

fn failed(path: &Path, operation: &'static str, cause: std::io::Error) -> StoreError {
    StoreError::Database { path: path.display().to_string(), operation, detail: cause.to_string() }
}
