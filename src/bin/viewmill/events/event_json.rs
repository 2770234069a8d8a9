//! Events as the values of a topic.

use viewmill::{Codec, CodecError};

use super::Event;

/// Events as JSON, read without a detour through a tree.
#[derive(Clone, Copy, Debug)]
pub struct EventJson;

impl Codec<Event> for EventJson {
    fn encode(&self, event: &Event) -> Result<Option<Vec<u8>>, CodecError> {
        serde_json::to_vec(event).map(Some).map_err(|e| CodecError::new(format!("cannot be written as JSON: {e}")))
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Event, CodecError> {
        let bytes = bytes.ok_or_else(|| CodecError::new("is null where an event is expected"))?;
        Event::from_json(bytes).map_err(|e| CodecError::new(format!("is no event: {e}")))
    }
}
