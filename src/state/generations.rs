//! The directories of one task's databases: which is in use, one that is being made beside it, and one that was put aside.
//!
//! ```text
//! <task>/current      the generation in use, switched by an atomic rename
//! <task>/<n>/         the database in use
//! <task>/<n + 1>/     one that is being restored beside it; worth nothing before `current` names it
//! <task>/aside-<n>/   one that was damaged or foreign, kept for a person to look at; only the last
//! ```

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::StoreError;

/// The databases of a task on disk.
pub(super) struct Generations {
    directory: PathBuf,
}

impl Generations {
    pub(super) fn new(directory: PathBuf) -> Self {
        Generations { directory }
    }

    /// The directory of the database in use, made if there is none. What a kill left beside it is removed.
    pub(super) fn current(&self) -> Result<PathBuf, StoreError> {
        let generation = match self.number()? {
            0 => {
                self.point_to(1)?;
                1
            }
            generation => generation,
        };
        self.sweep(generation)?;
        self.made(generation)
    }

    /// An empty directory beside the one in use.
    pub(super) fn beside(&self) -> Result<PathBuf, StoreError> {
        let next = self.number()? + 1;
        self.remove(next)?;
        self.made(next)
    }

    /// What is beside becomes what is in use; what was in use is removed. Whoever still reads from it can do so to the end.
    pub(super) fn switch(&self) -> Result<(), StoreError> {
        let generation = self.number()? + 1;
        self.point_to(generation)?;
        self.sweep(generation)
    }

    /// Takes the database out of use. It is kept under another name when `keep` is set, in the place of one that was kept before.
    pub(super) fn set_aside(&self, keep: bool) -> Result<(), StoreError> {
        let generation = self.number()?;
        if generation == 0 {
            return Ok(());
        }
        self.remove(generation + 1)?;
        if keep {
            let (old, aside) = (self.path(generation), self.directory.join(format!("aside-{generation}")));
            // A kill in here may have left one of this number, with nothing after it.
            remove(&aside)?;
            // First: killed after it, the same generation begins empty.
            fs::rename(&old, &aside).or_else(absent_is_fine).map_err(|e| failed(&old, "put the database aside", e))?;
        }
        self.point_to(generation + 1)?;
        self.sweep(generation + 1)
    }

    /// Removes everything.
    pub(super) fn remove_all(&self) -> Result<(), StoreError> {
        remove(&self.directory)
    }

    /// 0: there is none.
    fn number(&self) -> Result<u64, StoreError> {
        let pointer = self.directory.join("current");
        match fs::read_to_string(&pointer) {
            Ok(text) => text.trim().parse().map_err(|e| failed(&pointer, "read the generation", e)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(0),
            Err(e) => Err(failed(&pointer, "read the generation", e)),
        }
    }

    fn path(&self, generation: u64) -> PathBuf {
        self.directory.join(generation.to_string())
    }

    fn made(&self, generation: u64) -> Result<PathBuf, StoreError> {
        let path = self.path(generation);
        fs::create_dir_all(&path).map_err(|e| failed(&path, "make the directory", e))?;
        Ok(path)
    }

    fn remove(&self, generation: u64) -> Result<(), StoreError> {
        remove(&self.path(generation))
    }

    fn point_to(&self, generation: u64) -> Result<(), StoreError> {
        let (pointer, draft) = (self.directory.join("current"), self.directory.join("current.new"));
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(&self.directory)?;
            let mut file = fs::File::create(&draft)?;
            writeln!(file, "{generation}")?;
            file.sync_all()?;
            fs::rename(&draft, &pointer)?;
            fs::File::open(&self.directory)?.sync_all()
        };
        write().map_err(|e| failed(&pointer, "switch the generation", e))
    }

    /// Removes other generations, and all that were put aside but the last.
    fn sweep(&self, current: u64) -> Result<(), StoreError> {
        let (mut others, mut aside) = (Vec::new(), Vec::new());
        let entries = fs::read_dir(&self.directory).map_err(|e| failed(&self.directory, "list", e))?;
        for entry in entries {
            let name = entry.map_err(|e| failed(&self.directory, "list", e))?.file_name();
            let Some(name) = name.to_str() else { continue };
            others.extend(name.parse::<u64>().ok().filter(|generation| *generation != current));
            aside.extend(name.strip_prefix("aside-").and_then(|generation| generation.parse::<u64>().ok()));
        }
        let last = aside.iter().max().copied();
        others.into_iter().try_for_each(|generation| self.remove(generation))?;
        aside.retain(|generation| Some(*generation) != last);
        aside.iter().try_for_each(|generation| remove(&self.directory.join(format!("aside-{generation}"))))
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    fs::remove_dir_all(path).or_else(absent_is_fine).map_err(|e| failed(path, "remove the database", e))
}

fn absent_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn failed(path: &Path, operation: &'static str, cause: impl std::fmt::Display) -> StoreError {
    StoreError::Database { path: path.display().to_string(), operation, detail: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new() -> Self {
            Place(std::env::temp_dir().join(format!("viewmill-generations-{}", uuid::Uuid::new_v4())))
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> =
                fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_beside_counts_only_after_the_switch() {
        let place = Place::new();
        let generations = Generations::new(place.0.clone());
        assert!(generations.current().unwrap().ends_with("1"));
        fs::write(generations.beside().unwrap().join("half"), "").unwrap();
        assert_eq!(place.names(), ["1", "2", "current"]);
        // Killed before the switch: the old one is in use, and the half is gone.
        assert!(generations.current().unwrap().ends_with("1"));
        assert_eq!(place.names(), ["1", "current"]);
        fs::write(generations.beside().unwrap().join("whole"), "").unwrap();
        generations.switch().unwrap();
        assert!(generations.current().unwrap().join("whole").exists());
        assert_eq!(place.names(), ["2", "current"]);
    }

    #[test]
    fn only_the_last_that_was_put_aside_is_kept() {
        let place = Place::new();
        let generations = Generations::new(place.0.clone());
        for generation in 1..=3 {
            fs::write(generations.current().unwrap().join("rows"), generation.to_string()).unwrap();
            fs::create_dir_all(generations.beside().unwrap()).unwrap();
            generations.set_aside(true).unwrap();
            assert_eq!(fs::read_dir(generations.current().unwrap()).unwrap().count(), 0, "the next begins empty");
        }
        assert_eq!(place.names(), ["4", "aside-3", "current"]);
        assert_eq!(fs::read_to_string(place.0.join("aside-3/rows")).unwrap(), "3");
        generations.set_aside(false).unwrap();
        assert_eq!(place.names(), ["aside-3", "current"]);
    }

    #[test]
    fn killed_while_a_database_is_put_aside_the_next_begins_empty() {
        let place = Place::new();
        let generations = Generations::new(place.0.clone());
        fs::write(generations.current().unwrap().join("rows"), "").unwrap();
        fs::rename(place.0.join("1"), place.0.join("aside-1")).unwrap();
        assert_eq!(fs::read_dir(generations.current().unwrap()).unwrap().count(), 0);
        assert_eq!(place.names(), ["1", "aside-1", "current"]);
        // And once more, at the same generation.
        generations.set_aside(true).unwrap();
        assert_eq!(place.names(), ["aside-1", "current"]);
    }
}
