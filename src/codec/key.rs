//! Keys of stores and indexes as bytes that sort as the keys do.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CodecError;
use crate::record::Timestamp;

/// A key as bytes that sort as the keys do; every part says itself where it ends, so that parts can be joined.
pub trait KeyCodec: Sized + Send + Sync + 'static {
    /// Appends the key.
    fn encode_key(&self, out: &mut Vec<u8>);
    /// Takes one key off the front of `input`.
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError>;

    /// How keys are written, in a word that stays the same as long as the bytes do: a store whose keys are written otherwise than before
    /// is refused at start. `?`, as long as a type does not say, fits everything; a newtype says what its inner type says.
    fn key_shape() -> String {
        UNKNOWN_SHAPE.to_string()
    }
}

/// A part of a key of which nobody knows how it is written.
const UNKNOWN_SHAPE: &str = "?";

/// Whether two shapes may be of the same bytes: what is known of both agrees.
pub(crate) fn shapes_fit(one: &str, other: &str) -> bool {
    let covers = |pattern: &str, text: &str| match (pattern.find(UNKNOWN_SHAPE), pattern.rfind(UNKNOWN_SHAPE)) {
        (Some(first), Some(last)) => text.starts_with(&pattern[..first]) && text.ends_with(&pattern[last + 1..]),
        _ => pattern == text,
    };
    covers(one, other) || covers(other, one)
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

    fn key_shape() -> String {
        format!("desc({})", T::key_shape())
    }
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], CodecError> {
    let (head, rest) = input.split_first_chunk::<N>().ok_or_else(|| CodecError::new("key ends too early"))?;
    *input = rest;
    Ok(*head)
}

/// Big-endian, so that larger numbers sort later.
impl KeyCodec for u8 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        take::<1>(input).map(|[byte]| byte)
    }

    fn key_shape() -> String {
        "u8".to_string()
    }
}

impl KeyCodec for u16 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        take(input).map(u16::from_be_bytes)
    }

    fn key_shape() -> String {
        "u16".to_string()
    }
}

impl KeyCodec for u64 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        take(input).map(u64::from_be_bytes)
    }

    fn key_shape() -> String {
        "u64".to_string()
    }
}

impl KeyCodec for u32 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        take(input).map(u32::from_be_bytes)
    }

    fn key_shape() -> String {
        "u32".to_string()
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

    fn key_shape() -> String {
        "i64".to_string()
    }
}

impl KeyCodec for i32 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        ((*self as u32) ^ (1 << 31)).encode_key(out);
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        u32::decode_key(input).map(|bits| (bits ^ (1 << 31)) as i32)
    }

    fn key_shape() -> String {
        "i32".to_string()
    }
}

impl KeyCodec for Timestamp {
    fn encode_key(&self, out: &mut Vec<u8>) {
        self.0.encode_key(out);
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        i64::decode_key(input).map(Timestamp)
    }

    fn key_shape() -> String {
        i64::key_shape()
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

    fn key_shape() -> String {
        "bool".to_string()
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

    fn key_shape() -> String {
        "string".to_string()
    }
}

/// Appends text as [`String`]'s [`KeyCodec`] does; for newtypes and prefixes.
pub fn encode_str_key(text: &str, out: &mut Vec<u8>) {
    encode_str_prefix(text, out);
    out.extend_from_slice(&[0, 0]);
}

fn encode_str_prefix(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some(zero) = rest.iter().position(|byte| *byte == 0) {
        out.extend_from_slice(&rest[..=zero]);
        out.push(0xff);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
}

impl<A: KeyCodec, B: KeyCodec> KeyCodec for (A, B) {
    fn encode_key(&self, out: &mut Vec<u8>) {
        self.0.encode_key(out);
        self.1.encode_key(out);
    }
    fn decode_key(input: &mut &[u8]) -> Result<Self, CodecError> {
        Ok((A::decode_key(input)?, B::decode_key(input)?))
    }

    fn key_shape() -> String {
        format!("({},{})", A::key_shape(), B::key_shape())
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

    fn key_shape() -> String {
        format!("({},{},{})", A::key_shape(), B::key_shape(), C::key_shape())
    }
}

/// What a key of type `I` can begin with: nothing, its first parts, or the beginning of a text.
pub trait Prefix<I>: Send {
    /// Appends the bytes that all such keys begin with.
    fn encode_prefix(&self, out: &mut Vec<u8>);
}

/// Every key begins with nothing.
impl<I> Prefix<I> for () {
    fn encode_prefix(&self, _out: &mut Vec<u8>) {}
}

impl<A: KeyCodec, B> Prefix<(A, B)> for A {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        self.encode_key(out);
    }
}

impl<A: KeyCodec, B, C> Prefix<(A, B, C)> for A {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        self.encode_key(out);
    }
}

impl<A: KeyCodec, B: KeyCodec, C> Prefix<(A, B, C)> for (A, B) {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        self.0.encode_key(out);
        self.1.encode_key(out);
    }
}

/// The beginning of a text.
impl Prefix<String> for &str {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        encode_str_prefix(self, out);
    }
}

