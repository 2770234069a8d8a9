//! What stands in a task's logs behind its last marker, when records are written without transactions.
//!
//! ```text
//!  changelog   … row row row │ row row        rows of an attempt that was never finished: the database does not have them
//!                            └ the marker names this offset
//! ```
//! The next marker will name a later offset, and a restore up to there would take such rows for the state. So they are found when the
//! task is opened, and its first commit writes the row of the database again for each of their keys. And since nobody is fenced, it
//! is found out by counting whether anybody else wrote: records of ours stand at the end that we know, without a gap.

use std::collections::{BTreeMap, BTreeSet};

use super::{Prepared, Task};
use crate::faults::Sabotage;
use crate::ports::Delivered;
use crate::record::{Offset, TopicPartition};
use crate::state::{Batch, Column, StoreError, TaskDatabase, TaskPosition};

/// What is known of the ends of a task's logs.
#[derive(Debug, Default)]
pub struct LogTail {
    /// Rows that stand behind the marker's offsets.
    unfinished: BTreeSet<(u16, Vec<u8>)>,
    /// By store, where the next record of its changelog will stand unless somebody else writes.
    changelogs: BTreeMap<String, Offset>,
    /// The same for the next marker.
    marker: Option<Offset>,
    /// The last marker does not tell whoever works under transactions to look behind it.
    unannounced: bool,
}

/// Somebody else wrote to a log of the task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("somebody else writes to {log}: the last of our records stands at {found} instead of {expected}")]
pub struct NotAlone {
    /// Which log.
    pub log: String,
    /// Where the last record should stand.
    pub expected: Offset,
    /// Where it does, if it is known.
    pub found: Offset,
}

impl LogTail {
    /// A row stands behind the marker's offset.
    pub fn note_unfinished(&mut self, column: Column, key: &[u8]) {
        self.unfinished.insert((column.0, key.to_vec()));
    }

    /// So far a store's changelog was read: from here on only the task writes.
    pub fn changelog_ends(&mut self, store: &str, end: Offset) {
        self.changelogs.insert(store.to_string(), end);
    }

    /// The same for the task's partition of the task log.
    pub fn markers_end(&mut self, end: Offset) {
        self.marker = Some(end);
    }

    /// The last marker was written under transactions, or there is none: before any row is written without them, another must tell so.
    pub fn announce(&mut self) {
        self.unannounced = true;
    }

    /// How many keys have rows that nobody finished.
    pub fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// Adds the database's rows of those keys that the batch does not change.
    pub(super) fn write_again(&self, database: &TaskDatabase, batch: &mut Batch) -> Result<(), StoreError> {
        if self.unfinished.is_empty() {
            return Ok(());
        }
        let changed: BTreeSet<(u16, Vec<u8>)> = batch.iter().map(|entry| (entry.column.0, entry.key.to_vec())).collect();
        for (column, key) in self.unfinished.difference(&changed) {
            let (column, mut row) = (Column(*column), None);
            database.database().get(column, key, &mut |bytes| row = Some(bytes.to_vec()))?;
            match row {
                Some(row) => batch.put(column, key, &row),
                None => batch.delete(column, key),
            }
        }
        Ok(())
    }

    /// What this position names is finished, and stands at the ends.
    pub(super) fn applied(&mut self, position: &TaskPosition) {
        self.unfinished.clear();
        self.unannounced = false;
        for (store, next) in &mut self.changelogs {
            if let Some(Some(last)) = position.marker.changelogs.get(store) {
                *next = last.next().max(*next);
            }
        }
        self.marker = self.marker.map(|_| position.marker_offset.next());
    }
}

impl Task {
    /// Tells the task what stands behind its last marker.
    pub fn begin_after(&mut self, tail: LogTail) {
        self.tail = tail;
        if self.sabotaged.is(Sabotage::LeaveUnfinishedRows) {
            self.tail.unfinished.clear();
        }
    }

    /// Nothing may be processed before a commit of the marker alone. Who takes the task over under transactions reads behind a marker only
    /// where that was written without them, and would take the rows of an attempt that ended before its first marker for the state.
    pub fn must_announce(&self) -> bool {
        self.tail.unannounced && !self.sabotaged.is(Sabotage::AnnounceNothing)
    }

