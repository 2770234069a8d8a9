//! Compaction of one log: what is due, and the two passes over its segments.

use std::io;
use std::sync::Arc;

use super::{Maintenance, PartitionLog};
use crate::broker::log::batch::{BatchHeader, Records};
use crate::broker::log::cleaner::{CleanedSegment, CleanedTransactions, Filter, KeyMap, Outcome, finish_swap};
use crate::broker::log::segment::{AbortedTransaction, Closed, Scanner};
use crate::broker::log::{AppendError, TopicConfig, Volume};

/// An index has fewer than such a part of its segment's bytes.
const OF_INDEX: u64 = 64;

/// What a run is about.
struct Plan {
    /// Closed segments before `upper`.
    segments: Vec<Arc<Closed>>,
    first_dirty: i64,
    upper: i64,
    now: i64,
}

/// Ends a run early.
type Stopped<'a> = &'a dyn Fn() -> bool;

impl PartitionLog {
    /// Compacts the log if its topic wants that and enough of it is dirty; true if it did. Stops between batches when told so, and leaves the
    /// log as it was.
    pub(in crate::broker::log) fn compact(&self, stopped: Stopped<'_>) -> Result<bool, AppendError> {
        let config = self.config();
        if !config.compact {
            return Ok(false);
        }
        self.writer().check_open()?;
        let _cleaning = self.cleaning();
        let Some(plan) = self.plan(&config) else { return Ok(false) };
        let stopped: Stopped<'_> = &|| stopped() || self.is_deleted();
        let ran = self.run(&plan, &config, stopped);
        if self.is_deleted() {
            Err(AppendError::Deleted)
        } else {
            ran.map_err(|source| AppendError::Storage { action: "compacting", source })
        }
    }

    fn plan(&self, config: &TopicConfig) -> Option<Plan> {
        let now = self.settings.now_ms();
        let cleaned_to = self.maintenance().cleaned_to;
        let view = self.view();
        let first_dirty = cleaned_to.max(view.log_start);
        let too_new = |segment: &&Arc<Closed>| {
            let lag = config.min_compaction_lag_ms;
            segment.summary.next_offset > first_dirty && lag > 0 && segment.summary.largest_timestamp() > now - lag
        };
        let undecided = view.segment_of(view.last_stable);
        let first_too_new = view.closed.iter().find(too_new).map_or(view.active.base_offset, |segment| segment.base_offset);
        let upper = undecided.min(first_too_new).min(view.active.base_offset);
        let segments: Vec<_> = view.closed.iter().take_while(|segment| segment.base_offset < upper).map(Arc::clone).collect();
        let size = |dirty: bool| -> u64 {
            let those = segments.iter().filter(|segment| (segment.summary.next_offset > first_dirty) == dirty);
            those.map(|segment| segment.summary.size).sum()
        };
        let (clean, dirty) = (size(false), size(true));
        let waits_too_long = segments.iter().any(|segment| {
            let summary = &segment.summary;
            summary.next_offset > first_dirty
                && summary.first_timestamp >= 0
                && now - summary.first_timestamp > config.max_compaction_lag_ms
        });
        let ratio = dirty as f64 / (clean + dirty).max(1) as f64;
        let due = dirty > 0 && (waits_too_long || ratio > config.min_cleanable_dirty_ratio);
        due.then_some(Plan { segments, first_dirty, upper, now })
    }

