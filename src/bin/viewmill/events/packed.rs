//! Several optional strings in one allocation, for things that consist of many: envelopes, addresses, items.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};

/// So many strings, of which each may be missing. At most 8.
///
/// Its serialized form is the strings joined together, where each of them ends, and a bit for each that is there: a binary
/// format reads it back with one allocation. It is the same for all formats.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Packed<const N: usize> {
    text: Box<str>,
    /// Where each string ends; it begins where the one before it ends.
    ends: [u32; N],
    /// A bit for each string that is there: an empty one differs from none.
    present: u8,
}

impl<const N: usize> Packed<N> {
    /// Packs the strings.
    pub(super) fn new(strings: [Option<&str>; N]) -> Packed<N> {
        const { assert!(N <= 8, "there is a bit for each of eight strings") };
        let mut text = String::with_capacity(strings.iter().flatten().map(|string| string.len()).sum());
        let mut ends = [0; N];
        let mut present = 0;
        for (i, string) in strings.into_iter().enumerate() {
            if let Some(string) = string {
                text.push_str(string);
                present |= 1 << i;
            }
            ends[i] = u32::try_from(text.len()).expect("the strings come from one record, which is far below 4 GiB");
        }
        Packed { text: text.into_boxed_str(), ends, present }
    }

    /// The string of that number, from 0.
    pub(super) fn get(&self, i: usize) -> Option<&str> {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        (self.present & (1 << i) != 0).then(|| &self.text[start as usize..self.ends[i] as usize])
    }

    fn is_whole(&self) -> bool {
        let ends = self.ends.map(|end| end as usize);
        ends.is_sorted()
            && ends.last().is_none_or(|last| *last == self.text.len())
            && ends.iter().all(|end| self.text.is_char_boundary(*end))
    }
}

impl<const N: usize> Default for Packed<N> {
    fn default() -> Self {
        Packed::new([None; N])
    }
}

impl<const N: usize> fmt::Debug for Packed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..N).map(|i| self.get(i))).finish()
    }
}

impl<const N: usize> Serialize for Packed<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_tuple(N + 2)?;
        parts.serialize_element(&self.text)?;
        for end in &self.ends {
            parts.serialize_element(end)?;
        }
        parts.serialize_element(&self.present)?;
        parts.end()
    }
}

impl<'de, const N: usize> Deserialize<'de> for Packed<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(N + 2, PackedVisitor::<N>)
    }
}

struct PackedVisitor<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for PackedVisitor<N> {
    type Value = Packed<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} packed strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Packed<N>, A::Error> {
        let incomplete = |i: usize| de::Error::invalid_length(i, &self);
        let text = parts.next_element()?.ok_or_else(|| incomplete(0))?;
        let mut ends = [0; N];
        for (i, end) in ends.iter_mut().enumerate() {
            *end = parts.next_element()?.ok_or_else(|| incomplete(i + 1))?;
        }
        let present = parts.next_element()?.ok_or_else(|| incomplete(N + 1))?;
        let packed = Packed { text, ends, present };
        // Damage must be found here, not as a panic when somebody looks at a string.
        if packed.is_whole() { Ok(packed) } else { Err(de::Error::custom("packed strings do not end where they should")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Packed<3>, viewmill::CodecError> {
        viewmill::codec::decode_body(bytes)
    }

    #[test]
    fn strings_come_back_and_missing_ones_are_missing() {
        let packed = Packed::new([Some("한"), None, Some("")]);
        assert_eq!([packed.get(0), packed.get(1), packed.get(2)], [Some("한"), None, Some("")]);
        let mut bytes = Vec::new();
        viewmill::codec::encode_body(&packed, &mut bytes).unwrap();
        assert_eq!(decode(&bytes).unwrap(), packed);
    }

    #[test]
    fn damage_is_an_error() {
        let good = [3, b'a', b'b', b'c', 1, 2, 3, 7];
        assert_eq!(decode(&good).unwrap().get(2), Some("c"));
        for (at, byte) in [(4, 3), (5, 0), (6, 2), (6, 4)] {
            let mut bad = good;
            bad[at] = byte;
            assert!(decode(&bad).is_err(), "{bad:?}");
        }
        assert!(decode(&[3, 0xed, 0x95, 0x9c, 1, 3, 3, 7]).is_err(), "an end within a letter");
        assert!(decode(&good[..7]).is_err());
    }
}
