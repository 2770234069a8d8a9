//! From JSON to an event, in one pass.
//!
//! Most writers put `type` before `data`; then `data` is read straight into the body of that type. When `data` comes
//! first its text is set aside, unread, until the type is known.

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess};
use serde_json::value::RawValue;

use super::envelope::{Envelope, EnvelopeParts};
use super::error::EventError;
use super::object::{FieldReader, JsonText, Object, Slot, read_object};
use super::order::OrderFields;
use super::payment::PaymentFields;
use super::shipment::ShipmentFields;
use super::time::Time;
use super::{Body, Event, Kind};

impl Event {
    /// Reads an event from the value of a record. Any bytes are safe: what is no event is an error that names the fault.
    pub fn from_json(bytes: &[u8]) -> Result<Event, EventError> {
        // Checked once for the whole text, so that skipped strings are checked too and the others need no check of their own.
        let text = std::str::from_utf8(bytes).map_err(|error| EventError::NotUtf8 { valid_up_to: error.valid_up_to() })?;
        let mut json = serde_json::Deserializer::from_str(text);
        let event = read_object(EnvelopeFields::default(), &mut json).map_err(|error| EventError::malformed(&error))?;
        json.end().map_err(|error| EventError::malformed(&error))?;
        event
    }
}

/// For JSON that lies in memory (`from_str`, `from_slice`): strings are borrowed from it.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        read_object(EnvelopeFields::default(), deserializer)?.map_err(de::Error::custom)
    }
}

/// The `data` of an event.
pub(super) struct Data<'de> {
    pub(super) body: Body,
    /// The order that `data` names, if it names one.
    pub(super) order_id: Option<JsonText<'de>>,
}

#[derive(Default)]
struct EnvelopeFields<'de> {
    kind: Slot<JsonText<'de>>,
    aggregate_id: Slot<JsonText<'de>>,
    event_id: Slot<JsonText<'de>>,
    aggregate_type: Slot<JsonText<'de>>,
    correlation_id: Slot<JsonText<'de>>,
    causation_id: Slot<JsonText<'de>>,
    command_id: Slot<JsonText<'de>>,
    actor: Slot<&'de RawValue>,
    version: Slot<u64>,
    schema_version: Slot<u32>,
    timestamp: Slot<Time>,
    data: Slot<Data<'de>>,
    unread_data: Slot<&'de RawValue>,
}

impl<'de> Object<'de> for EnvelopeFields<'de> {
    /// Faults that a caller tells apart must not be flattened into a JSON error.
    type Output = Result<Event, EventError>;
    const NAME: &'static str = "an event";

    fn field<A: MapAccess<'de>>(&mut self, name: &str, reader: FieldReader<'_, A>) -> Result<(), A::Error> {
        match name {
            "type" => reader.read(&mut self.kind),
            "aggregateId" => reader.read(&mut self.aggregate_id),
            "eventId" => reader.read(&mut self.event_id),
            "aggregateType" => reader.read(&mut self.aggregate_type),
            "correlationId" => reader.read(&mut self.correlation_id),
            "causationId" => reader.read(&mut self.causation_id),
            "commandId" => reader.read(&mut self.command_id),
            "actor" => reader.read(&mut self.actor),
            "version" => reader.read(&mut self.version),
            "schemaVersion" => reader.read(&mut self.schema_version),
            "timestamp" => reader.read(&mut self.timestamp),
            "data" => match (self.known_kind(), &self.unread_data) {
                (Some(kind), Slot::Unread) => reader.read_with(&mut self.data, DataSeed(kind)),
                _ => reader.read(&mut self.unread_data),
            },
            _ => reader.skip(),
        }
    }

    fn build<E: de::Error>(self) -> Result<Self::Output, E> {
        Ok(self.into_event())
    }
}

impl EnvelopeFields<'_> {
    fn known_kind(&self) -> Option<Kind> {
        self.kind.as_deref().and_then(Kind::from_name)
    }

    fn into_event(self) -> Result<Event, EventError> {
        let name = self.kind.required::<serde_json::Error>("type").map_err(|error| EventError::malformed(&error))?;
        let kind = Kind::from_name(&name).ok_or_else(|| EventError::unknown_type(&name))?;
        let aggregate_id = self.aggregate_id.required::<serde_json::Error>("aggregateId").map_err(|error| EventError::malformed(&error))?;
        if aggregate_id.is_empty() {
            return Err(EventError::malformed(&"aggregateId: is empty"));
        }
        let version = self.version.optional();
        if version == Some(0) {
            return Err(EventError::malformed(&"version: is 0, but versions count from 1"));
        }
        let data = match self.data.optional() {
            Some(data) => data,
            None => read_data(kind, self.unread_data.optional().map_or("{}", RawValue::get))?,
        };
        if let Some(order_id) = data.order_id.filter(|order_id| **order_id != *aggregate_id) {
            return Err(EventError::order_differs(&order_id, &aggregate_id));
        }
        let envelope = Envelope::new(&EnvelopeParts {
            aggregate_id: aggregate_id.0,
            event_id: self.event_id.borrowed(),
            aggregate_type: self.aggregate_type.borrowed(),
            correlation_id: self.correlation_id.borrowed(),
            causation_id: self.causation_id.borrowed(),
            command_id: self.command_id.borrowed(),
            actor: self.actor.optional().map(|actor| actor.get().into()),
            version,
            schema_version: self.schema_version.optional(),
            time_ms: self.timestamp.optional().map(|time| time.0),
        });
        Ok(Event { envelope, body: data.body })
    }
}

/// Reads `data` that was set aside, or the empty object that stands for none: many types need nothing in it.
fn read_data(kind: Kind, json: &str) -> Result<Data<'_>, EventError> {
    let data = DataSeed(kind).deserialize(&mut serde_json::Deserializer::from_str(json));
    data.map_err(|error| EventError::malformed(&format_args!("data: {error}")))
}

/// Reads the `data` of an event whose type is known.
struct DataSeed(Kind);

impl<'de> DeserializeSeed<'de> for DataSeed {
    type Value = Data<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Data<'de>, D::Error> {
        match self.0 {
            Kind::Order(kind) => read_object(OrderFields::new(kind), deserializer),
            Kind::Payment(kind) => read_object(PaymentFields::new(kind), deserializer),
            Kind::Shipment(step) => read_object(ShipmentFields::new(step), deserializer),
        }
    }
}
