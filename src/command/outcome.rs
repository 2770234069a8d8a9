//! What became of a command.

use serde::{Deserialize, Serialize};

use super::{Members, Rejection, time};
use crate::record::Timestamp;

/// The command's data is not valid. Not kept: the same command may be sent again, put right.
pub const VALIDATION_FAILED: &str = "validation-failed";
/// There are as many commands to remember as may be. Not kept.
pub const OVERLOADED: &str = "overloaded";
/// The command came to its handler after its deadline. Not kept.
pub const DEADLINE_EXCEEDED: &str = "deadline-exceeded";
/// The key was used before, for another command.
pub const IDEMPOTENCY_KEY_REUSED: &str = "idempotency-key-reused";
/// The aggregate has another version than the command expects.
pub const VERSION_MISMATCH: &str = "version-mismatch";
/// The command was handled before, and what became of it is not known any more: it came back in a replay.
pub const OUTCOME_LOST: &str = "outcome-lost";

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandState {
    /// It was accepted, and waits for its handler.
    Pending,
    /// Its events, if any, are in the log.
    Succeeded,
    /// It led to no event.
    Rejected,
}

/// What became of a command: JSON in the topic of results, under the command's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The command.
    pub command_id: String,
    /// Who waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What it was about.
    pub aggregate_id: String,
    /// How far it is.
    pub state: CommandState,
    /// It was not decided now, but told again: its key was seen before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// Why it was rejected: what programs compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why it was rejected: what people read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What the aggregate tells of itself, or a rejection of its reason.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub data: Members,
    /// The aggregate's version after it, where there is an aggregate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// When the command was given: its record's time.
    #[serde(with = "time")]
    pub at: Timestamp,
}

impl Outcome {
    /// One that waits, for whoever accepts commands to write.
    pub fn pending(command_id: impl Into<String>, aggregate_id: impl Into<String>, at: Timestamp) -> Self {
        Outcome {
            command_id: command_id.into(),
            request_id: None,
            aggregate_id: aggregate_id.into(),
            state: CommandState::Pending,
            replayed: false,
            code: None,
            detail: None,
            data: Members::new(),
            version: None,
            at,
        }
    }

    pub(super) fn succeeded(self, data: Members, version: u64) -> Self {
        Outcome { state: CommandState::Succeeded, data, version: Some(version), ..self }
    }

    pub(super) fn rejected(self, rejection: Rejection, version: Option<u64>) -> Self {
        let Rejection { code, detail, data } = rejection;
        Outcome { state: CommandState::Rejected, code: Some(code.into_owned()), detail: Some(detail), data, version, ..self }
    }

    /// Whether a command of the same key is answered by it.
    pub(super) fn is_kept(&self) -> bool {
        !matches!(self.code.as_deref(), Some(VALIDATION_FAILED | OVERLOADED | DEADLINE_EXCEEDED | IDEMPOTENCY_KEY_REUSED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Codec, Json};

    #[test]
    fn outcomes_are_written_like_this() {
        // Other programs read them.
        let mut data = Members::new();
        data.set("balance", "70.10");
        let pending = Outcome { request_id: Some("r-1".into()), ..Outcome::pending("c-1", "kim", Timestamp(1_772_323_200_250)) };
        let (succeeded, rejected) = (
            Outcome { replayed: true, ..pending.clone().succeeded(data, 3) },
            Outcome { request_id: None, ..pending.clone() }.rejected(Rejection::new("overdrawn", "no").with("balance", &70), Some(2)),
        );
        let golden = [
            r#"{"commandId":"c-1","requestId":"r-1","aggregateId":"kim","state":"pending","at":"2026-03-01T00:00:00.250Z"}"#,
            r#"{"commandId":"c-1","requestId":"r-1","aggregateId":"kim","state":"succeeded","replayed":true,"data":{"balance":"70.10"},"version":3,"at":"2026-03-01T00:00:00.250Z"}"#,
            r#"{"commandId":"c-1","aggregateId":"kim","state":"rejected","code":"overdrawn","detail":"no","data":{"balance":70},"version":2,"at":"2026-03-01T00:00:00.250Z"}"#,
        ];
        for (outcome, json) in [pending, succeeded, rejected].into_iter().zip(golden) {
            let bytes = Json.encode(&outcome).unwrap().unwrap();
            assert_eq!(String::from_utf8_lossy(&bytes), json);
            assert_eq!(Codec::<Outcome>::decode(&Json, Some(&bytes)).unwrap(), outcome);
        }
    }
}
