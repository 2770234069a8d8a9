//! What a start need not read again: everything before a checkpoint was checked, and what follows from it stands in the checkpoint.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use bytes::{Buf, BufMut};

use super::{Maintenance, PartitionLog, State, checkpoint_path};
use crate::broker::log::AppendError;
use crate::broker::log::producers::Producers;
use crate::broker::log::segment::{SegmentIndex, Summary};

const MAGIC: &[u8; 8] = b"VMCHECK2";

/// A checkpoint as read from disk.
pub(super) struct Checkpoint {
    pub log_start: i64,
    pub cleaned_to: i64,
    /// The segment that was active.
    pub segment: i64,
    /// Of that segment, then.
    pub summary: Summary,
    pub index: SegmentIndex,
    pub producers: Producers,
    /// What it rests on is on disk only as far as the system has liked since that boot (`None`: it is on disk).
    pub unsynced_boot: Option<String>,
}

impl Checkpoint {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_slice(MAGIC);
        out.put_i64(self.log_start);
        out.put_i64(self.cleaned_to);
        out.put_i64(self.segment);
        let index = self.index.encode(&self.summary);
        out.put_u64(index.len() as u64);
        out.put_slice(&index);
        self.producers.encode(&mut out);
        out.put_slice(self.unsynced_boot.as_ref().map_or(String::new(), |boot| format!("boot {boot}")).as_bytes());
        out.put_u32(crc32c::crc32c(&out));
        out
    }

    fn decode(bytes: &[u8]) -> Option<Checkpoint> {
        let (mut bytes, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if crc32c::crc32c(bytes) != u32::from_be_bytes(*crc.first_chunk()?) || !bytes.starts_with(MAGIC) {
            return None;
        }
        bytes.advance(MAGIC.len());
        let log_start = bytes.try_get_i64().ok()?;
        let cleaned_to = bytes.try_get_i64().ok()?;
        let segment = bytes.try_get_i64().ok()?;
        let length = usize::try_from(bytes.try_get_u64().ok()?).ok()?;
        let (index, mut rest) = bytes.split_at_checked(length)?;
        let (summary, index) = SegmentIndex::decode(index)?;
        let producers = Producers::decode(&mut rest)?;
        let boot = std::str::from_utf8(rest).ok()?;
        let unsynced_boot = if boot.is_empty() { None } else { Some(boot.strip_prefix("boot ")?.to_owned()) };
        Some(Checkpoint { log_start, cleaned_to, segment, summary, index, producers, unsynced_boot })
    }

    /// Whether the machine has not stopped since what it rests on was written, or that is on disk.
    pub fn holds(&self, boot_id: &str) -> bool {
        self.unsynced_boot.as_ref().is_none_or(|boot| !boot.is_empty() && boot == boot_id)
    }

    /// The checkpoint of a directory, if there is a sound one.
    pub fn load(dir: &Path) -> io::Result<Option<Checkpoint>> {
        match fs::read(checkpoint_path(dir)) {
            Ok(bytes) => Ok(Self::decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl PartitionLog {
    /// Bytes that a start would have to check now.
    pub(in crate::broker::log) fn unchecked_bytes(&self) -> u64 {
        self.writer().unchecked_bytes
    }

    /// Writes a checkpoint when bytes came since the last and it is older than `interval_ms`, or more than `bytes` came.
    pub(in crate::broker::log) fn maybe_checkpoint(&self, bytes: u64, interval_ms: i64) -> Result<(), AppendError> {
        if self.has_failed() {
            return Ok(());
        }
        let unchecked = self.unchecked_bytes();
        let mut maintenance = self.maintenance();
        let age = self.settings.now_ms() - maintenance.checkpointed_ms;
        if unchecked > bytes || (unchecked > 0 && age >= interval_ms) { self.checkpoint(&mut maintenance) } else { Ok(()) }
    }

    /// Writes a checkpoint now.
    pub(in crate::broker::log) fn checkpoint_now(&self) -> Result<(), AppendError> {
        self.checkpoint(&mut self.maintenance())
    }

    pub(super) fn checkpoint(&self, maintenance: &mut Maintenance) -> Result<(), AppendError> {
        let now = self.settings.now_ms();
        let expiry = i64::try_from(self.settings.producer_id_expiration.as_millis()).unwrap_or(i64::MAX);
        let (checkpoint, closed, unchecked) = {
            let mut writer = self.writer();
            match writer.state {
                State::Open | State::Closed => {}
                // What the disk has is not known: the next start must look.
                State::Failed | State::Deleted => writer.check_open()?,
            }
            writer.producers.expire(now.saturating_sub(expiry), self.settings.max_producer_ids);
            let view = self.view();
            let checkpoint = Checkpoint {
                log_start: view.log_start,
                cleaned_to: maintenance.cleaned_to,
                segment: view.active.base_offset,
                summary: view.active.summary,
                index: view.active.index.clone(),
                producers: writer.producers.clone(),
                unsynced_boot: (!self.settings.syncs()).then(|| self.settings.boot_id.clone()),
            };
            (checkpoint, view.closed.clone(), std::mem::take(&mut writer.unchecked_bytes))
        };
        let write = || {
            if self.settings.syncs() {
                closed.iter().try_for_each(|segment| segment.sync_index())?;
            }
            self.replace_file(&checkpoint_path(&self.dir), &checkpoint.encode())
        };
        // What it says was checked must not be newer than what the disk has.
        let written = self.flush(checkpoint.summary.next_offset);
        let written = written.and_then(|()| write().map_err(|source| AppendError::Storage { action: "writing a checkpoint", source }));
        match &written {
            Ok(()) => {
                maintenance.checkpointed_segment = checkpoint.segment;
                maintenance.checkpointed_ms = now;
            }
            Err(_) => self.writer().unchecked_bytes += unchecked,
        }
        written
    }

    /// The old content or the new, whenever the process or the machine stops.
    fn replace_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        if self.settings.syncs() {
            file.sync_all()?;
        }
        fs::rename(&new, path)?;
        self.settings.sync_dir(&self.dir)
    }
}
