//! Starting: what the checkpoint vouches for is taken as it is, the rest is read, checked, and cut off where it is torn.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::watch;

use super::checkpoint::Checkpoint;
use super::flush::Flushed;
use super::{Maintenance, PartitionLog, State, View, Writer};
use crate::broker::log::batch::Records;
use crate::broker::log::cleaner::finish_swaps;
use crate::broker::log::producers::Producers;
use crate::broker::log::segment::{Active, Closed, OpenFiles, Scanner, SegmentIndex, Summary, file_name};
use crate::broker::log::{LogError, LogSettings, TopicConfig};

impl PartitionLog {
    /// Opens the log in a directory, which is made if missing.
    pub(in crate::broker::log) fn open(
        name: String,
        dir: PathBuf,
        config: Arc<TopicConfig>,
        settings: Arc<LogSettings>,
        files: Arc<OpenFiles>,
    ) -> Result<PartitionLog, LogError> {
        let recovery = Recovery { name: &name, dir: &dir, settings: &settings, files: &files };
        let Recovered { closed, active, producers, log_start, cleaned_to, flushed, checkpointed_segment, read_bytes } =
            recovery.run().map_err(LogError::io("recovering", &dir))?;
        let mut view = View { closed, active, log_start, last_stable: 0 };
        view.last_stable = view.stable(&producers.first_open());
        let progress = watch::Sender::new(view.progress());
        let maintenance = Maintenance { checkpointed_segment, checkpointed_ms: settings.now_ms(), cleaned_to, lacks_room: false };
        let writer = Writer { producers, state: State::Open, torn: false, unchecked_bytes: read_bytes };
        Ok(PartitionLog {
            name,
            dir,
            settings,
            files,
            config: RwLock::new(config),
            cleaning: Mutex::new(()),
            maintenance: Mutex::new(maintenance),
            deleted: AtomicBool::new(false),
            writer: Mutex::new(writer),
            view: RwLock::new(view),
            flushed: Flushed::up_to(flushed),
            names_synced: AtomicBool::new(false),
            appended_bytes: AtomicU64::new(0),
            progress,
        })
    }
}

struct Recovery<'a> {
    name: &'a str,
    dir: &'a Path,
    settings: &'a LogSettings,
    files: &'a Arc<OpenFiles>,
}

struct Recovered {
    closed: Vec<Arc<Closed>>,
    active: Active,
    producers: Producers,
    log_start: i64,
    cleaned_to: i64,
    flushed: i64,
    checkpointed_segment: i64,
    read_bytes: u64,
}

/// A log while it is read.
struct Reading {
    closed: Vec<Arc<Closed>>,
    producers: Producers,
    /// Where the next batch must not be before.
    next_offset: i64,
    read_bytes: u64,
}

