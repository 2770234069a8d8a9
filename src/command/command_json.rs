//! Commands as JSON:
//!
//! ```json
//! {"commandId": "…", "type": "DEPOSIT", "aggregateId": "kim", "requestId": "…", "idempotencyKey": "…", "digest": "…",
//!  "actor": {"id": "kim"}, "expectedVersion": 7, "deadline": "2026-03-01T09:30:00.250Z", "correlationId": "…", "causationId": "…",
//!  "timestamp": "2026-03-01T09:29:30.250Z", "data": {"amount": 100}}
//! ```
//!
//! Only `type` must be there; other members are passed over. `timestamp` and `deadline` may also be milliseconds since the Unix epoch.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::time::JsonTime;
use super::{Actor, CommandRecord, Rejection, VALIDATION_FAILED};
use crate::codec::{Codec, CodecError};

/// The longest id or key: they are keys of stores.
const MAX_ID_BYTES: usize = 1_000;

/// A command of an application, as its type and its data.
pub trait CommandData: Sized {
    /// The command's `type`.
    fn type_name(&self) -> &'static str;
    /// Reads a command; `data` is `{}` where the record has none.
    ///
    /// # Errors
    /// What its sender is told, with all faults at once. A type that is not known is one too.
    fn from_json(type_name: &str, data: &RawValue) -> Result<Self, Rejection>;
    /// Its data.
    fn to_json(&self) -> Box<RawValue>;
}

/// Reads data through serde, for [`CommandData::from_json`]. Only the first fault is told.
pub fn read_data<T: DeserializeOwned>(data: &RawValue) -> Result<T, Rejection> {
    serde_json::from_str(data.get())
        .map_err(|error| Rejection::new(VALIDATION_FAILED, format!("the command's data cannot be read: {error}")))
}

/// Codec of [`CommandRecord`]s. Bytes that are no such JSON are a record at fault; a command whose data is not valid is not, for its
/// sender shall be told.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandJson;

