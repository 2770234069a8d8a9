//! What became of commands, to be asked for by their ids.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::expiry::{EXPIRY_INTERVAL, Expiry, Timed};
use super::{CommandState, Outcome, POSITION_HEADER};
use crate::codec::{self, CodecError, StoreValue};
use crate::processor::{ProcessResult, Processor, ProcessorContext, ProcessorError, PunctuationId, PunctuationType};
use crate::record::{Record, Timestamp};
use crate::topology::{CommitPace, Store, Stream, TopologyBuilder};

/// What is known of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownCommand {
    /// When it was last heard of: stream time in milliseconds.
    pub at: i64,
    /// Its outcome has come, and stays: the command was not turned away for reasons that may be over when it is sent again.
    pub is_decided: bool,
    /// The [`Outcome`], as JSON.
    pub outcome: String,
    /// Where its events came to lie: `topic:partition=offset after,…`.
    pub position: Option<String>,
}

impl StoreValue for KnownCommand {
    fn decode_indexed(body: &[u8]) -> Result<Self, CodecError> {
        let (at,) = codec::decode_head::<(i64,)>(body)?;
        Ok(KnownCommand { at, is_decided: false, outcome: String::new(), position: None })
    }
}

impl Timed for KnownCommand {
    fn time(&self) -> Timestamp {
        Timestamp(self.at)
    }
}

/// Declares a store of outcomes by command id, from a source of the topic of results. Rows are kept for so long, by stream time.
pub fn outcomes(b: &mut TopologyBuilder, name: &str, results: Stream<String, Outcome>, keep: Duration) -> Store<String, KnownCommand> {
    let store = b.store::<String, KnownCommand>(name, results);
    // Nobody waits for these: who waits for an outcome reads the topic.
    b.commit(results, CommitPace::Relaxed);
    let by_time = b.index(store, "by-time", |_, row| Some(row.time()));
    b.processor(name, results, move |w| {
        w.every(EXPIRY_INTERVAL, PunctuationType::StreamTime);
        Remember(Expiry { rows: w.store(store), by_time: w.index(by_time), keep, cursor: Timestamp::MIN })
    });
    store
}

struct Remember(Expiry<String, KnownCommand>);

impl Processor<String, Outcome> for Remember {
    fn process(&mut self, context: &mut ProcessorContext<'_>, record: Record<String, Outcome>) -> ProcessResult {
        let outcome =
            serde_json::to_string(&record.value).map_err(|error| ProcessorError::rejected(format!("an outcome has no JSON: {error}")))?;
        let position = record.headers.last(POSITION_HEADER).and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        let is_pending = record.value.state == CommandState::Pending;
        let is_decided = !is_pending && record.value.is_kept();
        let (at, expired) = (context.stream_time().0, self.0.until(context));
        let mut rows = context.store(self.0.rows);
        // The note that a command waits may come after its outcome. A command that is told again keeps what was decided first.
        let known = rows.get(&record.key)?.is_some_and(|known| known.time() > expired && (known.is_decided || is_pending));
        if !known {
            rows.put(&record.key, KnownCommand { at, is_decided, outcome, position })?;
        }
        Ok(())
    }

    fn punctuate(&mut self, context: &mut ProcessorContext<'_>, _: PunctuationId, _: Timestamp) -> ProcessResult {
        self.0.remove(context).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Json, Text};
    use crate::testkit::TopologyTestDriver;

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn json(state: &str, at: &str) -> String {
        format!(r#"{{"commandId":"c","aggregateId":"a","state":"{state}","at":"{at}"}}"#)
    }

    #[test]
    fn an_outcome_is_never_taken_back_and_goes_when_its_time_is_over() {
        let (mut driver, store) = TopologyTestDriver::new(|b| {
            let results = b.source::<String, Outcome>("results", &["results"], Text, Json);
            outcomes(b, "commands", results, DAY)
        })
        .unwrap();
        let state = |driver: &TopologyTestDriver| {
            driver.get(store, "c".to_owned()).map(|known| serde_json::from_str::<Outcome>(&known.outcome).unwrap().state)
        };
        let day = "2026-03-01T00:00:00Z";
        for (told, then) in [
            ("pending", CommandState::Pending),
            ("rejected\",\"code\":\"deadline-exceeded", CommandState::Rejected),
            ("pending", CommandState::Rejected),
            // Sent again, in time.
            ("succeeded", CommandState::Succeeded),
            ("pending", CommandState::Succeeded),
            ("rejected\",\"code\":\"deadline-exceeded", CommandState::Succeeded),
        ] {
            driver.pipe("results", "c", &json(told, day)).unwrap();
            assert_eq!(state(&driver), Some(then));
        }
        for other in ["other", "another"] {
            driver.advance_wall_clock(DAY + Duration::from_secs(2)).unwrap();
            driver.pipe("results", other, &json("pending", day)).unwrap();
        }
        assert_eq!(state(&driver), None);
    }
}
