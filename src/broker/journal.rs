//! What the coordinators must not forget, as an append-only file: producer ids, transactions, groups and their offsets.
//!
//! A record is there for the next process once [`Journal::append`] has returned (a kill loses nothing), and there after a power cut
//! once [`Durable::wait`] has: many waiters share one `fdatasync`. A file begins with all that was known when it was begun and goes on
//! with what happened since; [`Journal::begin_rewrite`] begins the next file, so that they stay bounded. A torn tail, which a power cut
//! leaves, is cut and logged, and what was cut is kept beside it.
//!
//! ```text
//! coordinators-00000007.journal:  magic (8) | record | record | ...
//! record:                         length (4) | crc32c of the rest (4) | version (1) | what the coordinators wrote
//! ```

pub mod fields;
#[cfg(test)]
pub mod remembered;
mod rewrite;
mod sync;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{info, warn};

use self::fields::Unreadable;
pub use self::rewrite::Rewrite;
pub use self::sync::Durable;

const MAGIC: &[u8; 8] = b"vmjrnl\x00\x01";
const VERSION: u8 = 1;
const HEAD: usize = 8;
/// No record is longer. Who reads takes any length whose checksum is right: a whole record is never taken for a torn one.
const MAX_RECORD: usize = 64 << 20;

/// How much has been appended since the journal was opened: what [`Durable::wait`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position(pub u64);

/// What goes wrong with the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("opening the coordinators' journal {path}: {source}; it must be readable and writable by this user")]
    Open { path: PathBuf, source: io::Error },
    #[error(
        "{path} is no coordinators' journal of this version ({why}); use the version that wrote it, or move it away and lose groups' offsets"
    )]
    Foreign { path: PathBuf, why: String },
    #[error("writing the coordinators' journal: {0}; offsets and transactions are refused until it can be written")]
    Write(#[source] io::Error),
    #[error("the coordinators' journal cannot be written since an earlier failure")]
    Unavailable,
}

/// Where coordinators write what they must not forget, before they believe it themselves. The file, and a list in tests.
pub trait Append {
    /// Writes the record; after an error nothing of it is there.
    fn append(&mut self, record: &[u8]) -> Result<Position, JournalError>;
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    directory: PathBuf,
    number: u64,
    file: Arc<File>,
    /// Whole records end here.
    length: u64,
    /// Of it, what the file began with.
    began_with: u64,
    position: Position,
    /// What is appended while the next file is being written.
    since: Option<Vec<u8>>,
    /// The last write failed: the log says so once.
    refuses: bool,
    durable: Durable,
}

impl Journal {
    /// Opens the newest journal in the directory, or begins one, and hands every record to `replay` in order.
    /// With `syncs` false, nothing ever waits for the disk.
    pub fn open(directory: &Path, syncs: bool, mut replay: impl FnMut(&[u8]) -> Result<(), Unreadable>) -> Result<Journal, JournalError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| JournalError::Open { path, source }
        };
        fs::create_dir_all(directory).map_err(failed(directory))?;
        let number = clean_up(directory).map_err(failed(directory))?;
        let path = path(directory, number);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed(&path))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(failed(&path))?;

        let length = if content.len() < MAGIC.len() && MAGIC.starts_with(&content) {
            // New, or killed while it was new: it holds nothing yet.
            file.set_len(0).and_then(|()| file.write_all(MAGIC)).map_err(failed(&path))?;
            MAGIC.len() as u64
        } else {
            let whole = replay_all(&path, &content, &mut replay)?;
            if whole < content.len() {
                let cut = content.len() - whole;
                let kept = path.with_extension("torn");
                warn!(
                    path = %path.display(),
                    "the coordinators' journal ended in a torn record: its last {cut} bytes are cut off, and kept in {}",
                    kept.display()
                );
                if let Err(error) = fs::write(&kept, &content[whole..]) {
                    warn!(%error, "what is cut off the coordinators' journal cannot be kept");
                }
                file.set_len(whole as u64).map_err(failed(&path))?;
            }
            whole as u64
        };
        // What was replayed is believed from now on, so it must not vanish later.
        if syncs {
            file.sync_data().and_then(|()| File::open(directory)?.sync_all()).map_err(failed(&path))?;
        }
        let file = Arc::new(file);
        let durable = Durable::start(Arc::clone(&file), syncs).map_err(failed(&path))?;
        let directory = directory.to_owned();
        Ok(Journal {
            directory,
            number,
            file,
            length,
            began_with: MAGIC.len() as u64,
            position: Position(0),
            since: None,
            refuses: false,
            durable,
        })
    }

    /// Waits for the disk; may be cloned and used while others append.
    pub fn durable(&self) -> Durable {
        self.durable.clone()
    }

    /// How much has been appended.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether the next file should be begun: this one has grown to many times what it began with, or can no longer be trusted.
    pub fn wants_rewrite(&self, grown_by: u64) -> bool {
        self.since.is_none() && (self.durable.failed() || self.length > self.began_with.saturating_mul(4).max(grown_by))
    }

    fn write(&mut self, frame: &[u8]) -> Result<(), JournalError> {
        if let Err(error) = (&*self.file).write_all(frame) {
            if !std::mem::replace(&mut self.refuses, true) {
                warn!(%error, "the coordinators' journal cannot be written: offsets, groups and transactions are refused until it can be");
            }
            // Half a record must not stay before the next one.
            if let Err(error) = self.file.set_len(self.length) {
                warn!(%error, "the coordinators' journal cannot be cut back after a failed write; a new file must be begun");
                self.durable.fail();
            }
            return Err(JournalError::Write(error));
        }
        if std::mem::take(&mut self.refuses) {
            info!("the coordinators' journal can be written again");
        }
        self.length += frame.len() as u64;
        self.position.0 += frame.len() as u64;
        self.durable.written(self.position);
        if let Some(since) = &mut self.since {
            since.extend_from_slice(frame);
        }
        Ok(())
    }
}