    /// Whether the rows of each record are measured.
    pub fn measures_rows(&self) -> bool {
        self.measures_rows
    }

    /// Whether the rows of a commit are the only ones that were written behind the last marker.
    ///
    /// # Errors
    /// [`NotAlone`]: what was prepared must not be finished.
    pub fn check_rows_alone(&self, prepared: &Prepared, delivered: &Delivered) -> Result<(), NotAlone> {
        let mut sent = vec![0; self.plan.stores.len()];
        for entry in prepared.changelog() {
            // Column 0 is the position; the stores follow in the plan's order.
            sent[usize::from(entry.column.0) - 1] += 1;
        }
        for (store, sent) in self.plan.stores.iter().zip(sent).filter(|(_, sent)| *sent > 0) {
            if let Some(next) = self.tail.changelogs.get(&store.name) {
                check(&store.changelog, Offset(next.0 + sent - 1), delivered)?;
            }
        }
        Ok(())
    }

    /// Whether nobody else wrote a marker since the task was opened, or since its own last one.
    ///
    /// # Errors
    /// [`NotAlone`]: the task must be opened again.
    pub fn check_marker_alone(&self, token: &TopicPartition, delivered: &Delivered) -> Result<(), NotAlone> {
        self.tail.marker.map_or(Ok(()), |next| check(token, next, delivered))
    }
}

fn check(log: &TopicPartition, expected: Offset, delivered: &Delivered) -> Result<(), NotAlone> {
    let found = delivered.get(log).copied().unwrap_or(Offset(-1));
    if found == expected { Ok(()) } else { Err(NotAlone { log: log.to_string(), expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Timestamp;
    use crate::state::{DatabaseProvider as _, Marker, MemoryDisk};

    #[test]
    fn rows_that_nobody_finished_are_written_over_by_those_of_the_database() {
        let database = TaskDatabase::new(MemoryDisk::default().open("t", &[]).unwrap()).unwrap();
        let mut rows = Batch::default();
        rows.put(Column(1), b"kept", b"1");
        rows.put(Column(1), b"changed", b"1");
        database.database().write(&rows).unwrap();
        let mut tail = LogTail::default();
        [&b"kept"[..], b"changed", b"unknown"].into_iter().for_each(|key| tail.note_unfinished(Column(1), key));
        let mut batch = Batch::default();
        batch.put(Column(1), b"changed", b"2");
        tail.write_again(&database, &mut batch).unwrap();
        let found: Vec<_> = batch.iter().map(|entry| (entry.key.to_vec(), entry.value.map(<[u8]>::to_vec))).collect();
        let expected = [("changed", Some("2")), ("kept", Some("1")), ("unknown", None)];
        let bytes = |text: &str| text.as_bytes().to_vec();
        assert_eq!(found, expected.map(|(key, row)| (bytes(key), row.map(bytes))));
    }

    #[test]
    fn what_was_applied_moves_the_ends_and_anybody_in_between_is_found() {
        let mut tail = LogTail::default();
        tail.note_unfinished(Column(1), b"a");
        tail.changelog_ends("written", Offset(10));
        tail.changelog_ends("not written", Offset(4));
        tail.markers_end(Offset(3));
        let changelogs = [("written".to_string(), Some(Offset(12))), ("not written".to_string(), Some(Offset(1)))].into();
        let marker = Marker {
            lineage: uuid::Uuid::nil(),
            sequence: 1,
            sources: BTreeMap::new(),
            stream_time: None,
            changelogs,
            outputs: BTreeMap::new(),
        };
        tail.applied(&TaskPosition { marker, marker_offset: Offset(3), applied_at: Timestamp(0) });
        assert_eq!(tail.unfinished(), 0);
        assert_eq!(tail.changelogs, [("not written".to_string(), Offset(4)), ("written".to_string(), Offset(13))].into());
        assert_eq!(tail.marker, Some(Offset(4)));

        let log = TopicPartition::new("log", 0);
        let delivered = |at: i64| [(log.clone(), Offset(at))].into();
        assert_eq!(check(&log, Offset(5), &delivered(5)), Ok(()));
        assert!(check(&log, Offset(5), &delivered(6)).unwrap_err().to_string().contains("somebody else writes to log"));
        assert!(check(&log, Offset(5), &Delivered::new()).is_err());
    }
}
