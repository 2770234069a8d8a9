//! Beginning the next file: all that is known, then what happened while that was being written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::warn;

use super::{Journal, JournalError, MAGIC, check_length, frame, path};

/// The next file, being written beside the one in use. Writing it needs no lock on the journal.
#[derive(Debug)]
pub struct Rewrite {
    directory: PathBuf,
    number: u64,
    file: Option<Next>,
}

#[derive(Debug)]
struct Next {
    file: File,
    began_with: u64,
    length: u64,
}

impl Rewrite {
    fn unfinished(&self) -> PathBuf {
        self.directory.join(format!("coordinators-{:08}.unfinished", self.number))
    }

    /// Writes all that is known and brings it to disk.
    pub fn write(&mut self, records: impl IntoIterator<Item = Vec<u8>>) -> Result<(), JournalError> {
        let write = || -> io::Result<Next> {
            let file = OpenOptions::new().create(true).truncate(false).append(true).open(self.unfinished())?;
            file.set_len(0)?;
            let mut buffered = io::BufWriter::with_capacity(1 << 20, &file);
            let mut length = MAGIC.len() as u64;
            buffered.write_all(MAGIC)?;
            for record in records {
                check_length(&record)?;
                let frame = frame(&record);
                buffered.write_all(&frame)?;
                length += frame.len() as u64;
            }
            buffered.flush()?;
            drop(buffered);
            file.sync_data()?;
            Ok(Next { file, began_with: length, length })
        };
        self.file = Some(write().map_err(JournalError::Write)?);
        Ok(())
    }

    /// Goes on with what [`Journal::take_since`] gave, and brings it to disk.
    pub fn go_on(&mut self, since: &[u8]) -> Result<(), JournalError> {
        let next = self.file.as_mut().ok_or(JournalError::Unavailable)?;
        next.file.write_all(since).and_then(|()| next.file.sync_data()).map_err(JournalError::Write)?;
        next.length += since.len() as u64;
        Ok(())
    }
}

impl Journal {
    /// Begins the next file. What is appended from now on is kept for it too, until [`Journal::finish_rewrite`] or
    /// [`Journal::give_up_rewrite`]; what is known at this moment has to be written by [`Rewrite::write`].
    pub fn begin_rewrite(&mut self) -> Rewrite {
        self.since = Some(Vec::new());
        Rewrite { directory: self.directory.clone(), number: self.number + 1, file: None }
    }

    /// What came since, if it is more than `little`: to be written without the lock, so that little is left for
    /// [`Journal::finish_rewrite`].
    pub fn take_since(&mut self, little: usize) -> Option<Vec<u8>> {
        self.since.as_mut().filter(|since| since.len() > little).map(std::mem::take)
    }

    /// Goes on in the new file and removes the old one. After an error the old one stays in use.
    pub fn finish_rewrite(&mut self, rewrite: Rewrite) -> Result<(), JournalError> {
        let unfinished = rewrite.unfinished();
        let since = self.since.take().unwrap_or_default();
        let result = self.switch(rewrite, &since);
        if result.is_err() {
            // It is removed at the next start at the latest.
            let _ = fs::remove_file(unfinished);
        }
        result.map_err(JournalError::Write)
    }

    /// Stays with the old file.
    pub fn give_up_rewrite(&mut self, rewrite: Rewrite) {
        self.since = None;
        let _ = fs::remove_file(rewrite.unfinished());
    }

    fn switch(&mut self, rewrite: Rewrite, since: &[u8]) -> io::Result<()> {
        let unfinished = rewrite.unfinished();
        let Next { mut file, began_with, length } =
            rewrite.file.ok_or_else(|| io::Error::other("nothing was written into the next file"))?;
        if !since.is_empty() {
            file.write_all(since)?;
            file.sync_data()?;
        }
        fs::rename(&unfinished, path(&self.directory, rewrite.number))?;
        // From here on a start would read the new file, so it is the one in use, come what may.
        let old = path(&self.directory, self.number);
        self.number = rewrite.number;
        self.length = length + since.len() as u64;
        self.began_with = began_with;
        self.file = Arc::new(file);
        if let Err(error) = sync_directory(&self.directory) {
            self.durable.fail();
            return Err(error);
        }
        self.durable.replaced(Arc::clone(&self.file), self.position);
        if let Err(error) = fs::remove_file(&old) {
            warn!(path = %old.display(), %error, "an old journal of the coordinators cannot be removed; the next start will try again");
        }
        Ok(())
    }
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
