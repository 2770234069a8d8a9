//! The commands that were handled, so that one that comes again is not decided again.
//!
//! A row a command, for [`CommandLimits::keep`] of stream time, and one row with their number. Nothing is removed early: at the bound, new
//! commands are refused.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::expiry::{Expiry, Timed};
use super::{Aggregate, Outcome};
use crate::codec::{self, CodecError, StoreValue};
use crate::processor::{ProcessResult, ProcessorContext, ProcessorError, StoreRef};
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

impl Timed for SeenCommand {
    fn time(&self) -> Timestamp {
        Timestamp(self.at)
    }
}

/// The only key of the store that holds the number of rows.
const COUNT: &str = "rows";

/// The commands that one task has handled.
pub(super) struct Seen<A: Aggregate> {
    pub rows: Expiry<(A::Id, String), SeenCommand>,
    pub count: StoreRef<String, u64>,
    /// So many a task at most.
    pub max: u64,
}

impl<A: Aggregate> Seen<A> {
    /// The command of this key, unless its time is over.
    pub(super) fn find(&self, context: &mut ProcessorContext<'_>, key: &(A::Id, String)) -> Result<Option<SeenCommand>, StoreError> {
        let expired = self.rows.until(context);
        let row = context.store(self.rows.rows).get(key)?;
        Ok(row.filter(|row| row.time() > expired).map(|row| SeenCommand::clone(&row)))
    }

    /// No further command can be remembered.
    pub(super) fn is_full(&self, context: &mut ProcessorContext<'_>) -> Result<bool, StoreError> {
        let count = context.store(self.count).get(&COUNT.to_owned())?;
        Ok(count.is_some_and(|count| *count >= self.max))
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
        let before = context.store(self.rows.rows).change(key, |seen| *seen = Some(row))?;
        if before.old.is_none() {
            context.store(self.count).change(&COUNT.to_owned(), |count| *count = Some(count.unwrap_or(0) + 1))?;
        }
        Ok(())
    }

    /// Removes some of the rows whose time is over.
    pub(super) fn expire(&mut self, context: &mut ProcessorContext<'_>) -> ProcessResult {
        let removed = self.rows.remove(context)?;
        if removed > 0 {
            context.store(self.count).change(&COUNT.to_owned(), |count| *count = Some(count.unwrap_or(0).saturating_sub(removed)))?;
        }
        Ok(())
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
