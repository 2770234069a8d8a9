//! What stands around each message: the request's header, the response's header and length.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Api, ApiKey, Fields, Message, Reader, WireError, Writer};

/// What a request says of itself before its fields.
#[derive(Debug, Clone)]
pub struct RequestHeader {
    /// The API as a number, which need not be known.
    pub api_key: i16,
    /// The version, which need not be understood.
    pub version: i16,
    /// Given back with the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Reads the header and leaves `reader` at the message, in its encoding.
    pub fn read(reader: &mut Reader) -> Result<Self, WireError> {
        let mut header = RequestHeader { api_key: 0, version: 0, correlation_id: 0, client_id: None };
        reader.i16(&mut header.api_key)?;
        reader.i16(&mut header.version)?;
        reader.i32(&mut header.correlation_id)?;
        reader.nullable_string(&mut header.client_id)?;
        if Api::of(header.api_key).is_some_and(|api| api.understands(header.version) && api.is_flexible(header.version)) {
            reader.set_flexible(true);
            reader.tagged()?;
        }
        Ok(header)
    }
}

/// A whole response as it travels, its length first.
pub fn response_frame(api: &Api, version: i16, correlation_id: i32, message: &mut impl Message) -> Result<Vec<Bytes>, WireError> {
    let mut writer = Writer::default();
    writer.set_flexible(api.is_flexible(version));
    let mut correlation_id = correlation_id;
    writer.i32(&mut correlation_id)?;
    // A client that asks for the versions cannot know yet which header it will get: always the plain one.
    if api.key != ApiKey::ApiVersions {
        writer.tagged()?;
    }
    writer.message(message, version)?;
    let parts = writer.into_parts();
    let length: usize = parts.iter().map(Bytes::len).sum();
    let mut prefix = BytesMut::with_capacity(4);
    prefix.put_i32(i32::try_from(length).map_err(|_| WireError::TooLong(length))?);
    Ok(std::iter::once(prefix.freeze()).chain(parts).collect())
}