impl<C: CommandData + Clone + Send + 'static> Codec<CommandRecord<C>> for CommandJson {
    fn encode(&self, record: &CommandRecord<C>) -> Result<Option<Vec<u8>>, CodecError> {
        let command = record.command.as_ref().map_err(|_| CodecError::new("a command that is not valid cannot be written"))?;
        let written = Written {
            command_id: record.command_id.clone(),
            type_name: command.type_name().to_owned(),
            aggregate_id: record.aggregate_id.clone(),
            request_id: record.request_id.clone(),
            idempotency_key: record.idempotency_key.clone(),
            digest: record.digest.clone(),
            actor: record.actor.clone(),
            expected_version: record.expected_version,
            deadline: record.deadline.map(JsonTime),
            correlation_id: record.correlation_id.clone(),
            causation_id: record.causation_id.clone(),
            timestamp: record.timestamp.map(JsonTime),
            data: Some(command.to_json()),
        };
        serde_json::to_vec(&written).map(Some).map_err(|e| CodecError::new(format!("cannot be written as JSON: {e}")))
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<CommandRecord<C>, CodecError> {
        let bytes = bytes.ok_or_else(|| CodecError::new("is null where a command is expected"))?;
        let read: Written = serde_json::from_slice(bytes).map_err(|e| CodecError::new(format!("is no command: {e}")))?;
        for (name, id) in [("commandId", &read.command_id), ("requestId", &read.request_id), ("idempotencyKey", &read.idempotency_key)] {
            if id.as_ref().is_some_and(|id| id.len() > MAX_ID_BYTES) {
                return Err(CodecError::new(format!("is no command: {name} has more than {MAX_ID_BYTES} bytes")));
            }
        }
        let data = read.data.unwrap_or_else(|| RawValue::from_string("{}".to_owned()).expect("it is JSON"));
        Ok(CommandRecord {
            digest: Some(read.digest.unwrap_or_else(|| digest(&read.type_name, &data))),
            command: C::from_json(&read.type_name, &data),
            command_id: read.command_id,
            aggregate_id: read.aggregate_id,
            request_id: read.request_id,
            idempotency_key: read.idempotency_key,
            actor: read.actor,
            expected_version: read.expected_version,
            deadline: read.deadline.map(|time| time.0),
            correlation_id: read.correlation_id,
            causation_id: read.causation_id,
            timestamp: read.timestamp.map(|time| time.0),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    command_id: Option<String>,
    #[serde(rename = "type")]
    type_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregate_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<JsonTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<JsonTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

/// Of a sender who gives none: of the type and the data, as they are written.
fn digest(type_name: &str, data: &RawValue) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{type_name}\n{}", data.get()).as_bytes()).simple().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Timestamp;

    /// A number, exactly as it was written.
    #[derive(Clone, Debug, PartialEq)]
    struct Deposit(String);

    impl CommandData for Deposit {
        fn type_name(&self) -> &'static str {
            "DEPOSIT"
        }

        fn from_json(type_name: &str, data: &RawValue) -> Result<Self, Rejection> {
            #[derive(Deserialize)]
            struct Amount {
                amount: Box<RawValue>,
            }
            match type_name {
                "DEPOSIT" => read_data::<Amount>(data).map(|read| Deposit(read.amount.get().to_owned())),
                other => Err(Rejection::new(VALIDATION_FAILED, format!("there is no command {other}"))),
            }
        }

        fn to_json(&self) -> Box<RawValue> {
            RawValue::from_string(format!(r#"{{"amount":{}}}"#, self.0)).expect("it is JSON")
        }
    }

    fn decode(json: &str) -> Result<CommandRecord<Deposit>, CodecError> {
        CommandJson.decode(Some(json.as_bytes()))
    }

    #[test]
    fn a_command_is_written_like_this_and_comes_back() {
        // Other programs write and read them.
        let json = concat!(
            r#"{"commandId":"c-1","type":"DEPOSIT","aggregateId":"kim","requestId":"r-1","idempotencyKey":"k","digest":"d","#,
            r#""actor":{"id":"lee","operator":true},"expectedVersion":7,"deadline":"2026-03-01T00:00:00.250Z","correlationId":"x","#,
            r#""causationId":"y","timestamp":"2026-02-28T23:59:59.000Z","data":{"amount":9007199254740993.10}}"#
        );
        let record = decode(json).unwrap();
        assert_eq!((record.deadline, record.timestamp), (Some(Timestamp(1_772_323_200_250)), Some(Timestamp(1_772_323_199_000))));
        assert_eq!(record.command.as_ref().unwrap(), &Deposit("9007199254740993.10".into()));
        let written = CommandJson.encode(&record).unwrap().unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), json);
    }

    #[test]
    fn other_services_need_no_more_than_a_type() {
        let record = decode(r#"{"type":"DEPOSIT","data":{"amount":5},"deadline":1000,"colour":"blue"}"#).unwrap();
        assert_eq!((record.command_id, record.deadline), (None, Some(Timestamp(1000))));
        let again = decode(r#"{"data":{"amount":5},"type":"DEPOSIT"}"#).unwrap();
        assert_eq!(record.digest, again.digest, "a digest is of type and data");
        assert_ne!(record.digest, decode(r#"{"type":"DEPOSIT","data":{"amount":6}}"#).unwrap().digest);
    }

    #[test]
    fn data_that_is_not_valid_is_a_rejection_and_what_is_no_command_is_at_fault() {
        for json in [r#"{"type":"DEPOSIT"}"#, r#"{"type":"DEPOSIT","data":7}"#, r#"{"type":"FLY","data":{}}"#] {
            assert_eq!(decode(json).unwrap().command.unwrap_err().code, VALIDATION_FAILED, "{json}");
        }
        let long = format!(r#"{{"type":"DEPOSIT","idempotencyKey":"{}"}}"#, "k".repeat(1_001));
        for json in ["", "7", "{}", r#"{"type":7}"#, r#"{"type":"DEPOSIT","expectedVersion":-1}"#, &long] {
            assert!(decode(json).is_err(), "{json}");
        }
        assert!(Codec::<CommandRecord<Deposit>>::decode(&CommandJson, None).is_err());
    }
}
