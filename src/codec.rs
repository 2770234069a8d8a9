//! How values and keys become bytes, and back. The only file that names bincode.
//!
//! Three kinds, never mixed up:
//!
//! * [`Codec`]: a topic's keys and values ([`Text`], [`Json`], [`Nullable`]), shared with other programs.
//! * [`KeyCodec`]: keys of stores and indexes, as bytes that sort like the keys do.
//! * [`StoreValue`]: rows of stores and changelogs: `[codec id, 1 byte][schema version, 2 bytes, big-endian][body]`. The body of
//!   codec 1 is bincode 2 in its standard configuration; `wincode` writes the same bytes.

mod key;
mod number;

pub use key::{Desc, KeyCodec, Prefix, StoreKey, encode_str_key};
pub(crate) use key::{decode_whole_key, encode_whole_key, shapes_fit};
pub use number::{MAX_NUMBER_BYTES, push_number, take_number};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::record::Data;

/// The largest row that is read or written, in bytes.
pub const MAX_ROW_BYTES: usize = 64 << 20;

/// Bytes before the body of a row.
const ROW_HEADER_BYTES: usize = 3;

/// Codec id of bincode 2, standard configuration.
const BINCODE: u8 = 1;

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<MAX_ROW_BYTES>,
> = bincode::config::standard().with_limit::<MAX_ROW_BYTES>();

/// Bytes could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CodecError(String);

impl CodecError {
    /// An error in words; name what was read and what is wrong with it.
    pub fn new(detail: impl Into<String>) -> Self {
        CodecError(detail.into())
    }

    /// The row has a schema version that [`StoreValue::upgrade`] does not read.
    pub fn schema(found: u16, known: u16) -> Self {
        CodecError(format!("row has schema version {found}, this program reads {known} and has no upgrade from it"))
    }
}

/// Writes and reads the keys or values of a topic. `None` is Kafka's null.
pub trait Codec<T>: Send + Sync + 'static {
    /// Writes.
    fn encode(&self, value: &T) -> Result<Option<Vec<u8>>, CodecError>;
    /// Reads.
    fn decode(&self, bytes: Option<&[u8]>) -> Result<T, CodecError>;
}

/// UTF-8 text, also for newtypes around `String`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text;

impl<T: Data + From<String> + AsRef<str>> Codec<T> for Text {
    fn encode(&self, value: &T) -> Result<Option<Vec<u8>>, CodecError> {
        Ok(Some(value.as_ref().as_bytes().to_vec()))
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<T, CodecError> {
        let bytes = bytes.ok_or_else(|| CodecError::new("is null where text is expected"))?;
        let text = std::str::from_utf8(bytes).map_err(|e| CodecError::new(format!("is not UTF-8: {e}")))?;
        Ok(T::from(text.to_owned()))
    }
}

/// JSON through serde.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<T: Data + Serialize + DeserializeOwned> Codec<T> for Json {
    fn encode(&self, value: &T) -> Result<Option<Vec<u8>>, CodecError> {
        serde_json::to_vec(value).map(Some).map_err(|e| CodecError::new(format!("cannot be written as JSON: {e}")))
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<T, CodecError> {
        let bytes = bytes.ok_or_else(|| CodecError::new("is null where JSON is expected"))?;
        serde_json::from_slice(bytes).map_err(|e| CodecError::new(format!("is not the JSON expected: {e}")))
    }
}

/// Another codec, with Kafka's null as `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nullable<C>(pub C);

impl<T, C: Codec<T>> Codec<Option<T>> for Nullable<C> {
    fn encode(&self, value: &Option<T>) -> Result<Option<Vec<u8>>, CodecError> {
        value.as_ref().map_or(Ok(None), |value| self.0.encode(value))
    }

    fn decode(&self, bytes: Option<&[u8]>) -> Result<Option<T>, CodecError> {
        bytes.map(|bytes| self.0.decode(Some(bytes))).transpose()
    }
}

/// A row of a store.
///
/// Raise `SCHEMA` whenever the fields change, and read older rows in `upgrade`.
pub trait StoreValue: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The version of the row's layout.
    const SCHEMA: u16 = 1;

    /// Reads the body of a row of an older version; [`decode_body`] reads it into the struct of that version.
    fn upgrade(from: u16, _body: &[u8]) -> Result<Self, CodecError> {
        Err(CodecError::schema(from, Self::SCHEMA))
    }