impl Append for Journal {
    fn append(&mut self, record: &[u8]) -> Result<Position, JournalError> {
        if self.durable.failed() {
            return Err(JournalError::Unavailable);
        }
        check_length(record).map_err(JournalError::Write)?;
        self.write(&frame(record))?;
        Ok(self.position)
    }
}

fn check_length(record: &[u8]) -> io::Result<()> {
    if record.len() <= MAX_RECORD {
        return Ok(());
    }
    let why = format!("a record of {} bytes is longer than the {MAX_RECORD} that are allowed", record.len());
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

fn frame(record: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEAD + 1 + record.len());
    frame.extend_from_slice(&(record.len() as u32 + 1).to_le_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.push(VERSION);
    frame.extend_from_slice(record);
    let checksum = crc32c::crc32c(&frame[HEAD..]);
    frame[4..HEAD].copy_from_slice(&checksum.to_le_bytes());
    frame
}

/// Hands over every whole record; returns where they end.
fn replay_all(path: &Path, content: &[u8], replay: &mut impl FnMut(&[u8]) -> Result<(), Unreadable>) -> Result<usize, JournalError> {
    let foreign = |why: String| JournalError::Foreign { path: path.to_owned(), why };
    if !content.starts_with(MAGIC) {
        return Err(foreign("it does not begin like one".to_owned()));
    }
    let mut at = MAGIC.len();
    while let Some((version, record, end)) = record_at(content, at) {
        if version != VERSION {
            return Err(foreign(format!("a record at byte {at} has version {version}, this is {VERSION}")));
        }
        replay(record).map_err(|error| foreign(format!("at byte {at}, {error}")))?;
        at = end;
    }
    Ok(at)
}

fn record_at(content: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let head = content.get(at..at + HEAD)?;
    let length = u32::from_le_bytes(head[..4].try_into().ok()?) as usize;
    let checksum = u32::from_le_bytes(head[4..].try_into().ok()?);
    let end = at + HEAD + length;
    let body = content.get(at + HEAD..end).filter(|body| !body.is_empty())?;
    (crc32c::crc32c(body) == checksum).then(|| (body[0], &body[1..], end))
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("coordinators-{number:08}.journal"))
}

/// Removes files that were never finished or have been replaced; returns the number of the one that counts.
fn clean_up(directory: &Path) -> io::Result<u64> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix("coordinators-")) else { continue };
        if name.ends_with(".unfinished") {
            fs::remove_file(directory.join(format!("coordinators-{name}")))?;
        } else if let Some(Ok(number)) = name.strip_suffix(".journal").map(str::parse::<u64>) {
            numbers.push(number);
        }
    }
    let newest = numbers.iter().copied().max().unwrap_or(0);
    for old in numbers.into_iter().filter(|number| *number < newest) {
        fs::remove_file(path(directory, old))?;
    }
    Ok(newest)
}