    fn run(&self, plan: &Plan, config: &TopicConfig, stopped: Stopped<'_>) -> io::Result<bool> {
        let largest = groups(&plan.segments, config.segment_bytes).into_iter().max_by_key(|group| size_bytes(group));
        // Before the work, of which nothing would be left.
        if !largest.is_some_and(|group| self.has_room_for(group)) {
            return Ok(false);
        }
        let aborted = self.all_aborted()?;
        let mut keys = KeyMap::new(self.settings.cleaner_memory_bytes);
        let Some(keys_to) = map_keys(plan, &mut keys, aborted.clone(), stopped)? else { return Ok(false) };
        if keys_to < plan.first_dirty {
            tracing::warn!(partition = %self.name, "a batch has more keys than compaction may keep in memory; the log is not compacted");
            return Ok(false);
        }
        let mut filter = Filter {
            keys: &keys,
            keys_to,
            transactions: CleanedTransactions::new(aborted),
            last_of_producers: self.writer().producers.last_of_all(),
            upper: plan.upper,
            now: plan.now,
            delete_retention_ms: config.delete_retention_ms,
        };
        let to_clean: Vec<_> = plan.segments.iter().filter(|segment| segment.base_offset <= keys_to).map(Arc::clone).collect();
        let before = size_bytes(&to_clean);
        let mut after = 0;
        for group in groups(&to_clean, config.segment_bytes) {
            if !self.has_room_for(group) {
                return Ok(false);
            }
            match self.clean_group(group, &mut filter, stopped)? {
                Some(size) => after += size,
                None => return Ok(false),
            }
        }
        self.maintenance().cleaned_to = keys_to + 1;
        self.checkpoint_now().map_err(io::Error::other)?;
        tracing::debug!(partition = %self.name, before, after, "compacted up to offset {keys_to}");
        Ok(true)
    }

    /// Whether the disk has what a group may take until it has taken the place of its segments. That it has not is told once.
    fn has_room_for(&self, group: &[Arc<Closed>]) -> bool {
        let segments = size_bytes(group);
        let needed = segments + segments / OF_INDEX;
        // Where nobody knows, a write will tell.
        let free = Volume::of(&self.dir).map_or(u64::MAX, |volume| volume.free_bytes);
        #[cfg(test)]
        let free = free.min(self.files.room.load(std::sync::atomic::Ordering::SeqCst));
        let lacks_room = free < needed;
        let told = std::mem::replace(&mut self.maintenance().lacks_room, lacks_room);
        if lacks_room && !told {
            tracing::warn!(partition = %self.name, free, needed, "the disk has too little room for compaction; it begins when there is more");
        }
        !lacks_room
    }

    /// Bytes that are left of a group; `None`: stopped.
    fn clean_group(&self, group: &[Arc<Closed>], filter: &mut Filter<'_>, stopped: Stopped<'_>) -> io::Result<Option<u64>> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(Some(0)) };
        for segment in group {
            // One that could not be put in its place before would be put over what is made of it now.
            finish_swap(&self.dir, segment, &self.settings)?;
        }
        let mut cleaned = CleanedSegment::create(&self.dir, first.base_offset, &last.summary)?;
        for segment in group {
            let mut scanner = Scanner::new(segment.file.open()?, 0, segment.summary.size);
            while let Some(header) = scanner.peek()? {
                if stopped() {
                    return Ok(None);
                }
                let batch = scanner.batch(&header)?;
                match filter.apply(header, batch)? {
                    Outcome::Drop => {}
                    Outcome::Keep => cleaned.write(batch)?,
                    Outcome::Replace(left) => cleaned.write(&left)?,
                }
                scanner.skip(&header);
            }
            if scanner.position() < segment.summary.size {
                return Err(damaged(segment, scanner.position()));
            }
        }
        self.checkpoint_behind(&mut self.maintenance(), group).map_err(io::Error::other)?;
        let replacement = cleaned.decide(filter.transactions.take_retained(), last.base_offset, &self.settings, &self.files)?;
        let replacement = Arc::new(replacement);
        {
            let mut view = self.view_mut();
            let from = view.closed.partition_point(|segment| segment.base_offset < first.base_offset);
            view.closed.splice(from..from + group.len(), [Arc::clone(&replacement)]);
        }
        group.iter().for_each(|segment| segment.file.retire());
        finish_swap(&self.dir, &replacement, &self.settings)?;
        Ok(Some(replacement.summary.size))
    }

    fn all_aborted(&self) -> io::Result<Vec<AbortedTransaction>> {
        let (closed, mut aborted) = {
            let view = self.view();
            let closed: Vec<_> = view.closed.iter().filter(|segment| segment.summary.aborted > 0).map(Arc::clone).collect();
            (closed, view.active.index.aborted.clone())
        };
        for segment in closed {
            aborted.extend_from_slice(&segment.file.index()?.aborted);
        }
        Ok(aborted)
    }

    /// A checkpoint must not rest on segments that go: a start would have to read the whole log.
    pub(super) fn checkpoint_behind(&self, maintenance: &mut Maintenance, gone: &[Arc<Closed>]) -> Result<(), AppendError> {
        let last = gone.last().map_or(-1, |segment| segment.base_offset);
        if maintenance.checkpointed_segment <= last { self.checkpoint(maintenance) } else { Ok(()) }
    }
}

