//! How values and keys become bytes, and back. The only file that names bincode.
//!
//! Three kinds, never mixed up:
//!
//! * [`Codec`]: a topic's keys and values ([`Text`], [`Json`], [`Nullable`]), shared with other programs.
//! * [`KeyCodec`]: keys of stores and indexes, as bytes that sort like the keys do.
//! * [`StoreValue`]: rows of stores and changelogs: `[codec id, 1 byte][schema version, 2 bytes, big-endian][body]`. The body of
//!   codec 1 is bincode 2 in its standard configuration; `wincode` writes the same bytes.

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

/// A key as bytes that sort as the keys do; every part says itself where it ends, so that parts can be joined.
pub trait KeyCodec: Sized + Send + Sync + 'static {
    /// Appends the key.
    fn encode_key(&self, out: &mut Vec<u8>);
    /// Takes one key off the front of `input`.
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError>;
}

/// What can be a store's key: ordered bytes, and serde to show it as JSON.
pub trait StoreKey: KeyCodec + Clone + Serialize + DeserializeOwned {}
impl<T: KeyCodec + Clone + Serialize + DeserializeOwned> StoreKey for T {}

/// Sorts the other way round: the newest first, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Desc<T>(pub T);

impl<T: KeyCodec> KeyCodec for Desc<T> {
    fn encode_key(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.0.encode_key(out);
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }

    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        let inverted: Vec<u8> = input.iter().map(|byte| !byte).collect();
        let mut rest = inverted.as_slice();
        let value = T::decode_key(&mut rest)?;
        *input = &input[inverted.len() - rest.len()..];
        Ok(Desc(value))
    }
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], CodecError> {
    let (head, rest) = input.split_first_chunk::<N>().ok_or_else(|| CodecError::new("key ends too early"))?;
    *input = rest;
    Ok(*head)
}

impl KeyCodec for u64 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        take(input).map(u64::from_be_bytes)
    }
}

impl KeyCodec for u32 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        take(input).map(u32::from_be_bytes)
    }
}

/// The sign bit is flipped, so that negative numbers sort first.
impl KeyCodec for i64 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        ((*self as u64) ^ (1 << 63)).encode_key(out);
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        u64::decode_key(input).map(|bits| (bits ^ (1 << 63)) as i64)
    }
}

impl KeyCodec for bool {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        match take::<1>(input)? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(CodecError::new(format!("key has {other} where a boolean is expected"))),
        }
    }
}

/// A zero byte inside is written as `00 ff`, the end as `00 00`: "a" sorts before "a\0" and before "ab".
impl KeyCodec for String {
    fn encode_key(&self, out: &mut Vec<u8>) {
        encode_str_key(self, out);
    }

    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        let mut bytes = Vec::new();
        loop {
            let zero = input.iter().position(|byte| *byte == 0).ok_or_else(|| CodecError::new("key text has no end"))?;
            bytes.extend_from_slice(&input[..zero]);
            *input = &input[zero + 1..];
            match take::<1>(input)? {
                [0x00] => break,
                [0xff] => bytes.push(0),
                [other] => return Err(CodecError::new(format!("key text has an unknown escape {other:#04x}"))),
            }
        }
        String::from_utf8(bytes).map_err(|e| CodecError::new(format!("key text is not UTF-8: {e}")))
    }
}

/// Appends text as [`String`]'s [`KeyCodec`] does; for newtypes and prefixes.
pub fn encode_str_key(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(zero) = rest.iter().position(|byte| *byte == 0) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(0xff);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 0]);
}

impl<A: KeyCodec, B: KeyCodec> KeyCodec for (A, B) {
    fn encode_key(&self, out: &mut Vec<u8>) {
        self.0.encode_key(out);
        self.1.encode_key(out);
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        Ok((A::decode_key(input)?, B::decode_key(input)?))
    }
}

impl<A: KeyCodec, B: KeyCodec, C: KeyCodec> KeyCodec for (A, B, C) {
    fn encode_key(&self, out: &mut Vec<u8>) {
        self.0.encode_key(out);
        self.1.encode_key(out);
        self.2.encode_key(out);
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        Ok((A::decode_key(input)?, B::decode_key(input)?, C::decode_key(input)?))
    }
}

/// Reads a whole key and refuses what follows it.
pub(crate) fn decode_whole_key<K: KeyCodec>(bytes: &[u8]) -> Result<K, CodecError> {
    let mut rest = bytes;
    let key = K::decode_key(&mut rest)?;
    if rest.is_empty() { Ok(key) } else { Err(CodecError::new(format!("key has {} bytes too many", rest.len()))) }
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
    let (header, body) = bytes
        .split_first_chunk::<ROW_HEADER_BYTES>()
        .ok_or_else(|| CodecError::new(format!("row has {} bytes, less than its header", bytes.len())))?;
    if header[0] != BINCODE {
        return Err(CodecError::new(format!("row has the unknown codec id {}", header[0])));
    }
    match u16::from_be_bytes([header[1], header[2]]) {
        version if version == V::SCHEMA => decode_body(body),
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
    let (value, read) = bincode::serde::decode_from_slice(body, CONFIG).map_err(|e| CodecError::new(format!("row cannot be read: {e}")))?;
    if read == body.len() { Ok(value) } else { Err(CodecError::new(format!("row has {} bytes too many", body.len() - read))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes<K: KeyCodec>(key: &K) -> Vec<u8> {
        let mut out = Vec::new();
        key.encode_key(&mut out);
        out
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_bytes_and_come_back(a: (String, i64, u64), b: (String, i64, u64)) {
            prop_assert_eq!(bytes(&a).cmp(&bytes(&b)), a.cmp(&b));
            prop_assert_eq!(decode_whole_key::<(String, i64, u64)>(&bytes(&a)).unwrap(), a);
        }

        #[test]
        fn descending_keys_sort_the_other_way_round(a: (String, i64), b: (String, i64)) {
            let (x, y) = (Desc(a.clone()), Desc(b.clone()));
            prop_assert_eq!(bytes(&x).cmp(&bytes(&y)), b.cmp(&a));
            prop_assert_eq!(decode_whole_key::<Desc<(String, i64)>>(&bytes(&x)).unwrap(), x);
        }

        #[test]
        fn arbitrary_bytes_never_panic(input: Vec<u8>) {
            let _ = decode_whole_key::<(String, Desc<String>, bool)>(&input);
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
