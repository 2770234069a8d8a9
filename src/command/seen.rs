//! The commands that were handled, so that one that comes again is not decided again.
//!
//! A row a command, for [`CommandLimits::keep`] of stream time, and one row with their number. Rows whose time is over are found by an
//! index and removed by a punctuation, a bounded number at a time; until then they count as not there. Nothing is removed early: at the
//! bound, new commands are refused.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Aggregate, Outcome};
use crate::codec::{self, CodecError, StoreValue};
use crate::processor::{IndexRef, ProcessResult, ProcessorContext, ProcessorError, StoreRef};
use crate::record::Timestamp;
use crate::state::StoreError;

/// How long and how many outcomes are kept.
#[derive(Clone, Copy, Debug)]
pub struct CommandLimits {
    /// So long, by stream time.
    pub keep: Duration,
    /// So many a task at most.
    pub max_seen: u64,
}

impl Default for CommandLimits {
    /// 24 hours; a million, which is some 500 MB a task.
    fn default() -> Self {
        CommandLimits { keep: Duration::from_secs(24 * 3_600), max_seen: 1_000_000 }
    }
}

/// A command that was handled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenCommand {
    /// When: stream time in milliseconds.
    pub at: i64,
    /// Of what was asked.
    pub digest: Option<String>,
    /// The [`Outcome`], as JSON.
    pub outcome: String,
}

impl StoreValue for SeenCommand {
    fn decode_indexed(body: &[u8]) -> Result<Self, CodecError> {
        let (at,) = codec::decode_head::<(i64,)>(body)?;
        Ok(SeenCommand { at, digest: None, outcome: String::new() })
    }
}

impl SeenCommand {
    /// What the rows are found by.
    pub(super) fn time(&self) -> Timestamp {
        Timestamp(self.at)
    }
}

/// How often expired rows are removed, in stream time, and how many at a time: more than a task handles meanwhile.
pub(super) const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);
const EXPIRED_ROWS: usize = 2_000;

/// The only key of the store that holds the number of rows.
const COUNT: &str = "rows";

/// The commands that one task has handled.
pub(super) struct Seen<A: Aggregate> {
    pub rows: StoreRef<(A::Id, String), SeenCommand>,
    pub by_time: IndexRef<Timestamp, (A::Id, String), SeenCommand>,
    pub count: StoreRef<String, u64>,
    pub limits: CommandLimits,
    /// All rows before were removed.
    pub cursor: Timestamp,
}

impl<A: Aggregate> Seen<A> {
    /// The command of this key, unless its time is over.
    pub(super) fn find(&self, context: &mut ProcessorContext<'_>, key: &(A::Id, String)) -> Result<Option<SeenCommand>, StoreError> {
        let expired = self.expired_until(context);
        let row = context.store(self.rows).get(key)?;
        Ok(row.filter(|row| row.time() > expired).map(|row| SeenCommand::clone(&row)))
    }

    /// No further command can be remembered.
    pub(super) fn is_full(&self, context: &mut ProcessorContext<'_>) -> Result<bool, StoreError> {
        let count = context.store(self.count).get(&COUNT.to_owned())?;
        Ok(count.is_some_and(|count| *count >= self.limits.max_seen))
    }

    /// Keeps an outcome.
    pub(super) fn keep(
        &self,
        context: &mut ProcessorContext<'_>,
        key: &(A::Id, String),
        digest: Option<&String>,
        outcome: &Outcome,
    ) -> ProcessResult {
        let outcome =
            serde_json::to_string(outcome).map_err(|error| ProcessorError::rejected(format!("an outcome has no JSON: {error}")))?;
        let row = SeenCommand { at: context.stream_time().0, digest: digest.cloned(), outcome };
        let before = context.store(self.rows).change(key, |seen| *seen = Some(row))?;
        if before.old.is_none() {
            context.store(self.count).change(&COUNT.to_owned(), |count| *count = Some(count.unwrap_or(0) + 1))?;
        }
        Ok(())
    }

    /// Removes some of the rows whose time is over.
    pub(super) fn expire(&mut self, context: &mut ProcessorContext<'_>) -> ProcessResult {
        let expired = self.expired_until(context);
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
        if removed > 0 {
            context.store(self.count).change(&COUNT.to_owned(), |count| *count = Some(count.unwrap_or(0).saturating_sub(removed)))?;
        }
        Ok(())
    }

    /// The time of rows of this moment, and of all before, is over.
    fn expired_until(&self, context: &ProcessorContext<'_>) -> Timestamp {
        let keep_ms = i64::try_from(self.limits.keep.as_millis()).unwrap_or(i64::MAX);
        Timestamp(context.stream_time().0.saturating_sub(keep_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_sees_the_same_of_a_row_as_of_its_beginning() {
        let row = SeenCommand { at: 1_772_323_200_250, digest: Some("d".into()), outcome: "{}".into() };
        let mut body = Vec::new();
        codec::encode_body(&row, &mut body).unwrap();
        assert_eq!(SeenCommand::decode_indexed(&body).unwrap().time(), row.time());
    }
}
