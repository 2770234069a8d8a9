//! Ids that follow from what they are of.

use serde::Serialize;
use uuid::{Builder, Uuid};

use crate::processor::RecordContext;
use crate::record::Timestamp;

/// The id of an event: shaped as a UUID of version 7, but not random. Its time is that of the command's id where that is of version 7
/// itself, else `now`; the rest is a hash of the command's id and the place of the fact among its facts.
pub fn event_id(command_id: &str, index: usize, now: Timestamp) -> Uuid {
    let hash = *Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{command_id}\n{index}").as_bytes()).as_bytes();
    let of_command = Uuid::parse_str(command_id).ok().filter(|id| id.get_version_num() == 7);
    let millis = of_command.map_or(now.0.max(0) as u64, |id| (id.as_u128() >> 80) as u64);
    // Without the bytes that say which version the hash is of.
    let [a, b, c, d, e, f, _, _, _, g, h, i, j, ..] = hash;
    Builder::from_unix_timestamp_millis(millis, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
}

/// The id of a command that has none: its place in the log.
pub(super) fn id_of_place(record: Option<&RecordContext>) -> String {
    record.map_or_else(String::new, |record| format!("{}-{}-{}", record.topic, record.partition, record.offset))
}

/// A key in words: a text as it is, anything else as JSON.
pub(super) fn key_text(key: &impl Serialize) -> String {
    match serde_json::to_value(key) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_stay_what_they_are() {
        // They are in the logs of every application.
        let of_v7 = event_id("019577b8-5e7a-7c3d-8f00-0123456789ab", 0, Timestamp(5));
        assert_eq!(of_v7.to_string(), "019577b8-5e7a-7af8-bca0-f34bce1e4293");
        assert_eq!(event_id("any-1", 1, Timestamp(1_772_323_200_250)).to_string(), "019ca6b1-dcfa-7e48-b64c-55a2fc1026c7");
        assert_eq!(of_v7.get_version_num(), 7);
        assert_ne!(of_v7, event_id("019577b8-5e7a-7c3d-8f00-0123456789ab", 1, Timestamp(5)));
    }
}
