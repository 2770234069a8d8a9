//! Rows that are kept for some time of the stream and then removed, a bounded number at a time.

use std::time::Duration;

use crate::codec::{StoreKey, StoreValue};
use crate::processor::{IndexRef, ProcessorContext, ProcessorError, StoreRef};
use crate::record::Timestamp;

/// How often expired rows are removed, in stream time, and how many at a time: more than a task handles meanwhile.
pub(super) const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);
const EXPIRED_ROWS: usize = 2_000;

/// A row with a time.
pub(super) trait Timed {
    /// What rows are found by: stream time when it was written.
    fn time(&self) -> Timestamp;
}

/// Rows whose time is over are found by an index. Until they are removed they count as not there.
pub(super) struct Expiry<K, V> {
    pub rows: StoreRef<K, V>,
    pub by_time: IndexRef<Timestamp, K, V>,
    pub keep: Duration,
    /// All rows before were removed.
    pub cursor: Timestamp,
}

impl<K: StoreKey + Send + Sync + 'static, V: StoreValue + Timed> Expiry<K, V> {
    /// The time of rows of this moment, and of all before, is over.
    pub fn until(&self, context: &ProcessorContext<'_>) -> Timestamp {
        let keep_ms = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
        Timestamp(context.stream_time().0.saturating_sub(keep_ms))
    }

    /// Removes some of the rows whose time is over; answers how many.
    pub fn remove(&mut self, context: &mut ProcessorContext<'_>) -> Result<u64, ProcessorError> {
        let expired = self.until(context);
        let end = Timestamp(expired.0.saturating_add(1));
        // The index tells of the last commit: what was removed since is found once more.
        let found = context.committed(self.by_time, self.cursor..end, EXPIRED_ROWS)?;
        let mut removed = 0;
        for (at, key) in found {
            self.cursor = at;
            let mut rows = context.store(self.rows);
            if rows.get(&key)?.is_some_and(|row| row.time() <= expired) {
                rows.delete(&key)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
