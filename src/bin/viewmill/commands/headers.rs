//! What of an envelope also stands in the headers of its record, for readers that route without reading JSON.

use viewmill::record::{Header, Headers};

use crate::events::Event;

/// The headers of an event's record, under the names of the envelope. What an event does not say is left out.
pub fn of_event(event: &Event) -> Headers {
    let envelope = &event.envelope;
    let schema_version = envelope.schema_version().map(|version| version.to_string());
    let version = envelope.version().map(|version| version.to_string());
    let values = [
        ("eventId", envelope.event_id()),
        ("type", Some(event.type_name())),
        ("schemaVersion", schema_version.as_deref()),
        ("aggregateId", Some(event.aggregate_id())),
        ("version", version.as_deref()),
        ("correlationId", envelope.correlation_id()),
        ("causationId", envelope.causation_id()),
    ];
    let given = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
    Headers::new(given.map(|(name, value)| Header { name: name.to_owned(), value: Some(value.as_bytes().to_vec()) }).collect())
}