/// Notes the last offset of each key in the dirty part; returns the last offset that was seen. `None`: stopped.
fn map_keys(plan: &Plan, keys: &mut KeyMap, mut aborted: Vec<AbortedTransaction>, stopped: Stopped<'_>) -> io::Result<Option<i64>> {
    let dirty: Vec<_> = plan.segments.iter().filter(|segment| segment.summary.next_offset > plan.first_dirty).collect();
    let from = dirty.first().map_or(plan.upper, |segment| segment.base_offset);
    // Whose marker is not among these segments would never end here, and a later transaction of its producer would count as aborted.
    aborted.retain(|aborted| aborted.last_offset >= from);
    let mut transactions = CleanedTransactions::new(aborted);
    let mut seen = plan.first_dirty - 1;
    for segment in dirty {
        let mut scanner = Scanner::new(segment.file.open()?, 0, segment.summary.size);
        while let Some(header) = scanner.peek()? {
            if stopped() {
                return Ok(None);
            }
            let batch = scanner.batch(&header)?;
            let counts = match header.is_control() {
                true => {
                    transactions.on_marker(&header, Records::control(header, batch).map_err(io::Error::other)?);
                    false
                }
                false => !transactions.on_batch(&header),
            };
            if counts && !put_keys(header, batch, plan.first_dirty, keys)? {
                return Ok(Some(seen));
            }
            seen = seen.max(header.last_offset());
            scanner.skip(&header);
        }
        if scanner.position() < segment.summary.size {
            return Err(damaged(segment, scanner.position()));
        }
    }
    // Offsets that compaction took before are seen as well.
    Ok(Some(seen.max(plan.upper - 1)))
}

/// False: there is no room for all of them. Some may be noted then, which does no harm: they are behind what was seen.
fn put_keys(header: BatchHeader, batch: &[u8], from: i64, keys: &mut KeyMap) -> io::Result<bool> {
    let mut records = Records::new(header, batch).map_err(io::Error::other)?;
    while let Some(record) = records.next_record().map_err(io::Error::other)? {
        if let Some(key) = record.key
            && record.offset >= from
            && !keys.put(key, record.offset)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Neighbours that together fill at most one segment.
fn groups(segments: &[Arc<Closed>], most_bytes: u64) -> Vec<&[Arc<Closed>]> {
    let mut groups = Vec::new();
    let (mut from, mut size) = (0, 0);
    for (at, segment) in segments.iter().enumerate() {
        if at > from && size + segment.summary.size > most_bytes {
            groups.push(&segments[from..at]);
            (from, size) = (at, 0);
        }
        size += segment.summary.size;
    }
    groups.push(&segments[from..]);
    groups
}

fn size_bytes(segments: &[Arc<Closed>]) -> u64 {
    segments.iter().map(|segment| segment.summary.size).sum()
}

fn damaged(segment: &Closed, position: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("no record batch at byte {position} of the segment from offset {}", segment.base_offset),
    )
}