impl Recovery<'_> {
    fn run(&self) -> io::Result<Recovered> {
        fs::create_dir_all(self.dir)?;
        finish_swaps(self.dir, self.settings)?;
        let segments = self.segments()?;
        let checkpoint = Checkpoint::load(self.dir)?;
        let found = checkpoint.is_some();
        let (log_start, cleaned_to) = checkpoint.as_ref().map_or((0, 0), |checkpoint| (checkpoint.log_start, checkpoint.cleaned_to));
        let trusted = match checkpoint {
            Some(checkpoint) if checkpoint.holds(&self.settings.boot_id) => self.trust(&segments, checkpoint)?,
            _ => None,
        };
        if trusted.is_none() && !segments.is_empty() {
            let why = if found {
                "its checkpoint or an index does not fit its segments, or the machine stopped without having forced them to disk"
            } else {
                "it has no checkpoint"
            };
            tracing::info!(partition = self.name, "the log is read from its beginning: {why}");
        }
        let is_trusted = trusted.is_some();
        let is_on_disk = trusted.as_ref().is_some_and(|(_, checkpoint)| checkpoint.unsynced_boot.is_none());
        let (mut reading, mut rest, first) = match trusted {
            Some((closed, checkpoint)) => {
                let reading =
                    Reading { closed, producers: checkpoint.producers, next_offset: checkpoint.summary.next_offset, read_bytes: 0 };
                let from = segments.partition_point(|base| *base < checkpoint.segment);
                (reading, &segments[from..], Some((checkpoint.summary, checkpoint.index)))
            }
            None => {
                let start = segments.first().copied().unwrap_or(log_start);
                let producers = Producers::default();
                (Reading { closed: Vec::new(), producers, next_offset: start, read_bytes: 0 }, &segments[..], None)
            }
        };
        let flushed = if is_on_disk { reading.next_offset } else { 0 };
        let checkpointed_segment = if first.is_some() { rest.first().copied().unwrap_or(0) } else { -1 };
        let mut known = first;
        let mut active = None;
        while let Some((&base_offset, after)) = rest.split_first() {
            let is_new = known.is_none();
            let before = reading.next_offset;
            let (segment, torn) = self.read_segment(base_offset, known.take(), &mut reading)?;
            rest = after;
            if is_new && segment.summary.size == 0 && base_offset < before {
                // Its beginning failed half-way, and the segment before it was written on.
                self.drop_segments(if torn { std::mem::take(&mut rest) } else { &[] })?;
                self.drop_segments(&[base_offset])?;
                continue;
            }
            if torn || self.lacks_its_end(&segment, after, is_trusted, reading.next_offset)? {
                self.drop_segments(rest)?;
                rest = &[];
            }
            if rest.is_empty() {
                active = Some(segment);
            } else {
                fs::write(segment.file.index_path()?, segment.index.encode(&segment.summary))?;
                reading.closed.push(Arc::new(segment.closed()));
            }
        }
        let active = match active {
            Some(active) => active,
            None => Active::create(self.dir, reading.next_offset, self.files, self.settings.now_ms())?,
        };
        let first = reading.closed.first().map_or(active.base_offset, |segment| segment.base_offset);
        let end = active.summary.next_offset;
        Ok(Recovered {
            log_start: log_start.max(first).min(end),
            cleaned_to: cleaned_to.min(end),
            flushed: flushed.min(end),
            closed: reading.closed,
            active,
            producers: reading.producers,
            checkpointed_segment,
            read_bytes: reading.read_bytes,
        })
    }

    /// Base offsets of the segments, in order.
    fn segments(&self) -> io::Result<Vec<i64>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(self.dir)? {
            let name = entry?.file_name();
            let base: Option<i64> = name.to_str().and_then(|name| name.strip_suffix(".log")).and_then(|base| base.parse().ok());
            segments.extend(base);
        }
        segments.sort_unstable();
        Ok(segments)
    }

    /// The closed segments before the checkpoint, if all that it rests on is there.
    fn trust(&self, segments: &[i64], checkpoint: Checkpoint) -> io::Result<Option<(Vec<Arc<Closed>>, Checkpoint)>> {
        let path = self.dir.join(file_name(checkpoint.segment, "log"));
        match fs::metadata(&path) {
            Ok(found) if found.len() >= checkpoint.summary.size => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut closed = Vec::new();
        for &base_offset in segments.iter().take_while(|base| **base < checkpoint.segment) {
            match Closed::load(self.dir, base_offset, checkpoint.unsynced_boot.is_none(), self.files)? {
                Some(segment) => closed.push(Arc::new(segment)),
                None => return Ok(None),
            }
        }
        Ok(Some((closed, checkpoint)))
    }

    /// Reads a segment from where it is `known`, and cuts it to its whole batches. True: it was torn, so that nothing behind it counts.
    fn read_segment(&self, base_offset: i64, known: Option<(Summary, SegmentIndex)>, reading: &mut Reading) -> io::Result<(Active, bool)> {
        let path = self.dir.join(file_name(base_offset, "log"));
        let metadata = fs::metadata(&path)?;
        let now = self.settings.now_ms();
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        let modified_ms = modified.and_then(|at| i64::try_from(at.as_millis()).ok()).unwrap_or(now);
        let file = Arc::new(self.files.segment(path, self.dir.join(file_name(base_offset, "index"))));
        let (summary, index) = known.unwrap_or_else(|| (Summary::empty(base_offset, modified_ms), SegmentIndex::default()));
        let mut active = Active { base_offset, file, summary, index };
        let from = summary.size;
        let mut scanner = Scanner::new(active.file.open()?, from, metadata.len());
        reading.next_offset = reading.next_offset.max(base_offset);
        while let Some(header) = scanner.peek()? {
            let batch = scanner.batch(&header)?;
            if header.base_offset < reading.next_offset || !header.checks(batch) {
                break;
            }
            if header.is_control() {
                if let Ok(Some(control)) = Records::control(header, batch) {
                    active.index.aborted.extend(reading.producers.end(&header, control, now));
                }
            } else {
                reading.producers.record(&header, now);
            }
            active.index.add(&mut active.summary, &header, modified_ms);
            reading.next_offset = header.next_offset();
            scanner.skip(&header);
        }
        reading.read_bytes += active.summary.size - from;
        let torn = metadata.len() - active.summary.size;
        if torn > 0 {
            tracing::warn!(
                partition = self.name,
                "cut off {torn} bytes behind offset {} that are no whole record batch: process or machine stopped while they were written",
                active.summary.next_offset
            );
            active.file.cut(active.summary.size)?;
        }
        Ok((active, torn > 0))
    }

    /// A segment may have lost its end between two batches, when the machine stopped before it was forced to disk but not before the next
    /// one was. Compaction leaves gaps as well, but not behind a checkpoint, and in an index that is written after it.
    fn lacks_its_end(&self, segment: &Active, after: &[i64], trusted: bool, next_offset: i64) -> io::Result<bool> {
        let Some(next) = after.first() else { return Ok(false) };
        if *next <= next_offset {
            return Ok(false);
        }
        let index = match SegmentIndex::load(&segment.file.index_path()?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            loaded => loaded?,
        };
        Ok(trusted || index.is_some_and(|(closed, _)| closed.next_offset > next_offset))
    }

    fn drop_segments(&self, segments: &[i64]) -> io::Result<()> {
        for base_offset in segments {
            let path = self.dir.join(file_name(*base_offset, "log"));
            let bytes = fs::metadata(&path)?.len();
            tracing::warn!(
                partition = self.name,
                "dropped the {bytes} bytes of the segment from offset {base_offset} on: it does not follow what is before it"
            );
            fs::remove_file(&path)?;
            match fs::remove_file(path.with_extension("index")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