    /// Reads the body of a row for its store's indexes alone: fields at which none of them looks may be left at anything. Where rows are
    /// restored this is all that is read of them, so a row of many parts should be read by [`decode_head`] here. A test must show that
    /// the indexes make the same keys of it as of the whole row: where they do not, rows are missing in lists after a restore.
    fn decode_indexed(body: &[u8]) -> Result<Self, CodecError> {
        decode_body(body)
    }
}

impl StoreValue for String {}
impl StoreValue for u64 {}
impl StoreValue for i64 {}
impl StoreValue for bool {}

/// Appends a row.
pub(crate) fn encode_row<V: StoreValue>(value: &V, out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.push(BINCODE);
    out.extend_from_slice(&V::SCHEMA.to_be_bytes());
    encode_body(value, out)
}

/// Reads a row.
pub(crate) fn decode_row<V: StoreValue>(bytes: &[u8]) -> Result<V, CodecError> {
    decode_row_by(bytes, decode_body)
}

/// Reads what indexes see of a row.
pub(crate) fn decode_indexed_row<V: StoreValue>(bytes: &[u8]) -> Result<V, CodecError> {
    decode_row_by(bytes, V::decode_indexed)
}

fn decode_row_by<V: StoreValue>(bytes: &[u8], decode: impl FnOnce(&[u8]) -> Result<V, CodecError>) -> Result<V, CodecError> {
    let (header, body) = bytes
        .split_first_chunk::<ROW_HEADER_BYTES>()
        .ok_or_else(|| CodecError::new(format!("row has {} bytes, less than its header", bytes.len())))?;
    if header[0] != BINCODE {
        return Err(CodecError::new(format!("row has the unknown codec id {}", header[0])));
    }
    match u16::from_be_bytes([header[1], header[2]]) {
        version if version == V::SCHEMA => decode(body),
        version if version > V::SCHEMA => Err(CodecError::schema(version, V::SCHEMA)),
        version => V::upgrade(version, body),
    }
}

/// Appends a body without header: for [`StoreValue::upgrade`] and its tests.
pub fn encode_body<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    bincode::serde::encode_into_std_write(value, out, CONFIG)
        .map(|_| ())
        .map_err(|e| CodecError::new(format!("row cannot be written: {e}")))
}

/// Reads a body without header: for [`StoreValue::upgrade`].
pub fn decode_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, CodecError> {
    let (value, read) = decode_start(body)?;
    if read == body.len() { Ok(value) } else { Err(CodecError::new(format!("row has {} bytes too many", body.len() - read))) }
}

/// Reads what a body begins with: its first fields, as a tuple. For [`StoreValue::decode_indexed`].
pub fn decode_head<T: DeserializeOwned>(body: &[u8]) -> Result<T, CodecError> {
    decode_start(body).map(|(head, _)| head)
}

fn decode_start<T: DeserializeOwned>(body: &[u8]) -> Result<(T, usize), CodecError> {
    bincode::serde::decode_from_slice(body, CONFIG).map_err(|e| CodecError::new(format!("row cannot be read: {e}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(input: Vec<u8>) {
            let _ = decode_row::<String>(&input);
        }
    }

    #[test]
    fn rows_have_these_bytes() {
        // On disk and in changelogs of every application: a change here needs a new codec id.
        let mut row = Vec::new();
        encode_row(&"viewmill".to_string(), &mut row).unwrap();
        assert_eq!(row, b"\x01\x00\x01\x08viewmill");
        row.clear();
        encode_row(&300_u64, &mut row).unwrap();
        assert_eq!(row, [1, 0, 1, 251, 44, 1]);
        assert_eq!(decode_row::<u64>(&row).unwrap(), 300);
    }

    #[test]
    fn older_rows_are_upgraded_and_newer_ones_refused() {
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Named {
            name: String,
            visits: u64,
        }
        impl StoreValue for Named {
            const SCHEMA: u16 = 2;
            fn upgrade(from: u16, body: &[u8]) -> Result<Self, CodecError> {
                match from {
                    1 => Ok(Named { name: decode_body(body)?, visits: 0 }),
                    _ => Err(CodecError::schema(from, Self::SCHEMA)),
                }
            }
        }
        let mut old = Vec::new();
        encode_row(&"kim".to_string(), &mut old).unwrap();
        assert_eq!(decode_row::<Named>(&old).unwrap(), Named { name: "kim".into(), visits: 0 });
        let newer = [BINCODE, 0, 3, 0];
        assert!(decode_row::<Named>(&newer).unwrap_err().to_string().contains("schema version 3"));
        assert!(decode_row::<Named>(&[9, 0, 1]).unwrap_err().to_string().contains("codec id 9"));
    }
}