/// The beginning of a text that is the first part.
impl<B> Prefix<(String, B)> for &str {
    fn encode_prefix(&self, out: &mut Vec<u8>) {
        encode_str_prefix(self, out);
    }
}

/// A key as bytes of its own.
pub(crate) fn encode_whole_key(key: &impl KeyCodec) -> Vec<u8> {
    let mut bytes = Vec::new();
    key.encode_key(&mut bytes);
    bytes
}

/// Reads a whole key and refuses what follows it.
pub(crate) fn decode_whole_key<K: KeyCodec>(bytes: &[u8]) -> Result<K, CodecError> {
    let mut rest = bytes;
    let key = K::decode_key(&mut rest)?;
    if rest.is_empty() { Ok(key) } else { Err(CodecError::new(format!("key has {} bytes too many", rest.len()))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::encode_whole_key as bytes;
    use super::*;

    fn prefix<I>(prefix: impl Prefix<I>) -> Vec<u8> {
        let mut out = Vec::new();
        prefix.encode_prefix(&mut out);
        out
    }

    #[test]
    fn shapes_fit_as_far_as_they_are_known() {
        assert_eq!(<(String, Desc<Timestamp>)>::key_shape(), "(string,desc(i64))");
        for (one, other, fit) in [
            ("string", "string", true),
            ("string", "u64", false),
            ("?", "(string,u64)", true),
            ("(?,u64)", "(string,u64)", true),
            ("(?,u64)", "(string,i64)", false),
            ("(string,u64)", "string", false),
        ] {
            assert_eq!((shapes_fit(one, other), shapes_fit(other, one)), (fit, fit), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_bytes_and_come_back(a: (String, i64, u64), b: (String, i64, u64)) {
            prop_assert_eq!(bytes(&a).cmp(&bytes(&b)), a.cmp(&b));
            prop_assert_eq!(decode_whole_key::<(String, i64, u64)>(&bytes(&a)).unwrap(), a);
        }

        #[test]
        fn small_numbers_sort_as_their_bytes_and_come_back(a: ((u8, u16), i32, bool), b: ((u8, u16), i32, bool)) {
            prop_assert_eq!(bytes(&a).cmp(&bytes(&b)), a.cmp(&b));
            prop_assert_eq!(decode_whole_key::<((u8, u16), i32, bool)>(&bytes(&a)).unwrap(), a);
        }

        #[test]
        fn descending_keys_sort_the_other_way_round(a: (String, i64), b: (String, i64)) {
            let (x, y) = (Desc(a.clone()), Desc(b.clone()));
            prop_assert_eq!(bytes(&x).cmp(&bytes(&y)), b.cmp(&a));
            prop_assert_eq!(decode_whole_key::<Desc<(String, i64)>>(&bytes(&x)).unwrap(), x);
        }

        #[test]
        fn a_prefix_is_what_exactly_the_keys_with_it_begin_with(key: (String, u64, i64), text: String, cut in 0usize..8) {
            prop_assert!(bytes(&key).starts_with(&prefix::<(String, u64, i64)>(key.0.clone())));
            prop_assert!(bytes(&key).starts_with(&prefix::<(String, u64, i64)>((key.0.clone(), key.1))));
            let begins: String = key.0.chars().take(cut).collect();
            prop_assert!(bytes(&(key.0.clone(), key.1)).starts_with(&prefix::<(String, u64)>(begins.as_str())));
            prop_assert_eq!(bytes(&key.0).starts_with(&prefix::<String>(text.as_str())), key.0.starts_with(&text));
            prop_assert_eq!(bytes(&key).starts_with(&prefix::<(String, u64, i64)>(text.clone())), key.0 == text);
        }

        #[test]
        fn arbitrary_bytes_never_panic(input: Vec<u8>) {
            let _ = decode_whole_key::<(String, Desc<String>, bool)>(&input);
        }
    }
}
