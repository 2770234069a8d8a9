//! Short strings without an allocation: ids, carriers and methods nearly all fit into a few bytes, and a row holds many.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// So many bytes make a [`Text`] as large as three words.
const INLINE_BYTES: usize = 22;

/// A string that is cheap to clone: short ones are copied, long ones shared.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Content);

/// Short strings are always inline, with zeros after them, so that equal strings are equal contents.
#[derive(Clone, PartialEq, Eq)]
enum Content {
    Inline { length: u8, bytes: [u8; INLINE_BYTES] },
    Shared(Arc<str>),
}

impl Text {
    /// The string.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Content::Inline { length, bytes } => {
                std::str::from_utf8(&bytes[..usize::from(*length)]).expect("the bytes of a text come from a string")
            }
            Content::Shared(text) => text,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        if text.len() > INLINE_BYTES {
            return Text(Content::Shared(text.into()));
        }
        let mut bytes = [0; INLINE_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Text(Content::Inline { length: text.len() as u8, bytes })
    }
}

impl Default for Text {
    fn default() -> Text {
        Text::from("")
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        struct TextVisitor;
        impl de::Visitor<'_> for TextVisitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::from(text))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_any_length_come_back() {
        assert_eq!(size_of::<Text>(), 24);
        for length in [0, 1, 21, 22, 23, 1_000] {
            let text = "x".repeat(length);
            assert_eq!(Text::from(text.as_str()).as_str(), text);
            assert_eq!(Text::from(text.as_str()), Text::from(text.as_str()).clone());
        }
        assert_eq!(Text::from("한글은 세 바이트씩").as_str(), "한글은 세 바이트씩");
        assert_ne!(Text::from("a"), Text::from("a\0"));
    }
}
